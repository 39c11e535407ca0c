"""How often AWS is asked by mounts that come together."""

from bench.figures import Figure, Table
from bench.rig import Rig, secrets

SECRETS = 10
PODS = 50
BATCH = "secretsmanager.BatchGetSecretValue"


def measure() -> list[Table]:
    """A first mount, a repeat, 50 pods at once; with batches, without the right to them, and keeping nothing."""
    with Rig() as rig:
        figures = [
            _count(rig, "first mount", 1, 2),
            _count(rig, "the same again", 1, 0),
        ]
    with Rig(accounts=2) as rig:
        figures += [
            _count(rig, f"{PODS} pods at once of one service account", PODS, 2),
            _count(rig, f"{PODS} more of another", PODS, 2, account=1),
        ]
    with Rig(flags=("--session-max-age=0",)) as rig:
        rig.aws.refused[BATCH] = "AccessDeniedException"
        figures += [_count(rig, f"{PODS} pods at once, batches refused for the first time", PODS, 12)]
    with Rig(flags=("--cache-ttl=0", "--session-max-age=0", "--batch=off")) as rig:
        for number in range(PODS):
            rig.mount(rig.request(secrets(SECRETS), pod=number))
        figures += [Figure(f"{PODS} pods one after another, nothing kept, no batches", rig.aws.calls.total())]
    return [Table(f"Calls of AWS, {SECRETS} secrets in a class", figures)]


def _count(rig: Rig, what: str, pods: int, promise: int, *, account: int = 0) -> Figure:
    before = rig.aws.calls.copy()
    rig.mount_all([rig.request(secrets(SECRETS), account, pod) for pod in range(pods)], at_once=pods)
    return Figure(what, (rig.aws.calls - before).total(), budget=promise)
