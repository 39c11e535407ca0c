"""Points in time. Nothing in this project waits for a bare number of seconds: it waits until a Deadline."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TypeAlias

from sscsi_shared.cancellation import Cancellation

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
        cancellation: the caller's word that it waits no longer, which ends the time at once; None = it never says it.
    """

    at: float
    clock: Clock = time.monotonic
    cancellation: Cancellation | None = None

    @classmethod
    def after(
        cls, seconds: float, clock: Clock = time.monotonic, cancellation: Cancellation | None = None
    ) -> "Deadline":
        """The deadline `seconds` from now."""
        return cls(clock() + seconds, clock, cancellation)

    def share(self, parts: int) -> "Deadline":
        """The deadline of the first of `parts` equal parts of what is left."""
        return replace(self, at=self.clock() + self.remaining() / parts)

    def within(self, seconds: float) -> "Deadline":
        """The same caller's, `seconds` from now at the latest."""
        return replace(self, at=min(self.at, self.clock() + seconds))

    def remaining(self) -> float:
        """Seconds left; 0 when there are none."""
        if self.cancellation is not None and self.cancellation.reason is not None:
            return 0.0
        return max(0.0, self.at - self.clock())

    @property
    def expired(self) -> bool:
        """Whether no time is left."""
        return self.remaining() == 0

    def telling(self, callback: Callable[[], object]) -> AbstractContextManager[None]:
        """Within, `callback` is called when the caller gives up; a wait that began before needs to be woken."""
        return nullcontext() if self.cancellation is None else self.cancellation.telling(callback)

    def at_most(self, seconds: float) -> float:
        """Seconds that one step may take: `seconds`, or what is left if that is less."""
        return min(seconds, self.remaining())
