"""A mount namespace of our own, so that a demo needs no rights on the host and leaves nothing there.

Must run before any thread is started, so before grpc is imported: the kernel gives no user namespace to a process with
several threads. See user_namespaces(7) and mount_namespaces(7).
"""

import ctypes
import os
import tempfile
from enum import Enum
from typing import Final

_CLONE_NEWNS: Final = 0x00020000
_CLONE_NEWUSER: Final = 0x10000000
_MS_REC: Final = 0x4000
_MS_PRIVATE: Final = 1 << 18
_MNT_DETACH: Final = 2


class Means(Enum):
    """How mounting is possible."""

    ROOT = "as root, in a mount namespace of its own"
    USER_NAMESPACE = "as a normal user, in a user and mount namespace of its own"
    NONE = "not at all"


def enter() -> Means:
    """Move this process to where it can mount a tmpfs that nobody else sees; proved by mounting one.

    Each way is tried in a child first, since a half-way step could not be taken back.
    """
    ways = (Means.ROOT, Means.USER_NAMESPACE) if os.geteuid() == 0 else (Means.USER_NAMESPACE,)
    for means in ways:
        if _works(means):
            _move(means)
            return means
    return Means.NONE


def _works(means: Means) -> bool:
    child = os.fork()
    if child == 0:
        try:
            _move(means)
            _probe()
        except OSError:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


def _move(means: Means) -> None:
    uid, gid = os.geteuid(), os.getegid()
    flags = _CLONE_NEWNS | (_CLONE_NEWUSER if means is Means.USER_NAMESPACE else 0)
    _call("unshare", ctypes.c_int(flags))
    if means is Means.USER_NAMESPACE:
        for name, line in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123  # one write, as these files want it
                file.write(line)
    _call("mount", b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None)


def _probe() -> None:
    with tempfile.TemporaryDirectory() as folder:
        where = os.fsencode(folder)
        _call("mount", b"tmpfs", where, b"tmpfs", ctypes.c_ulong(0), b"size=4096")
        _call("umount2", where, ctypes.c_int(_MNT_DETACH))


def _call(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
