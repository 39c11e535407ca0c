"""Sockets that end with their request: a server that sends a byte now and then holds nobody beyond the deadline.

A socket's own timeout counts for each receive anew, so a class author's server could keep a thread for ever by
trickling headers or content, and the threads are everybody's.
"""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sscsi_shared.deadline import Deadline

_current: Final = threading.local()


@contextmanager
def until(deadline: Deadline, silence_seconds: float) -> Iterator[None]:
    """Within, each receive of this thread's sockets ends by the deadline, and after so long a silence.

    Within another one the stricter of both counts.

    Args:
        deadline: of the whole answer.
        silence_seconds: of one receive.
    """
    before: tuple[Deadline, float] | None = getattr(_current, "patience", None)
    if before is not None:
        deadline = min(deadline, before[0], key=Deadline.remaining)
        silence_seconds = min(silence_seconds, before[1])
    _current.patience = deadline, silence_seconds
    try:
        yield
    finally:
        _current.patience = before


def _wait(one: socket.socket) -> None:
    patience: tuple[Deadline, float] | None = getattr(_current, "patience", None)
    if patience is None:
        return
    deadline, silence_seconds = patience
    left = deadline.at_most(silence_seconds)
    if not left:
        raise TimeoutError("timed out")
    one.settimeout(left)


class TimedSocket(socket.socket):
    """Over TCP or a unix socket."""

    def recv_into(self, *arguments: Any, **more: Any) -> int:
        """See socket.recv_into."""
        _wait(self)
        return super().recv_into(*arguments, **more)


class TimedTls(ssl.SSLSocket):
    """Over TLS; see ssl.SSLContext.sslsocket_class."""

    def recv_into(self, *arguments: Any, **more: Any) -> int:
        """See socket.recv_into."""
        _wait(self)
        return super().recv_into(*arguments, **more)


def timed(made: socket.socket) -> TimedSocket:
    """A connected socket as one that ends in time; the other is not to be used any more."""
    timeout = made.gettimeout()
    found = TimedSocket(made.family, made.type, made.proto, fileno=made.detach())
    found.settimeout(timeout)
    return found
