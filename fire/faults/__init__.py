"""Faults of the backends: each at the login and at the reads of each cloud, against the real daemons."""

import functools
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from fire.case import Case, Part, Shown
from fire.faults.kinds import KINDS, Kind
from fire.faults.site import site
from fire.faults.trial import Result, Trial, together
from fire.plan import Plan, Size

CLOUDS: Final = ("aws", "gcp", "vault", "azure")
_PATIENCE: Final = 15.0
_SLOW_PATIENCE: Final = 40.0
_SHORT_SLOW_PATIENCE: Final = 9.0
_locks: Final[dict[str, threading.Lock]] = defaultdict(threading.Lock)
"""One fault at a time for each cloud."""


def chosen(plan: Plan, kind: Kind) -> Sequence[tuple[str, str]]:
    """Cloud and leg of each trial: all of them, or in a short run one, so that the clouds take turns."""
    if plan.size is not Size.SHORT:
        return [(cloud, leg) for cloud in CLOUDS for leg in kind.legs]
    names = [one.name for one in KINDS]
    plan.dice("turns").shuffle(names)
    leg = plan.dice(f"leg of {kind.name}").choice(kind.legs)
    return [(CLOUDS[names.index(kind.name) % len(CLOUDS)], leg)]


def _tried(kind: Kind, plan: Plan) -> Shown:
    patience = _PATIENCE
    if kind.slow:
        patience = plan.count(int(_SHORT_SLOW_PATIENCE), int(_SLOW_PATIENCE))
    places = site().places

    def of_cloud(cloud: str, legs: Sequence[str]) -> dict[str, Result]:
        with _locks[cloud]:
            return {
                leg: Trial(places[cloud], kind, leg, patience, f"canary-{plan.seed}-{kind.name}-{cloud}-{leg}").run()
                for leg in legs
            }

    legs: dict[str, list[str]] = defaultdict(list)
    for cloud, leg in chosen(plan, kind):
        legs[cloud].append(leg)
    calls: dict[str, Callable[[], dict[str, Result]]] = {
        cloud: functools.partial(of_cloud, cloud, those) for cloud, those in legs.items()
    }
    found = together(calls)
    of_all = [result for results in found.values() for result in results.values()]
    return Shown(
        "; ".join(sorted({reason for result in of_all for reason in result.reasons})) + f"; {_after(of_all)}",
        sum(result.mounts for result in of_all),
        "mounts",
        max(result.recovery for result in of_all),
        {f"{kind.name}, {cloud}": _row(found[cloud]) for cloud in legs},
    )


def _row(results: Mapping[str, Result]) -> Shown:
    told = (
        f"{leg}: {' or '.join(sorted(one.reasons))}, the text after {one.text:.1f} s, {one.calls} calls of the backend"
        for leg, one in results.items()
    )
    of_all = list(results.values())
    return Shown("; ".join(told), sum(one.mounts for one in of_all), "mounts", max(one.recovery for one in of_all))


def _after(results: Sequence[Result]) -> str:
    return f"the text after {max(one.text for one in results):.1f} s at most"


PART: Final = Part(
    "faults",
    "Backends that fail",
    "Each fault is done to the login and to the reads of each provider, with names, TLS and real sockets. A mount "
    "ends before its caller's deadline (also of 4 s) by the status of its reason, with a text that says what to "
    "check and no secret; once a backend throttles one identity, or two find it silent, no other asks; a volume "
    "keeps its files as they are; at most 10 s after the fault pods mount, and the volume is renewed.",
    tuple(Case(kind.name, kind.what, functools.partial(_tried, kind)) for kind in KINDS),
    at_once=4,
)
