"""A mount namespace of our own, so that a demo needs no rights on the host and leaves nothing there.

Must run before any thread is started, so before grpc is imported: the kernel gives no user namespace to a process with
several threads. See user_namespaces(7) and mount_namespaces(7).
"""

import ctypes
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

_CLONE_NEWNS: Final = 0x00020000
_CLONE_NEWUSER: Final = 0x10000000
_MS_REC: Final = 0x4000
_MS_PRIVATE: Final = 1 << 18
_MNT_DETACH: Final = 2
_MAX_REASON: Final = 512


class Means(Enum):
    """How mounting is possible."""

    ROOT = "as root, in a mount namespace of its own"
    HOST = "as root, in this machine's own mount table (a namespace was refused)"
    USER_NAMESPACE = "as a normal user, in a user and mount namespace of its own"
    NONE = "not at all"


@dataclass(frozen=True, slots=True)
class Entered:
    """Where the process is now.

    Attributes:
        means: how it can mount.
        refused: what was tried before, and the kernel's answer.
    """

    means: Means
    refused: Mapping[Means, str] = field(default_factory=dict)


def enter() -> Entered:
    """Move this process to where it can mount a tmpfs, if possible one that nobody else sees; proved by mounting one.

    Each way is tried in a child first, since a half-way step could not be taken back.
    """
    root = (Means.ROOT, Means.HOST) if os.geteuid() == 0 else ()
    refused: dict[Means, str] = {}
    for means in (*root, Means.USER_NAMESPACE):
        reason = _refusal(means)
        if reason is None:
            _move(means)
            return Entered(means, refused)
        refused[means] = reason
    return Entered(Means.NONE, refused)


def _refusal(means: Means) -> str | None:
    """Try it in a child; None = it works."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:  # whatever happens, the child must not go on as a second demo
            _move(means)
            _probe()
            os._exit(0)
        except BaseException as error:  # noqa: BLE001
            os.write(writing, _why(error).encode("utf-8", "replace")[:_MAX_REASON])
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        reason = pipe.read(_MAX_REASON).decode("utf-8", "replace")
    _, status = os.waitpid(child, 0)
    return None if os.waitstatus_to_exitcode(status) == 0 else reason


def _why(error: BaseException) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else f"{type(error).__name__}: {error}"


def _move(means: Means) -> None:
    if means is Means.HOST:
        return
    uid, gid = os.geteuid(), os.getegid()
    flags = _CLONE_NEWNS | (_CLONE_NEWUSER if means is Means.USER_NAMESPACE else 0)
    _call("unshare", ctypes.c_int(flags))
    if means is Means.USER_NAMESPACE:
        for name, line in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123  # one write, as these files want it
                file.write(line)
    _call("mount", b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None)


def _probe() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        where = os.fsencode(folder)
        _call("mount", b"tmpfs", where, b"tmpfs", ctypes.c_ulong(0), b"size=4096")
        _call("umount2", where, ctypes.c_int(_MNT_DETACH))


def _call(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
