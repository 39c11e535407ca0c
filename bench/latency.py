"""How long a Mount takes, as seen by the driver, against a backend of a chosen latency."""

from statistics import median, quantiles

from bench.backends import Backend
from bench.figures import Figure, Table
from bench.rig import Rig

LATENCY = 0.02
COLD = 60
WARM = 400
PODS = 100


def measure(cloud: type[Backend]) -> list[Table]:
    """Cold and warm mounts, one after another and 20 at once; then 100 pods that start together."""
    tables = []
    for number in (1, 10):
        for latency in (0.0, LATENCY):
            figures = []
            for at_once in (1, 20):
                figures += _cold(cloud, number, latency, at_once) + _warm(cloud, number, latency, at_once)
            tables.append(
                Table(f"Mount of {number} object(s), {cloud.name} answers in {latency * 1000:.0f} ms", figures)
            )
    return [*tables, _crowd(cloud)]


def _cold(cloud: type[Backend], number: int, latency: float, at_once: int) -> list[Figure]:
    """Each mount is of a service account that nobody has mounted for yet: login and read."""
    with Rig(cloud, accounts=COLD + 1, latency=latency) as rig:
        rig.mount(rig.request(number, COLD))
        requests = [rig.request(number, account) for account in range(COLD)]
        figures = _figures(f"cold, {_how(at_once)}", rig.mount_all(requests, at_once))
        if latency and at_once == 1:
            trips = figures[0].value / 1000 / latency
            figures.append(Figure("    median, in round trips", trips, "x", cloud.promises.round_trips))
        return figures


def _warm(cloud: type[Backend], number: int, latency: float, at_once: int) -> list[Figure]:
    """What is asked for is known."""
    with Rig(cloud, latency=latency, flags=("--cache-ttl=1h",)) as rig:
        rig.mount(rig.request(number))
        requests = [rig.request(number, pod=pod) for pod in range(WARM)]
        promise = cloud.promises.warm_ms if at_once == 1 else None
        return _figures(f"warm, {_how(at_once)}", rig.mount_all(requests, at_once), promise)


def _crowd(cloud: type[Backend]) -> Table:
    figures = []
    for accounts in (1, PODS):
        with Rig(cloud, accounts=accounts + 1, latency=LATENCY) as rig:
            rig.mount(rig.request(1, accounts))
            requests = [rig.request(10, pod % accounts, pod) for pod in range(PODS)]
            last = max(rig.mount_all(requests, at_once=PODS))
            promise = cloud.promises.crowd_seconds if accounts == 1 else None
            figures += [
                Figure(f"{PODS} pods of {accounts} service account(s): the last one's Mount", last, "s", promise),
                Figure("    in round trips", last / LATENCY, "x"),
            ]
    return Table(f"{PODS} pods start together, 10 secrets, {cloud.name} answers in {LATENCY * 1000:.0f} ms", figures)


def _how(at_once: int) -> str:
    return "one after another" if at_once == 1 else f"{at_once} at once"


def _figures(what: str, seconds: list[float], promise: float | None = None) -> list[Figure]:
    return [
        Figure(f"{what}: median", median(seconds) * 1000, "ms", promise),
        Figure(f"{what}: 99th percentile", quantiles(seconds, n=100)[98] * 1000, "ms"),
    ]
