"""A unix socket's place in a folder that several daemons share.

A server is bound under a name of its own and then renamed to the one that callers know. So callers never meet a missing
socket while one process follows another, and gRPC, which unlinks by name at the end, never unlinks a successor's.
"""

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MAX_PATH_BYTES: Final = 107
"""Of sockaddr_un (Linux)."""
PROVIDERS_GROUP: Final = 65532
PROVIDERS_MODE: Final = 0o1770
_PRIVATE_UMASK: Final = 0o177


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
    """Make the providers' folder, root:65532 and mode 1770 where we are root; one that is there already is left alone.

    Raises:
        PermissionError: others may write it, and not only what is their own.
    """
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0 and made:
        os.chown(folder, 0, PROVIDERS_GROUP)
        folder.chmod(PROVIDERS_MODE)
    check_folder(folder)


def check_folder(folder: Path) -> None:
    """Refuse a folder in which anybody may replace anybody's socket.

    Raises:
        PermissionError: others may write it, and it has no sticky bit.
    """
    mode = folder.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise PermissionError(
            errno.EPERM, f"{folder} may be written by everybody: chmod 1770 (or at least +t) it", str(folder)
        )
