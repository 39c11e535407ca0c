"""A unix socket's place in a folder that several daemons share.

A server is bound under a name of its own and then renamed to the one that callers know. So callers never meet a missing
socket while one process follows another, and gRPC, which unlinks by name at the end, never unlinks a successor's.
"""

import contextlib
import errno
import logging
import os
import re
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

MAX_PATH_BYTES: Final = 107
"""Of sockaddr_un (Linux)."""
_PROVIDERS_GROUP: Final = 65532
_PROVIDERS_MODE: Final = 0o1770
_PRIVATE_UMASK: Final = 0o177
_OTHERS_WRITE: Final = 0o022


@dataclass(frozen=True, slots=True)
class Inode:
    """Which file a name stands for."""

    device: int
    number: int


def inode_of(path: Path) -> Inode | None:
    """The file behind a name; None if there is none."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return Inode(status.st_dev, status.st_ino)


def is_live(path: Path, timeout: float = 1.0) -> bool:
    """Whether somebody listens on the socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(timeout)
        try:
            probe.connect(str(path))
        except OSError as error:
            # A full queue is a listener's.
            return error.errno == errno.EAGAIN or isinstance(error, TimeoutError)
        return True


def private_name(path: Path, number: int) -> Path:
    """The name under which a server is bound before it takes `path`.

    Raises:
        ValueError: it is too long for a socket.
    """
    private = path.with_name(f".{path.stem}.{os.getpid()}.{number}")
    longest = max(len(os.fsencode(private)), len(os.fsencode(path)))
    if longest > MAX_PATH_BYTES:
        raise ValueError(f"{path} is too long for a unix socket: choose a folder with a shorter path")
    return private


def sweep_private(path: Path) -> None:
    """Remove the private names of those who were killed before they took `path`: sockets on which nobody listens."""
    wanted = re.compile(rf"\.{re.escape(path.stem)}\.\d+\.\d+")
    for other in path.parent.iterdir():
        if wanted.fullmatch(other.name) and other.is_socket() and not is_live(other):
            with contextlib.suppress(OSError):  # another user's, in a sticky folder
                other.unlink()


def bound_umask() -> None:
    """Let nobody else write what this process makes, whatever umask it was started with; a narrower one stays."""
    os.umask(os.umask(_OTHERS_WRITE) | _OTHERS_WRITE)


@contextlib.contextmanager
def private_umask() -> Iterator[None]:
    """Files made meanwhile are mode 0600. It is the process's umask: hold it briefly."""
    before = os.umask(_PRIVATE_UMASK)
    try:
        yield
    finally:
        os.umask(before)


def take(private: Path, path: Path) -> Inode:
    """Give the bound socket the name that callers know; what bore it before is gone.

    Raises:
        OSError: the folder does not allow it (another user's socket in a sticky folder).
    """
    private.rename(path)
    found = inode_of(path)
    if found is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    return found


def remove_own(path: Path, own: Inode) -> None:
    """Unlink the socket if it is still ours."""
    if inode_of(path) == own:
        path.unlink(missing_ok=True)


def prepare_folder(folder: Path) -> None:
    """Make the folder of sockets: root's, mode 1770 for the providers' group, who can't replace each other's sockets.

    Without the right to do so, what stands there is left as it is; the driver refuses it if it is not safe.
    Sockets on which nobody listens go: the provider that comes now may not replace what another user left behind.

    Raises:
        OSError: it does not exist and can't be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if os.geteuid() == 0:
            folder.chmod(_PROVIDERS_MODE)
            os.chown(folder, 0, _PROVIDERS_GROUP)
    except OSError as error:  # in a user namespace that has no such group, or on a read-only file system
        log.info("the folder of providers %s keeps its owner: %s", folder, error.strerror)
    for path in folder.glob("*.sock"):
        with contextlib.suppress(OSError):  # it has gone by itself, or is not ours to remove
            if _is_dead(path):
                path.unlink()
                log.info("removed %s: nobody listened", path)


def _is_dead(path: Path) -> bool:
    """Whether it is certain that nobody listens; without the right to ask it is not."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # a full queue is a listener's
        try:
            probe.connect(str(path))
        except OSError as error:
            return error.errno == errno.ECONNREFUSED and stat.S_ISSOCK(path.lstat().st_mode)
        return False
