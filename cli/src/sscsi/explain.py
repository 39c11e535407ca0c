"""A failed call as a person reads it: gRPC's own words say little of sockets."""

import os
import stat
from pathlib import Path
from typing import Any, Final

_GONE: Final = ("socket closed", "connection reset", "broken pipe", "goaway")
"""How gRPC's core words a connection that ended in the middle of a call."""


def explain(error: Any, socket: Path, timeout: float) -> str:
    """A status as a person reads it: code and text; what became of the socket in words, where gRPC's say little."""
    code, details = error.code().name, error.details() or ""
    if code == "UNAVAILABLE" and "connect" in details.lower() and not _gone(details):
        return f"nobody answers on {socket}: {_why_not(socket)}"
    if code == "UNAVAILABLE" and _gone(details):
        return (
            f"the daemon behind {socket} ended before it answered; its log says why. Once it is back, the same call "
            "may safely be made again."
        )
    if code == "DEADLINE_EXCEEDED" and details == "Deadline Exceeded":
        return f"no answer from {socket} within {timeout:g} s (--timeout)"
    if code == "UNIMPLEMENTED":
        return f"{socket} does not know this call ({details}): --driver takes a CSI socket, --provider a provider's"
    return f"{code}: {details}"


def _gone(details: str) -> bool:
    return any(words in details.lower() for words in _GONE)


def _why_not(socket: Path) -> str:
    try:
        if not stat.S_ISSOCK(socket.stat().st_mode):
            return "it is not a socket."
    except FileNotFoundError:
        return "there is no such file. Is the daemon running, and is this its path?"
    except OSError as error:
        return f"{error.strerror}."
    if not os.access(socket, os.W_OK):
        return "you may not open it; try as its owner, or as root."
    return "its daemon has ended and left it behind. Start it again."
