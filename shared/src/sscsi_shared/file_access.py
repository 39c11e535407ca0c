"""Who may read a volume's files besides their owner: the group that a pod names as its fsGroup.

Kubelet hands the fsGroup to a driver with the capability VOLUME_MOUNT_GROUP (CSI 1.5) and then changes nothing itself.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_MODE: Final = 0o755
_STRICT_MODE: Final = 0o2750


@dataclass(frozen=True, slots=True)
class FileAccess:
    """What group a volume's files and directories get, and which modes.

    Attributes:
        group: the gid of all; None = they are left to the process's own group, with the modes that were asked for.
        strict: whether directories keep everybody else out: 2750 instead of 0755; only with a group.
    """

    group: int | None = None
    strict: bool = False

    @property
    def directory_mode(self) -> int:
        """Mode bits of each directory."""
        return _STRICT_MODE if self.strict and self.group is not None else _OPEN_MODE

    def file_mode(self, mode: int) -> int:
        """The mode bits of a file that asked for `mode`: its group may read where its owner may."""
        return mode if self.group is None else mode | (mode & stat.S_IRUSR) >> 3

    def fits(self, status: os.stat_result, mode: int) -> bool:
        """Whether group and mode bits are those."""
        return stat.S_IMODE(status.st_mode) == mode and self.group in (None, status.st_gid)

    def give(self, descriptor: int, mode: int) -> None:
        """Set group and mode bits of an opened file or directory.

        Raises:
            OSError: the right to do so is missing.
        """
        if self.group is not None:
            os.fchown(descriptor, -1, self.group)  # before fchmod: it may clear setgid
        os.fchmod(descriptor, mode)


def give_all(root: int, access: FileAccess) -> None:
    """Give a volume that a provider wrote itself to its group.

    What is right already is left alone, and no link is followed.

    Args:
        root: the volume's opened root.
        access: the group; without one nothing is done.

    Raises:
        OSError: something could not be changed.
    """
    if access.group is not None:
        _give_below(root, access)


def _give_below(directory: int, access: FileAccess) -> None:
    status = os.fstat(directory)
    if not access.fits(status, access.directory_mode):
        access.give(directory, access.directory_mode)
    for name in os.listdir(directory):  # a descriptor, no path
        status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            with _opened(name, directory) as below:
                _give_below(below, access)
        elif stat.S_ISREG(status.st_mode):
            mode = access.file_mode(stat.S_IMODE(status.st_mode))
            if not access.fits(status, mode):
                _give_file(name, directory, access, mode)


def _give_file(name: str, directory: int, access: FileAccess, mode: int) -> None:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=directory)
    try:
        access.give(descriptor, mode)
    finally:
        os.close(descriptor)


@contextmanager
def _opened(name: str, above: int) -> Iterator[int]:
    descriptor = os.open(name, _DIRECTORY, dir_fd=above)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
