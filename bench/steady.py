"""Where the bill comes from: volumes that kubelet publishes again once a minute, for one simulated hour."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from bench.figures import Figure, Table
from sscsi_shared.deadline import Deadline, Instant
from sscsi_shared.economy.asking import Economy
from sscsi_shared.economy.options import EconomyOptions
from sscsi_shared.mount import Place, Read
from sscsi_shared.provider import Login
from sscsi_shared.secret import SecretBytes

PODS = 50
SECRETS = 10
PERIOD = 60.0
HOUR = 3600.0
PLACE = Place("eu-central-1")


class Time:
    """A clock that the simulation turns."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        """Seconds since the hour began."""
        return self.at


class Counting:
    """A provider and its session; a fetch is one call, as a batch of ten is."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.expires_at: Instant | None = None

    def open(self, login: Login[Any, Any], place: Place, deadline: Deadline) -> "Counting":
        """A login."""
        del login, place, deadline
        self.calls["logins"] += 1
        return self

    def fetch(self, objects: Sequence[str], deadline: Deadline) -> Mapping[str, Read]:
        """A batch."""
        del deadline
        self.calls["batches"] += 1
        return {one: Read.of(SecretBytes(b"value"), "1") for one in objects}

    def close(self) -> None:
        """Nothing to give back."""


def measure() -> list[Table]:
    """Calls in an hour for several times to live, beside what the formula of docs/operations.md says."""
    figures = []
    for ttl in (0.0, 15.0, 60.0, 120.0):
        calls = _hour(ttl)
        told = HOUR / (ttl + PERIOD / PODS) if ttl else HOUR / PERIOD * PODS
        figures += [
            Figure(f"--cache-ttl={ttl:.0f}s: batches", calls["batches"]),
            Figure("    by the formula", told),
            Figure("    logins", calls["logins"]),
        ]
    pod_by_pod = PODS * (SECRETS + 1) * HOUR / PERIOD
    figures.append(Figure("login and secrets one by one for every pod, every time", pod_by_pod))
    title = f"{PODS} pods x {SECRETS} secrets, published again every {PERIOD:.0f} s at random phase: calls in an hour"
    return [Table(title, figures)]


def _hour(ttl: float) -> Counter[str]:
    clock, backend, chance = Time(), Counting(), random.Random(7)
    economy: Economy[Any, str, str, None] = Economy(
        backend,  # type: ignore[arg-type]  # it parses and plans nothing
        EconomyOptions(ttl=ttl),
        clock=clock,
        now=clock,
    )
    objects = [f"s{number}" for number in range(SECRETS)]
    phases = sorted(chance.uniform(0, PERIOD) for _ in range(PODS))
    for minute in range(int(HOUR / PERIOD)):
        for phase in phases:
            clock.at = minute * PERIOD + phase
            economy.read(Login("web", None), PLACE, objects, Deadline.after(60))
    return backend.calls
