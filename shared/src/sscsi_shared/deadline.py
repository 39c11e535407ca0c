"""Points in time. Nothing in this project waits for a bare number of seconds: it waits until a Deadline."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

Clock: TypeAlias = Callable[[], float]
"""Seconds that only grow (time.monotonic), or seconds since 1970 (time.time); injected, so that tests own time."""

Instant: TypeAlias = float
"""Seconds since 1970, UTC."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment at which an answer is of no use any more, on a clock that only grows.

    Attributes:
        at: seconds on `clock`.
        clock: the clock that `at` belongs to.
    """

    at: float
    clock: Clock = time.monotonic

    @classmethod
    def after(cls, seconds: float, clock: Clock = time.monotonic) -> "Deadline":
        """The deadline `seconds` from now."""
        return cls(clock() + seconds, clock)

    def remaining(self) -> float:
        """Seconds left; 0 when there are none."""
        return max(0.0, self.at - self.clock())

    @property
    def expired(self) -> bool:
        """Whether no time is left."""
        return self.remaining() == 0

    def at_most(self, seconds: float) -> float:
        """Seconds that one step may take: `seconds`, or what is left if that is less."""
        return min(seconds, self.remaining())
