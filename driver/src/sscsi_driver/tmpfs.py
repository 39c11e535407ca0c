"""mount(2) and umount2(2) for one small tmpfs for each volume; no fork, in a process full of gRPC's threads.

The constants are Linux's (include/uapi/linux/mount.h, fcntl.h).
"""

import ctypes
import errno
import logging
import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from sscsi_driver import mountinfo

log = logging.getLogger(__name__)

_MS_NOSUID: Final = 2
_MS_NODEV: Final = 4
_MS_NOEXEC: Final = 8
_MNT_DETACH: Final = 2
_UMOUNT_NOFOLLOW: Final = 8

_BUSY_TRIES: Final = 5
_BUSY_PAUSE_SECONDS: Final = 0.1
_STACKED_MOUNTS: Final = 64
"""How many mounts on one target are peeled off; the existing driver may have stacked some."""
_CORRUPTED: Final = frozenset({errno.ENOTCONN, errno.ESTALE, errno.EIO, errno.EACCES, errno.EHOSTDOWN})
"""What stat answers on a mount whose file system is gone (as in Kubernetes' mount-utils)."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
_libc.umount2.argtypes = (ctypes.c_char_p, ctypes.c_int)


@dataclass(frozen=True, slots=True)
class TmpfsLimits:
    """What one volume may hold: bytes, and files, directories and links together."""

    size: int
    inodes: int


@dataclass(frozen=True, slots=True)
class Share:
    """How much there is of something, and how much of it is taken."""

    total: int
    used: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What a volume takes: bytes, and files, directories and links together."""

    size: Share
    inodes: Share


class MountPoint(Enum):
    """What stands at a path."""

    ABSENT = "nothing there"
    DIRECTORY = "a directory, nothing mounted"
    MOUNTED = "a mount point"
    CORRUPTED = "a mount point whose file system can't be read"


def look(target: Path) -> MountPoint:
    """What stands at `target`, by the device number of it and of the directory above.

    Raises:
        OSError: it can't be said; NotADirectoryError: it is a file or a link.
    """
    try:
        status = target.lstat()
        if not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "The target is not a directory", str(target))
        if status.st_dev == target.parent.stat().st_dev:
            return MountPoint.DIRECTORY
        os.scandir(target).close()
    except FileNotFoundError:
        return MountPoint.ABSENT
    except OSError as error:
        if error.errno in _CORRUPTED:
            return MountPoint.CORRUPTED
        raise
    return MountPoint.MOUNTED


def usage(target: Path) -> Usage:
    """What the file system that is mounted on `target` takes (statvfs(3)).

    Raises:
        OSError: nothing is mounted there, or it can't be read.
    """
    if look(target) is not MountPoint.MOUNTED:
        raise FileNotFoundError(errno.ENOENT, "nothing is mounted", str(target))
    found = os.statvfs(target)
    return Usage(
        Share(found.f_blocks * found.f_frsize, (found.f_blocks - found.f_bfree) * found.f_frsize),
        Share(found.f_files, found.f_files - found.f_ffree),
    )


def mount(target: Path, limits: TmpfsLimits) -> None:
    """Mount an empty tmpfs on the existing directory `target`, never through a link: noexec, nosuid, nodev, mode 0755.

    `noswap` is asked for (Linux 6.4) and left out where the kernel refuses it, as it does in user namespaces.

    Raises:
        OSError: the kernel refused.
    """
    options = f"mode=0755,size={limits.size},nr_inodes={limits.inodes}"
    descriptor = os.open(target, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    here = Path(f"/proc/self/fd/{descriptor}")  # the very directory, whatever its name means by now
    try:
        _mount(here, f"{options},noswap")
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.EPERM}:
            raise
        _mount(here, options)
    finally:
        os.close(descriptor)


def _mount(target: Path, options: str) -> None:
    flags = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
    if _libc.mount(b"tmpfs", os.fsencode(target), b"tmpfs", flags, options.encode()) != 0:
        raise _last_error(target)


def unmount(target: Path, *, pause: Callable[[float], None] = time.sleep) -> bool:
    """Take every mount off `target`; where there is none, do nothing.

    A busy one is tried again for half a second, then detached: it vanishes from the tree at once, and from memory when
    its last reader closes it.

    Returns:
        Whether anything was mounted.

    Raises:
        OSError: the kernel refused.
    """
    taken = False
    for _ in range(_STACKED_MOUNTS):
        if not _unmount_one(target, pause):
            return taken
        taken = True
    raise OSError(
        errno.EBUSY, f"more than {_STACKED_MOUNTS} file systems are mounted on top of each other", str(target)
    )


def _unmount_one(target: Path, pause: Callable[[float], None]) -> bool:
    for attempt in range(_BUSY_TRIES):
        if _libc.umount2(os.fsencode(target), _UMOUNT_NOFOLLOW) == 0:
            return True
        error = _last_error(target)
        if error.errno in {errno.EINVAL, errno.ENOENT}:  # no mount point; no such path
            return False
        if error.errno != errno.EBUSY:
            raise error
        if attempt < _BUSY_TRIES - 1:
            pause(_BUSY_PAUSE_SECONDS)
    log.warning("the volume %s is still in use; detaching it", target)
    if _libc.umount2(os.fsencode(target), _UMOUNT_NOFOLLOW | _MNT_DETACH) != 0:
        raise _last_error(target)
    return True


def mount_points_below(target: Path) -> list[str]:
    """Every mount point strictly below `target`, from /proc/self/mountinfo."""
    prefix = f"{target}/"
    table = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    return [one.point for one in mountinfo.parse(table) if one.point.startswith(prefix)]


def _last_error(target: Path) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), str(target))
