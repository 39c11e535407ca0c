"""The memory of a daemon: small, and nobody else's to read."""

import contextlib
import logging
import resource
from ctypes import CDLL
from typing import Final

log = logging.getLogger(__name__)

_M_ARENA_MAX: Final = -8
_ARENAS: Final = 2
_PR_SET_DUMPABLE: Final = 4


def bound_arenas() -> None:
    """Keep glibc from making an arena of memory for each of our many threads; other C libraries have no such knob."""
    with contextlib.suppress(AttributeError, OSError):
        CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)


def keep_private() -> None:
    """No core file, and no look into our memory or environment by others of the same user.

    A crash would write every secret that is held to the node's disk. PR_SET_DUMPABLE (prctl(2)) also gives /proc/<pid>
    to root, so that only who may trace any process reads it. Where the kernel refuses, the log says so.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(AttributeError):
        if CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0:
            return
    log.warning("processes of the same user can read this one's memory: the kernel lets nobody forbid it here")
