"""Daemons as child processes: started, waited for, killed, and their logs kept."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_START_SECONDS: Final = 20.0
_STOP_SECONDS: Final = 25.0
_TIED: Final = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG; it outlives exec
if os.getppid() != int(sys.argv[1]):
    sys.exit("the parent was gone already")
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Run by an interpreter of its own, which the daemon replaces: after a fork a process with threads may run nothing."""
_KEPT_VARIABLES: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")


class Daemon:
    """One daemon.

    Args:
        module: run as `python -m module`.
        arguments: its flags.
        socket: what it serves on; start() waits for somebody to answer there.
        log: file that takes its output.
        environ: variables beside the few that a process needs.
        command: what to run instead of the module, before the flags: a container, for one.
        tied: whether the kernel kills it when we die, however we die (prctl(2), PR_SET_PDEATHSIG). The tie is to the
            thread that starts it, so that must be the main thread. Costs a start of the interpreter.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        socket: Path,
        log: Path,
        environ: Mapping[str, str] | None = None,
        *,
        command: Sequence[str] = (),
        tied: bool = False,
    ) -> None:
        self.module: Final = module
        self.socket: Final = socket
        self.log: Final = log
        self.arguments: Final = tuple(arguments)
        self.environ: Final = dict(environ or {})
        self._command = [*(command or (sys.executable, "-m", module)), *arguments]
        self._environ = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ} | dict(environ or {})
        self._tied = tied
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
        if kind is None:
            self.stop()
        else:
            self.kill()  # nobody waits for a drain when something else went wrong

    def start(self) -> None:
        """Start it, and wait until it serves.

        Raises:
            RuntimeError: it does not; the text has the end of its log.
        """
        self.launch()
        try:
            self.await_serving()
        except BaseException:  # a Ctrl-C too: `with` has not begun yet, so nobody else would end it
            self.kill()
            raise

    def await_serving(self) -> None:
        """Wait until somebody answers on the socket.

        Raises:
            RuntimeError: nobody does; the text has the end of its log.
        """
        from sscsi_shared.daemon.socket import is_live

        ends = time.monotonic() + _START_SECONDS
        while not is_live(self.socket):
            if not self._lives() or time.monotonic() > ends:
                raise RuntimeError(f"{self.module} did not start:\n{self.tail()}")
            time.sleep(0.02)

    def launch(self) -> None:
        """Start it, and don't wait. It is in a process group of its own: a Ctrl-C is for us, and we stop it.

        Raises:
            RuntimeError: it is tied, and this is not the main thread.
        """
        command = self._command
        if self._tied:
            if threading.current_thread() is not threading.main_thread():
                raise RuntimeError(f"{self.module} would die with this thread: start it from the main thread")
            command = [sys.executable, "-I", "-S", "-c", _TIED, str(os.getpid()), *command]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                command, env=self._environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0
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
