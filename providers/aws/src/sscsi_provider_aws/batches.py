"""Where BatchGetSecretValue may be asked: it takes a right of its own, and has a hundredth of the quota of reads."""

import threading
import time
from typing import Final

from sscsi_shared.deadline import Clock

LEAST: Final = 3
"""Secrets from which a batch is worth its call."""
MOST: Final = 20
"""Ids that one BatchGetSecretValue takes (AWS)."""
DENIED_SECONDS: Final = 3600.0
THROTTLED_SECONDS: Final = 600.0
_MAX_REMEMBERED: Final = 1024


class Batches:
    """Remembers for whom in which region single reads are the better way.

    Args:
        on: whether batches are used at all.
        clock: seconds that only grow.
    """

    def __init__(self, *, on: bool, clock: Clock = time.monotonic) -> None:
        self._on = on
        self._clock = clock
        self._lock = threading.Lock()
        self._off: dict[tuple[str, str], float] = {}

    def use(self, who: str, region: str) -> bool:
        """Whether to try a batch."""
        with self._lock:
            return self._on and self._off.get((who, region), 0.0) <= self._clock()

    def denied(self, who: str, region: str) -> None:
        """The role may not ask for batches, or the endpoint knows none."""
        self._turn_off(who, region, DENIED_SECONDS)

    def throttled(self, who: str, region: str) -> None:
        """The quota of batches is used up."""
        self._turn_off(who, region, THROTTLED_SECONDS)

    def _turn_off(self, who: str, region: str, seconds: float) -> None:
        with self._lock:
            now = self._clock()
            if len(self._off) >= _MAX_REMEMBERED:
                self._off = {key: until for key, until in self._off.items() if until > now}
            if len(self._off) < _MAX_REMEMBERED:
                self._off[who, region] = now + seconds
