"""How long a Mount takes, as seen by the driver, against an AWS of a chosen latency."""

from statistics import median, quantiles

from bench.figures import Figure, Table
from bench.rig import Rig, secrets

LATENCY = 0.02
COLD = 60
WARM = 400
PODS = 100
MAX_ROUND_TRIPS = 4.0
MAX_WARM_MS = 5.0
MAX_CROWD_SECONDS = 1.0


def measure() -> list[Table]:
    """Cold and warm mounts, one after another and 20 at once; then 100 pods that start together."""
    tables = []
    for number in (1, 10):
        for latency in (0.0, LATENCY):
            figures = []
            for at_once in (1, 20):
                figures += _cold(number, latency, at_once) + _warm(number, latency, at_once)
            tables.append(Table(f"Mount of {number} object(s), AWS answers in {latency * 1000:.0f} ms", figures))
    return [*tables, _crowd()]


def _cold(number: int, latency: float, at_once: int) -> list[Figure]:
    """Each mount is of a service account that nobody has mounted for yet: login and read."""
    with Rig(accounts=COLD + 1, latency=latency) as rig:
        rig.mount(rig.request(secrets(number), COLD))
        requests = [rig.request(secrets(number), account) for account in range(COLD)]
        figures = _figures(f"cold, {_how(at_once)}", rig.mount_all(requests, at_once))
        if latency and at_once == 1:
            trips = figures[0].value / 1000 / latency
            figures.append(Figure("    median, in round trips to AWS", trips, "x", MAX_ROUND_TRIPS))
        return figures


def _warm(number: int, latency: float, at_once: int) -> list[Figure]:
    """What is asked for is known."""
    with Rig(latency=latency, flags=("--cache-ttl=1h",)) as rig:
        rig.mount(rig.request(secrets(number)))
        requests = [rig.request(secrets(number), pod=pod) for pod in range(WARM)]
        promise = MAX_WARM_MS if at_once == 1 else None
        return _figures(f"warm, {_how(at_once)}", rig.mount_all(requests, at_once), promise)


def _crowd() -> Table:
    figures = []
    for accounts in (1, PODS):
        with Rig(accounts=accounts + 1, latency=LATENCY) as rig:
            rig.mount(rig.request(secrets(1), accounts))
            requests = [rig.request(secrets(10), pod % accounts, pod) for pod in range(PODS)]
            last = max(rig.mount_all(requests, at_once=PODS))
            promise = MAX_CROWD_SECONDS if accounts == 1 else None
            figures += [
                Figure(f"{PODS} pods of {accounts} service account(s): the last one's Mount", last, "s", promise),
                Figure("    in round trips to AWS", last / LATENCY, "x"),
            ]
    return Table(f"{PODS} pods start together, 10 secrets, AWS answers in {LATENCY * 1000:.0f} ms", figures)


def _how(at_once: int) -> str:
    return "one after another" if at_once == 1 else f"{at_once} at once"


def _figures(what: str, seconds: list[float], promise: float | None = None) -> list[Figure]:
    return [
        Figure(f"{what}: median", median(seconds) * 1000, "ms", promise),
        Figure(f"{what}: 99th percentile", quantiles(seconds, n=100)[98] * 1000, "ms"),
    ]
