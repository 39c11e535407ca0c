"""Where providers listen: `<folder>/<provider>.sock`, and which folders and sockets are not to be trusted."""

import contextlib
import errno
import os
import re
import socket
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc

from sscsi_driver.errors import ErrorType, PublishError
from sscsi_shared.daemon.socket import MAX_PATH_BYTES
from sscsi_shared.deadline import Deadline

PROVIDER_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{0,30}")
"""What the existing driver allows as `spec.provider`."""
_MAX_NAMED_SOCKETS: Final = 10
DIAL_SECONDS: Final = 1.0
"""How long a provider may take to accept a connection on its socket; the kernel does it for it."""
_BUSY_PAUSE_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class ProviderSocket:
    """A socket file, and what tells it from another one at the same path.

    Attributes:
        path: where it is.
        identity: device, inode and change time; an inode alone is used again at once by some file systems.
    """

    path: Path
    identity: tuple[int, int, int]


def find(provider: str, folders: Sequence[Path]) -> ProviderSocket:
    """The first `<folder>/<provider>.sock` of a trustworthy folder.

    Raises:
        PublishError: the name is illegal, or there is none; the text lists the folders and the sockets in them.
    """
    if not PROVIDER_NAME.fullmatch(provider):
        raise PublishError(
            f"error connecting to provider {_quoted(provider)}: invalid provider: provider {_quoted(provider)}. "
            "A provider's name has at most 30 letters, digits, `_` and `-`; correct spec.provider of the class.",
            code=grpc.StatusCode.UNKNOWN,
            error_type=ErrorType.PROVIDER_NOT_FOUND,
        )
    remarks = []
    for folder in folders:
        found = _look(folder, f"{provider}.sock")
        if isinstance(found, ProviderSocket):
            return found
        remarks.append(f"{folder} ({found})")
    raise PublishError(
        f"error connecting to provider {_quoted(provider)}: provider not found: provider {_quoted(provider)}. "
        f"Searched: {'; '.join(remarks) or 'no folder'}. Install that provider on this node, or correct spec.provider "
        "of the class.",
        code=grpc.StatusCode.UNKNOWN,
        error_type=ErrorType.PROVIDER_NOT_FOUND,
    )


def reach(provider: str, folders: Sequence[Path], *, lost: bool = False) -> ProviderSocket:
    """The first socket on which somebody listens: a provider that moved may have left a dead one in a folder before.

    Args:
        provider: its name.
        folders: in the order in which they are searched.
        lost: see `dial`.

    Raises:
        PublishError: see `find`, and of the first one `dial`.
    """
    refused: PublishError | None = None
    found = find(provider, folders)
    for folder in folders:
        one = _look(folder, found.path.name)
        if isinstance(one, ProviderSocket):
            try:
                dial(provider, one, lost=lost)
            except PublishError as error:
                refused = refused or error
            else:
                return one
    if refused is None:  # it has vanished since
        dial(provider, found, lost=lost)
        return found
    raise refused


def dial(provider: str, found: ProviderSocket, *, lost: bool = False) -> None:
    """See whether anybody listens, at once: gRPC itself would go on trying until the deadline.

    Args:
        provider: its name.
        found: its socket.
        lost: whether a call on it was just lost, which the text then says.

    Raises:
        PublishError: nobody does; the text names the socket.
    """
    before = " after the provider was lost in the middle of the mount" if lost else ""
    try:
        _connect(found.path, Deadline.after(DIAL_SECONDS))
    except OSError as error:
        problem = _dial_problem(error, found.path)
        raise PublishError(
            f"error connecting to provider {_quoted(provider)}: {problem} on {found.path}{before}. "
            "See whether its pod on this node runs; the mount is tried again.",
            code=grpc.StatusCode.UNAVAILABLE,
            error_type=ErrorType.PROVIDER_UNREACHABLE,
        ) from error


def _connect(path: Path, deadline: Deadline) -> None:
    while True:
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection:
            connection.settimeout(DIAL_SECONDS)
            try:
                connection.connect(str(path))
            except BlockingIOError:  # the queue of connections is full: somebody listens, but is slow
                if deadline.expired:
                    raise
            else:
                return
        time.sleep(_BUSY_PAUSE_SECONDS)


def _dial_problem(error: OSError, path: Path) -> str:
    if len(bytes(path)) > MAX_PATH_BYTES:
        return f"the path is longer than the {MAX_PATH_BYTES} bytes that a socket may have,"
    if error.errno == errno.ECONNREFUSED:
        return "connection refused: nobody listens"
    if error.errno == errno.ENOENT:
        return "the socket has vanished: nobody listens"
    if isinstance(error, TimeoutError | BlockingIOError):
        return f"no connection was accepted within {DIAL_SECONDS:g} s"
    return error.strerror or type(error).__name__


def _look(folder: Path, name: str) -> ProviderSocket | str:
    """The socket, or why there is none."""
    try:
        mode = folder.stat().st_mode
    except OSError as error:
        return "no such folder" if error.errno == errno.ENOENT else f"not readable: {error.strerror}"
    if not stat.S_ISDIR(mode):
        return "not a folder"
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        return f"refused: everybody may write it and replace sockets; chmod 1770 it, now {stat.S_IMODE(mode):04o}"
    path = folder / name
    try:
        path.lstat()
    except OSError:
        return _present(folder)
    try:
        real = path.resolve(strict=True)
        status = real.stat()
    except RuntimeError:  # a link that leads back to itself; an OSError from Python 3.13 on
        return f"{name} refused: {os.strerror(errno.ELOOP)}"
    except OSError as error:
        return f"{name} refused: {error.strerror}"
    if not real.is_relative_to(folder.resolve()):
        return f"{name} refused: a link that leaves the folder"
    if not stat.S_ISSOCK(status.st_mode):
        return f"{name} refused: not a socket"
    return ProviderSocket(path, (status.st_dev, status.st_ino, status.st_ctime_ns))


def _present(folder: Path) -> str:
    try:
        names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sock"))
    except OSError as error:
        return f"not readable: {error.strerror}"
    if not names:
        return "no sockets in it"
    text = f"sockets: {', '.join(names[:_MAX_NAMED_SOCKETS])}"
    return text + (f" and {len(names) - _MAX_NAMED_SOCKETS} more" if len(names) > _MAX_NAMED_SOCKETS else "")


def _quoted(name: str) -> str:
    """The name in double quotes, as the existing driver writes it; cut, on one line."""
    plain = "".join(character if character.isprintable() else "?" for character in name[:64])
    return f'"{plain}"'
