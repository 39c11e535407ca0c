"""One word from the one who waits to the one who works: stop."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Cancellation:
    """Says once, and to everyone who asked to hear it, that the work is of no use any more."""

    __slots__ = ("_callbacks", "_lock", "_reason")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], object]] = []
        self._reason: str | None = None

    @property
    def reason(self) -> str | None:
        """Why the work is of no use; None while it is."""
        return self._reason

    def cancel(self, reason: str) -> None:
        """Say it; only the first reason counts."""
        with self._lock:
            if self._reason is not None:
                return
            self._reason = reason
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def on_cancel(self, callback: Callable[[], object]) -> None:
        """Call `callback` when it is said; at once if it was."""
        with self._lock:
            if self._reason is None:
                self._callbacks.append(callback)
                return
        callback()

    @contextmanager
    def telling(self, callback: Callable[[], object]) -> Iterator[None]:
        """Call `callback` if it is said within, or was before."""
        self.on_cancel(callback)
        try:
            yield
        finally:
            with self._lock:
                if callback in self._callbacks:
                    self._callbacks.remove(callback)
