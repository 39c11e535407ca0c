"""The content of files that a provider wrote into the volume itself: read without leaving the volume."""

import contextlib
import os
import stat
from collections.abc import Iterable
from typing import Final

from sscsi_shared.publish import DATA
from sscsi_shared.secret import SecretBytes

MAX_BYTES: Final = 4 << 20
"""Of one file; a Secret holds 1 MiB at most."""
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def read_mounted(root: int, paths: Iterable[str]) -> dict[str, SecretBytes]:
    """Read files of a volume; those that are not there, are no regular files or are too large are left out.

    No link is followed but that of the atomic writer's layout (publish.py): the provider that wrote the volume shall
    not have us read another place of the node.

    Args:
        root: the volume's opened root.
        paths: relative; one that is not is left out.
    """
    found: dict[str, SecretBytes] = {}
    for path in paths:
        parts = path.split("/")
        if any(part in {"", ".", ".."} for part in parts):
            continue
        with contextlib.suppress(OSError), contextlib.ExitStack() as below:
            contents = _read(root, parts, below)
            if contents is not None:
                found[path] = SecretBytes(contents)
    return found


def _read(root: int, parts: list[str], stack: contextlib.ExitStack) -> bytes | None:
    directory = root
    if _link(parts[0], root) == f"{DATA}/{parts[0]}":
        version = _link(DATA, root)
        if version is None or "/" in version or version in {".", ".."}:
            return None
        directory = _open(version, stack, root)
    for part in parts[:-1]:
        directory = _open(part, stack, directory)
    descriptor = os.open(parts[-1], _FILE, dir_fd=directory)
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
            return None
        return stream.read(MAX_BYTES)


def _open(name: str, stack: contextlib.ExitStack, dir_fd: int) -> int:
    descriptor = os.open(name, _DIRECTORY, dir_fd=dir_fd)
    stack.callback(os.close, descriptor)
    return descriptor


def _link(name: str, dir_fd: int) -> str | None:
    try:
        return os.readlink(name, dir_fd=dir_fd)
    except OSError:
        return None
