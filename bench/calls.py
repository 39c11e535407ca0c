"""How often a backend is asked by mounts that come together."""

from bench.backends import AwsBackend, Backend
from bench.figures import Figure, Table
from bench.rig import Rig

SECRETS = 10
PODS = 50


def measure(cloud: type[Backend]) -> list[Table]:
    """A first mount, a repeat, 50 pods at once of two service accounts, and keeping nothing."""
    promises = cloud.promises
    with Rig(cloud) as rig:
        figures = [
            _count(rig, "first mount", 1, promises.first_calls),
            _count(rig, "the same again", 1, 0),
        ]
    with Rig(cloud, accounts=2) as rig:
        figures += [
            _count(rig, f"{PODS} pods at once of one service account", PODS, promises.crowd_calls),
            _count(rig, f"{PODS} more of another", PODS, promises.crowd_calls, account=1),
        ]
    with Rig(cloud, flags=("--cache-ttl=0", "--session-max-age=0")) as rig:
        figures += [_one_by_one(rig, "nothing kept")]
    return [Table(f"Calls of {cloud.name}, {SECRETS} secrets in a class", figures)]


def measure_batches(cloud: type[AwsBackend]) -> list[Table]:
    """Without the right to batches, and without batches."""
    with Rig(cloud, flags=("--session-max-age=0",)) as rig:
        rig.backend.aws.refused["secretsmanager.BatchGetSecretValue"] = "AccessDeniedException"
        figures = [_count(rig, f"{PODS} pods at once, batches refused for the first time", PODS, 12)]
    with Rig(cloud, flags=("--cache-ttl=0", "--session-max-age=0", "--batch=off")) as rig:
        figures += [_one_by_one(rig, "nothing kept, no batches")]
    return [Table(f"Calls of aws without batches, {SECRETS} secrets in a class", figures)]


def _count(rig: Rig[Backend], what: str, pods: int, promise: int, *, account: int = 0) -> Figure:
    before = rig.calls
    rig.mount_all([rig.request(SECRETS, account, pod) for pod in range(pods)], at_once=pods)
    return Figure(what, (rig.calls - before).total(), budget=promise)


def _one_by_one(rig: Rig[Backend], how: str) -> Figure:
    for number in range(PODS):
        rig.mount(rig.request(SECRETS, pod=number))
    return Figure(f"{PODS} pods one after another, {how}", rig.calls.total())
