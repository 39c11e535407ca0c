"""Where a volume stands: reached from kubelet's folder of pods without following a link, and held meanwhile.

A path is looked up anew with each call, and a link or a swapped folder in it would lead mounts, removals and secrets to
another place of the node. So the folder above a target is opened element by element, and all else is relative to it.
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sscsi_driver.mountinfo import pod_volume

FOLDER_MODE: Final = 0o750
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PODS: Final = 4
"""Which parent of a pod's volume is kubelet's folder of pods; links are followed as far as there, and no further."""


@contextlib.contextmanager
def held(target: Path, *, make: bool = False) -> Iterator[Path]:
    """The target as a path that stays the same place, whatever is renamed above it; its last element may be anything.

    Args:
        target: absolute and clean.
        make: whether to make folders that are missing above it.

    Raises:
        FileNotFoundError: a folder above it is missing.
        NotADirectoryError: an element above it is a link or a file.
    """
    with contextlib.ExitStack() as stack:
        yield Path(f"/proc/self/fd/{_above(target, stack, make=make)}") / target.name


@contextlib.contextmanager
def root_of(target: Path) -> Iterator[int]:
    """The opened root of the file system that is mounted on the target.

    Raises:
        OSError: it can't be opened without following a link, or nothing is mounted there.
    """
    with contextlib.ExitStack() as stack:
        above = _above(target, stack, make=False)
        root = _opened(target.name, above, stack)
        if os.fstat(root).st_dev == os.fstat(above).st_dev:
            raise FileNotFoundError(errno.ENOENT, "nothing is mounted any more", str(target))
        yield root


def real(here: Path) -> Path:
    """The path, free of links, of what `held` gave."""
    return Path(os.readlink(here.parent)) / here.name  # noqa: PTH115  # a descriptor's


def _above(target: Path, stack: contextlib.ExitStack, *, make: bool) -> int:
    """The opened folder above the target."""
    base = target.parents[_PODS] if pod_volume(str(target)) else target.parent
    if make:
        base.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    here = os.open(base, _DIRECTORY & ~os.O_NOFOLLOW)
    stack.callback(os.close, here)
    for element in target.parent.relative_to(base).parts:
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(element, FOLDER_MODE, dir_fd=here)
        here = _opened(element, here, stack)
    return here


def _opened(name: str, above: int, stack: contextlib.ExitStack) -> int:
    try:
        descriptor = os.open(name, _DIRECTORY, dir_fd=above)
    except OSError as error:
        if error.errno == errno.ELOOP:
            error = NotADirectoryError(errno.ENOTDIR, "a part of the path is a link", name)
        elif error.errno == errno.ENOTDIR:
            error = NotADirectoryError(errno.ENOTDIR, "a part of the path is a link or a file", name)
        raise error from None
    stack.callback(os.close, descriptor)
    return descriptor
