"""One port on loopback that is every host: a proxy whose CONNECT ends at ourselves, TLS without it, and plain HTTP.

Connections are kept (HTTP/1.1), so that round trips and handshakes are those of the real thing.
"""

import contextlib
import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self, cast
from urllib.parse import parse_qsl, unquote, urlsplit

_MAX_LINE: Final = 1 << 16
_MAX_BODY: Final = 1 << 20
_HANDSHAKE: Final = b"\x16"
"""The first byte of a TLS connection (RFC 8446, section 5.1)."""


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody sent.

    Attributes:
        method: in capitals.
        host: whom it is for, in small letters, with the port unless it is 443.
        path: decoded, without the query.
        query: the last value of each parameter, decoded.
        headers: by name in small letters.
        body: at most 1 MiB of it.
        server_name: that TLS was asked for; None = plain HTTP.
    """

    method: str
    host: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    server_name: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back.

    Attributes:
        status: of HTTP; 0 = the connection is cut without an answer.
        body: a JSON object, or text as it is.
        headers: beside those that frame it.
    """

    status: int
    body: Mapping[str, Any] | str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """Head and body."""
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        content = text.encode()
        phrase = HTTPStatus(self.status).phrase if self.status in set(HTTPStatus) else "Odd"
        kind = "text/plain" if isinstance(self.body, str) else "application/json; charset=utf-8"
        headers = {"Content-Type": kind, "Content-Length": str(len(content))} | dict(self.headers)
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"HTTP/1.1 {self.status} {phrase}\r\n{head}\r\n".encode("latin-1") + content


class EveryHost:
    """Serves from `with` to its end.

    Attributes:
        port: on 127.0.0.1.
        connections: how many were made.

    Args:
        answer: called in the connection's thread for each request.
        admit: called with host and port of a CONNECT, in small letters; the status: 200 = go on, 0 = cut.
        tls: what to show, whatever host is asked for.
    """

    def __init__(self, answer: Callable[[Request], Answer], admit: Callable[[str], int], tls: ssl.SSLContext) -> None:
        self.answer: Final = answer
        self.admit: Final = admit
        self.tls: Final = tls
        self.connections = 0
        tls.sni_callback = _remember
        self._lock = threading.Lock()
        self._live: set[socket.socket] = set()
        self._server = _Server(self)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="every-host", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.cut()

    def cut(self) -> None:
        """End every connection there is, whoever waits on it."""
        with self._lock:
            for connection in self._live:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def opened(self, connection: socket.socket) -> None:
        """Called by a connection's thread."""
        with self._lock:
            self.connections += 1
            self._live.add(connection)

    def replaced(self, old: socket.socket, new: socket.socket | None) -> None:
        """Likewise: it became another one (TLS), or ended."""
        with self._lock:
            self._live.discard(old)
            if new is not None:
                self._live.add(new)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, owner: EveryHost) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", 0), _Connection)


class _Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self) -> None:
        owner = cast("_Server", self.server).owner
        owner.opened(self.connection)
        with contextlib.suppress(OSError):
            self._perhaps_encrypt(owner)
            while self._exchange(owner):
                pass
        owner.replaced(self.connection, None)

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()
        self.connection.close()

    def _perhaps_encrypt(self, owner: EveryHost) -> None:
        if self.connection.recv(1, socket.MSG_PEEK) != _HANDSHAKE:
            return
        plain = self.connection
        self.rfile.close()
        self.connection = owner.tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        owner.replaced(plain, self.connection)
        self.rfile = self.connection.makefile("rb", -1)
        self.connection.do_handshake()

    def _exchange(self, owner: EveryHost) -> bool:
        """Read a request and answer it; is there a next one?"""
        line = self.rfile.readline(_MAX_LINE)
        if not line.strip():
            return False
        method, target, _ = (line.decode("latin-1").rstrip("\r\n") + "  ").split(" ", 2)
        headers: dict[str, str] = {}
        while (line := self.rfile.readline(_MAX_LINE)).strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        if method == "CONNECT":
            return self._connect(owner, target.lower())
        body = self.rfile.read(min(int(headers.get("content-length") or 0), _MAX_BODY))
        parts = urlsplit(target)
        request = Request(
            method,
            (parts.netloc or headers.get("host", "")).lower().removesuffix(":443"),
            unquote(parts.path),
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers,
            body,
            getattr(self.connection, "asked_for", "") if isinstance(self.connection, ssl.SSLSocket) else None,
        )
        answer = owner.answer(request)
        if answer.status == 0:
            return False
        self.connection.sendall(answer.encoded())
        return headers.get("connection", "").lower() != "close"

    def _connect(self, owner: EveryHost, target: str) -> bool:
        status = owner.admit(target)
        if status != 200:
            if status:
                self.connection.sendall(Answer(status).encoded())
            return False
        self.connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self._perhaps_encrypt(owner)
        return True


def _remember(connection: Any, server_name: str | None, _: ssl.SSLContext) -> None:
    connection.asked_for = (server_name or "").lower()
