"""Shared back-off: a backend that throttles or fails is left alone, by the next pod too."""

import random
import threading
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from sscsi_shared.deadline import Clock
from sscsi_shared.errors import BackendThrottled, BackendUnavailable, ObjectError, OutOfTime

LaneT = TypeVar("LaneT", bound=Hashable)

MAX_SECONDS: Final = 30.0
"""Of a lane that throttles."""
MAX_SILENT_SECONDS: Final = 6.0
"""Of a lane that is silent: with the jitter 9 s, so that everybody is back 10 s after the backend."""
MAX_ASKED_SECONDS: Final = 120.0
"""The most that a backend's own Retry-After is obeyed."""
_FORGET_SECONDS: Final = 600.0
_MAX_DOUBLINGS: Final = 16
_HINT: Final = "It is asked again shortly, and the mount is tried again by itself."


@dataclass(slots=True)
class _Lane:
    throttled: bool
    failures: int
    closed_until: float
    whose: frozenset[Hashable]
    """Who found it silent; two are enough to know."""

    def holds_back(self, who: Hashable) -> bool:
        return self.throttled or len(self.whose) > 1 or who in self.whose


class BackOff(Generic[LaneT]):
    """Lanes to backends, each open or closed for a while.

    A lane closes when the backend throttles, or when nothing that was asked got an answer; for twice as long each time,
    with jitter, or for as long as the backend says. When that time is over one caller goes first; the others follow
    when it got through. Silence that only one identity has met closes the lane for that one alone: it may be about what
    it asks for, and nobody shall stop others by asking for something broken.

    Args:
        first: seconds that a lane closes for at first; 0 = never.
        clock: seconds that only grow.
        jitter: a number from 0 to 1.
    """

    def __init__(self, *, first: float, clock: Clock, jitter: Callable[[], float] = random.random) -> None:
        self._first = first
        self._clock = clock
        self._jitter = jitter
        self._lock = threading.Lock()
        self._lanes: dict[LaneT, _Lane] = {}

    def enter(self, lane: LaneT, who: Hashable, where: str) -> ObjectError | None:
        """May the backend be asked?

        Args:
            lane: whom we would ask.
            who: on whose behalf.
            where: the same in a person's words.

        Returns:
            None if so; else what to answer instead. Its text speaks of the backend alone: what others asked for is
            theirs.
        """
        with self._lock:
            closed = self._lanes.get(lane)
            if closed is None or not closed.holds_back(who):
                return None
            now = self._clock()
            if now >= closed.closed_until:
                closed.closed_until = now + self._first  # the others wait for how it goes
                return None
            left = closed.closed_until - now
            if closed.throttled:
                return BackendThrottled(
                    f"{where}: not asked, because it throttles this node's requests.", hint=_HINT, retry_after=left
                )
            return BackendUnavailable(
                f"{where}: not asked, because earlier requests got no answer.", hint=_HINT, retry_after=left
            )

    def note(self, lane: LaneT, who: Hashable, outcomes: Iterable[object]) -> None:
        """Learn from what was asked.

        Args:
            lane: whom.
            who: on whose behalf.
            outcomes: of one call or of several at once; OutOfTime says nothing of the backend.
        """
        kinds = [one for one in outcomes if not isinstance(one, OutOfTime)]
        throttled = [one for one in kinds if isinstance(one, BackendThrottled)]
        silent = [one for one in kinds if isinstance(one, BackendUnavailable)]
        if throttled:
            self._close(lane, who, throttled[0])
        elif silent and len(silent) == len(kinds):
            self._close(lane, who, silent[0])
        elif any(not isinstance(one, ObjectError) or not one.transient for one in kinds):
            with self._lock:
                self._lanes.pop(lane, None)

    def sweep(self) -> bool:
        """Forget lanes that nobody has used for long; whether any is left."""
        with self._lock:
            now = self._clock()
            self._lanes = {
                lane: state for lane, state in self._lanes.items() if now - state.closed_until < _FORGET_SECONDS
            }
            return bool(self._lanes)

    def _close(self, lane: LaneT, who: Hashable, error: BackendThrottled | BackendUnavailable) -> None:
        if not self._first:
            return
        with self._lock:
            before = self._lanes.get(lane)
            failures = min((before.failures if before else 0) + 1, _MAX_DOUBLINGS)
            most = MAX_SECONDS if isinstance(error, BackendThrottled) else MAX_SILENT_SECONDS
            seconds = min(self._first * 2 ** (failures - 1), most) * (0.5 + self._jitter())
            if error.retry_after is not None:
                seconds = max(seconds, min(error.retry_after, MAX_ASKED_SECONDS))
            whose = (before.whose if before else frozenset()) | {who}
            if before is not None and len(before.whose) > 1:
                whose = before.whose
            throttled = isinstance(error, BackendThrottled)
            self._lanes[lane] = _Lane(throttled, failures, self._clock() + seconds, whose)
