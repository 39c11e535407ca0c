"""What was read, kept for a while: bounded in bytes and in time."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from sscsi_shared.deadline import Clock
from sscsi_shared.economy.access import Access
from sscsi_shared.errors import AccessDenied, MountError, ObjectNotFound, fresh
from sscsi_shared.mount import Read

ItemT = TypeVar("ItemT", bound=Hashable)

REFUSED_SECONDS: Final = 5.0
"""How long a refusal is remembered, and an object's absence."""
_OVERHEAD_BYTES: Final = 512
"""Of an entry, and of each of its items, beside content and name: keys, counters, the objects around them (measured,
rounded up)."""
_FORGET_SECONDS: Final = 600.0
"""How long a dropped identity is remembered; no mount takes longer."""


@dataclass(frozen=True, slots=True)
class _Entry:
    outcome: Read | MountError
    until: float
    size: int


class Values(Generic[ItemT]):
    """Outcomes by access and item; the least recently used ones go first.

    Args:
        ttl: seconds that a read is kept; 0 = nothing is kept, refusals neither.
        pinned_ttl: seconds for a read that can't change.
        max_bytes: of all contents, with what surrounds them.
        clock: seconds that only grow.
    """

    def __init__(self, *, ttl: float, pinned_ttl: float, max_bytes: int, clock: Clock) -> None:
        self._ttl = ttl
        self._pinned_ttl = pinned_ttl
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[tuple[Access, ItemT], _Entry] = OrderedDict()
        self._dropped: dict[Hashable, float] = {}
        self._bytes = 0

    @property
    def size(self) -> int:
        """Bytes that are held."""
        return self._bytes

    def get(self, access: Access, item: ItemT) -> Read | MountError | None:
        """What is known of the item now."""
        key = access, item
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            if entry.until <= self._clock():
                self._remove(key)
                return None
            self._entries.move_to_end(key)
            return entry.outcome

    def put(self, access: Access, item: ItemT, outcome: Read | MountError, began: float) -> None:
        """Keep an outcome, if it is of a kind to be kept.

        A refusal takes the place of what was known before. The time to live counts from `began`, so that a change in
        the backend is seen at the latest one time to live after it.

        Args:
            access: on whose behalf, and where.
            item: what.
            outcome: of it.
            began: when the backend was asked, on `clock`.
        """
        key = access, item
        with self._lock:
            self._remove(key)
            entry = self._entry(item, outcome, began)
            if entry is None or entry.until <= self._clock() or entry.size > self._max_bytes:
                return
            if self._dropped.get(access.who, float("-inf")) >= began:
                return
            self._entries[key] = entry
            self._bytes += entry.size
            while self._bytes > self._max_bytes:
                self._remove(next(iter(self._entries)))

    def drop(self, who: Hashable) -> None:
        """Forget all that an identity has read, anywhere; what is on its way to it will not be kept either."""
        with self._lock:
            self._dropped[who] = self._clock()
            for key in [key for key in self._entries if key[0].who == who]:
                self._remove(key)

    def sweep(self) -> bool:
        """Forget what has ended; whether anything is left."""
        with self._lock:
            now = self._clock()
            for key in [key for key, entry in self._entries.items() if entry.until <= now]:
                self._remove(key)
            self._dropped = {who: at for who, at in self._dropped.items() if now - at < _FORGET_SECONDS}
            return bool(self._entries or self._dropped)

    def _entry(self, item: ItemT, outcome: Read | MountError, began: float) -> _Entry | None:
        if not self._ttl:
            return None
        size = _OVERHEAD_BYTES + len(repr(item))
        if isinstance(outcome, Read):
            ttl = self._pinned_ttl if outcome.pinned else self._ttl
            return _Entry(
                outcome, began + ttl, size + sum(_OVERHEAD_BYTES + len(one.contents) for one in outcome.items)
            )
        if isinstance(outcome, AccessDenied | ObjectNotFound):
            return _Entry(fresh(outcome), self._clock() + REFUSED_SECONDS, size + len(str(outcome)))
        return None

    def _remove(self, key: tuple[Access, ItemT]) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= entry.size
