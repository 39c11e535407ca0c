"""How many Mounts run at once; the others wait, but not for longer than it is of use."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import Overloaded

_HINT: Final = "Many pods start at once on this node; the next try comes by itself."


class Slots:
    """Slots, and a waiting room in front of them.

    Both are bounded, because whoever waits holds a thread of the server: so a server with more threads than slots and
    places to wait always has one for Version and health.

    Args:
        slots: how many may run at once.
        waiting: how many more may wait.
    """

    def __init__(self, slots: int, waiting: int) -> None:
        self._free = slots
        self._room = waiting
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, deadline: Deadline) -> Iterator[None]:
        """Hold a slot.

        Raises:
            Overloaded: there was none in time, no place to wait, or nobody is left who waits for the answer.
        """
        self._take(deadline)
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify()

    def _take(self, deadline: Deadline) -> None:
        with self._changed:
            if self._free:
                self._free -= 1
                return
            if not self._room:
                raise Overloaded("The provider is busy, and too many mounts wait already.", hint=_HINT)
            self._room -= 1
        try:
            with deadline.telling(self._wake), self._changed:
                while not deadline.expired:
                    if self._free:
                        self._free -= 1
                        return
                    self._changed.wait(deadline.remaining())
            raise Overloaded("The provider had no free slot for this mount in time.", hint=_HINT)
        finally:
            with self._changed:
                self._room += 1
                if self._free:
                    # Whoever leaves without the slot that it was woken for wakes the next one.
                    self._changed.notify()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
