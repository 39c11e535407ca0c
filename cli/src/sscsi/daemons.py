"""Daemons as child processes: started, waited for, killed, and their logs kept."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_START_SECONDS: Final = 20.0
_STOP_SECONDS: Final = 25.0
_KEPT_VARIABLES: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")


class Daemon:
    """One daemon.

    Args:
        module: run as `python -m module`.
        arguments: its flags.
        socket: what it serves on; start() waits for somebody to answer there.
        log: file that takes its output.
        environ: variables beside the few that a process needs.
    """

    def __init__(
        self, module: str, arguments: Sequence[str], socket: Path, log: Path, environ: Mapping[str, str] | None = None
    ) -> None:
        self.module: Final = module
        self.socket: Final = socket
        self.log: Final = log
        self.arguments: Final = tuple(arguments)
        self._command = [sys.executable, "-m", module, *arguments]
        self._environ = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ} | dict(environ or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the running process."""
        if self._process is None:
            raise RuntimeError(f"{self.module} was not started")
        return self._process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it serves.

        Raises:
            RuntimeError: it does not; the text has the end of its log.
        """
        from sscsi_shared.daemon.socket import is_live

        self.launch()
        ends = time.monotonic() + _START_SECONDS
        while not is_live(self.socket):
            if not self._lives() or time.monotonic() > ends:
                self.kill()
                raise RuntimeError(f"{self.module} did not start:\n{self.tail()}")
            time.sleep(0.02)

    def launch(self) -> None:
        """Start it, and don't wait."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                self._command, env=self._environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def stop(self) -> None:
        """SIGTERM, and wait; SIGKILL if that does not help."""
        if self._process is not None and self._lives():
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _lives(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def tail(self, lines: int = 12) -> str:
        """The last lines of its log."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
        return ""
