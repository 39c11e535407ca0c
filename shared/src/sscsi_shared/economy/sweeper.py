"""A timer: what has ended is dropped though nobody asks for it any more."""

import logging
import threading
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)

SECONDS: Final = 1.0


class Sweeper:
    """Calls `sweep` once a second for as long as that says that something is left; sleeps without a thread else.

    Args:
        sweep: drops what has ended; whether anything is left.
    """

    def __init__(self, sweep: Callable[[], bool]) -> None:
        self._sweep = sweep
        self._lock = threading.Lock()
        self._wanted = False
        self._runs = False

    def wake(self) -> None:
        """There is something to look after."""
        with self._lock:
            self._wanted = True
            if self._runs:
                return
            self._runs = True
        threading.Thread(target=self._run, name="sweeper", daemon=True).start()

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(SECONDS)
            with self._lock:
                self._wanted = False
            left = self._swept()
            with self._lock:
                if not left and not self._wanted:
                    self._runs = False
                    return

    def _swept(self) -> bool:
        try:
            return self._sweep()
        except Exception as error:  # noqa: BLE001  # secrets must go on being dropped
            log.error("a sweep failed: %s", type(error).__name__)  # noqa: TRY400
            return True
