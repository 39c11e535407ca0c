"""Host names of this process and its children alone: /etc/hosts and /etc/resolv.conf of our own mount namespace."""

import ctypes
import os
import tempfile
import threading
from pathlib import Path
from typing import Final

from fire.case import NotRun

_MS_BIND: Final = 4096


class Hosts:
    """Names that lead to 127.0.0.1, and others that nobody resolves; as long as the process lives.

    Raises:
        NotRun: the process has no mount namespace of its own.
    """

    def __init__(self) -> None:
        if os.readlink("/proc/self/ns/mnt") == os.readlink(f"/proc/{os.getppid()}/ns/mnt"):  # see sscsi.namespace
            raise NotRun("no mount namespace of its own, so names can't be made")
        self._lock = threading.Lock()
        self._names: set[str] = set()
        self._before = Path("/etc/hosts").read_text(encoding="utf-8")
        folder = Path(tempfile.mkdtemp(prefix="hosts-", dir="/tmp"))
        self._file = folder / "hosts"
        self._write()
        resolver = folder / "resolv.conf"
        resolver.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n", encoding="utf-8")
        for path, over in ((self._file, "/etc/hosts"), (resolver, "/etc/resolv.conf")):
            _bind(path, over)
        for path in (self._file, resolver):  # a mount holds what it shows
            folder.chmod(0o755)
            path.chmod(0o644)

    def add(self, *names: str) -> None:
        """Let names lead here."""
        with self._lock:
            self._names.update(names)
            self._write()

    def remove(self, *names: str) -> None:
        """Let nobody resolve them: the only name server is a port on loopback where nobody listens."""
        with self._lock:
            self._names.difference_update(names)
            self._write()

    def _write(self) -> None:
        lines = [self._before, *(f"127.0.0.1 {name}" for name in sorted(self._names)), ""]
        self._file.write_text("\n".join(lines), encoding="utf-8")


def _bind(path: Path, over: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(os.fsencode(path), over.encode(), None, ctypes.c_ulong(_MS_BIND), None) != 0:
        raise NotRun(f"{over} can't be replaced: {os.strerror(ctypes.get_errno())}")
