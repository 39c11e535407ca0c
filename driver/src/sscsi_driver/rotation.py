"""The driver's own timer: filled volumes are asked for again though kubelet may not call."""

import contextlib
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from sscsi_driver.refreshing import Refresher
from sscsi_shared.cancellation import Cancellation
from sscsi_shared.deadline import Deadline

log = logging.getLogger(__name__)

_TICK_SECONDS: Final = 1.0
_WORKERS: Final = 32
"""The schedule lets each provider have a quarter of them: a few that hang hold up no other."""
_CALL_SECONDS: Final = 100.0


class Rotation:
    """Looks every second at which volumes are due, and fetches them in a pool.

    Args:
        refresher: knows what is due, and does the work.
        tick_seconds: how often to look.
    """

    def __init__(self, refresher: Refresher, tick_seconds: float = _TICK_SECONDS) -> None:
        self._refresher = refresher
        self._tick_seconds = tick_seconds
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._running: dict[Path, Cancellation] = {}
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="rotation")
        self._timer = threading.Thread(target=self._run, name="rotation-timer", daemon=True)

    def start(self, stopping: threading.Event | None = None) -> None:
        """Begin to look, until `stopping` says so or `stop` is called."""
        if stopping is not None:
            self._stopping = stopping
        self._timer.start()

    def stop(self) -> None:
        """Stop looking, and cancel what is in progress; files stay as they are."""
        self._stopping.set()
        self._cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)
        if self._timer.is_alive():
            self._timer.join()

    def look(self) -> int:
        """Begin to fetch every volume that is due and not being fetched; how many."""
        begun = 0
        for target in self._refresher.due():
            with self._lock:
                if target in self._running or self._stopping.is_set():
                    continue
                cancellation = self._running[target] = Cancellation()
            self._pool.submit(self._rotate, target, cancellation)
            begun += 1
        return begun

    def _run(self) -> None:
        while not self._stopping.wait(self._tick_seconds):
            try:
                self.look()
            except Exception:
                log.exception("looking for volumes to rotate failed")
        self._cancel()

    def _cancel(self) -> None:
        with self._lock:
            running = list(self._running.values())
        for cancellation in running:
            cancellation.cancel("the driver stops")

    def _rotate(self, target: Path, cancellation: Cancellation) -> None:
        try:
            self._refresher.refresh(target, Deadline.after(_CALL_SECONDS), cancellation)
        except Exception:
            log.exception("rotating the volume %s failed", target)
        finally:
            with self._lock:
                self._running.pop(target, None)
            with contextlib.suppress(RuntimeError):  # the pool has been shut down meanwhile
                self.look()  # the next one takes the place at once, not with the next tick
