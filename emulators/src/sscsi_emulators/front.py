"""What stands in front of a backend: a server on loopback that ends TLS and passes on, or goes bad in a chosen way.

It speaks HTTP/1.1, or HTTP/2 as gRPC does; what it answers by itself is what proxies and load balancers answer.
"""

import contextlib
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from enum import Enum
from types import TracebackType
from typing import Final, Self

from sscsi_emulators.frames import Halver, html_over_http2, length_of_request

_CHUNK: Final = 65536
_LOOK_SECONDS: Final = 0.05
_DRIP_SECONDS: Final = 0.5
"""Between two bytes of a trickle: sooner than any timeout of a single receive."""
_NO_LINGER: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: close(2) sends RST."""
PORTAL: Final = b"<html><head><title>Sign in</title></head><body>Welcome to the guest network.</body></html>"


class Bad(Enum):
    """How a connection can be bad."""

    REFUSED = "connections are refused"
    RESET = "connections are reset once something is sent"
    SILENT = "what is sent is swallowed, on old connections and on new ones"
    TRICKLE = "answers come at two bytes a second"
    HALF = "answers break off in the middle"
    HTML = "a page of HTML is the answer, with status 200"


class Front:
    """Listens, and passes on, from `with` to its end.

    Args:
        target: port of the backend on 127.0.0.1.
        shows: makes the TLS that is shown to each new client.
        http2: whether gRPC is spoken.
        to_tls: whether the backend wants TLS.

    Attributes:
        port: where to connect.
        asked: how often a client said something: each connection, and each request after an answer on it.
    """

    def __init__(
        self, target: int, shows: Callable[[], ssl.SSLContext], *, http2: bool = False, to_tls: bool = False
    ) -> None:
        self._target = target
        self._shows = shows
        self._http2 = http2
        self._to_tls = to_tls
        self._bad: Bad | None = None
        self._lock = threading.Lock()
        self._live: set[socket.socket] = set()
        self._stopped = threading.Event()
        self._listener: socket.socket | None = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        self.asked = 0
        self._thread = threading.Thread(target=self._accept, name="front", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._cut()
        self._thread.join()
        if self._listener is not None:
            self._listener.close()

    def go(self, bad: Bad | None) -> None:
        """Be bad from now on; None = be good. Refusing and resetting end the connections there are."""
        with self._lock:
            self._bad = bad
            if bad is Bad.REFUSED and self._listener is not None:
                self._listener.close()
                self._listener = None
            elif bad is not Bad.REFUSED and self._listener is None:
                self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        if bad in {Bad.REFUSED, Bad.RESET}:
            self._cut()

    def renew(self) -> None:
        """End every connection, so that the next ones see what is shown now."""
        self._cut()

    def _cut(self) -> None:
        with self._lock:
            for connection in self._live:
                with contextlib.suppress(OSError):
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._stopped.is_set():
            listener = self._listener
            if listener is None:
                self._stopped.wait(_LOOK_SECONDS)
                continue
            try:
                listener.settimeout(_LOOK_SECONDS)
                client, _ = listener.accept()
            except OSError:  # nobody came, or it was closed
                continue
            threading.Thread(target=self._serve, args=(client,), name="front-connection", daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self.asked += 1
            self._live.add(plain)
        try:
            self._receive(plain)
        except OSError:
            pass
        finally:
            with self._lock:
                self._live.discard(plain)
            with contextlib.suppress(OSError):
                plain.close()

    def _receive(self, plain: socket.socket) -> None:
        if self._bad is Bad.RESET:
            plain.settimeout(10)
            plain.recv(1, socket.MSG_PEEK)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            return
        self._swallow(plain)
        context = self._shows()
        if self._http2:
            context.set_alpn_protocols(["h2"])
        plain.settimeout(30)
        with context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False) as client:
            with self._lock:  # the plain one is detached
                self._live.discard(plain)
                self._live.add(client)
            try:
                client.do_handshake()
                if self._bad is Bad.HTML:
                    self._greet(client)
                    return
                with self._backend() as backend:
                    self._pass_on(client, backend)
            finally:
                with self._lock:
                    self._live.discard(client)

    def _swallow(self, client: socket.socket) -> None:
        """Read, and say nothing, for as long as that is what is to be done."""
        while self._bad is Bad.SILENT and not self._stopped.is_set():
            client.settimeout(_LOOK_SECONDS)
            try:
                if not client.recv(_CHUNK):
                    raise ConnectionResetError
            except TimeoutError:
                continue
            if self._bad is not Bad.SILENT:
                break
        else:
            return
        raise ConnectionResetError  # what was swallowed is lost

    def _backend(self) -> socket.socket:
        plain = socket.create_connection(("127.0.0.1", self._target))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self._to_tls:
            return plain
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if self._http2:
            context.set_alpn_protocols(["h2"])
        return context.wrap_socket(plain)

    def _greet(self, client: ssl.SSLSocket) -> None:
        """Answer as somebody who is not the backend."""
        if self._http2:
            html_over_http2(client, PORTAL, lambda: self._bad is Bad.HTML)
            return
        taken = b""
        while (chunk := client.recv(_CHUNK)) and self._bad is Bad.HTML:
            taken += chunk
            length = length_of_request(taken)
            if length is not None and len(taken) >= length:
                taken = taken[length:]
                head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(PORTAL)}\r\n\r\n"
                client.sendall(head.encode() + PORTAL)

    def _pass_on(self, client: ssl.SSLSocket, backend: socket.socket) -> None:
        answered, halver = False, Halver(http2=self._http2)
        while not self._stopped.is_set():
            for one in _readable(client, backend):
                if self._bad is Bad.SILENT:
                    self._lose(client)
                chunk = _received(one)
                if chunk is None:
                    continue
                if not chunk:
                    return
                if one is client:
                    if self._bad is Bad.HTML:  # it began before
                        raise ConnectionResetError
                    with self._lock:
                        self.asked += answered
                    answered = False
                    halver = Halver(http2=self._http2) if not self._http2 else halver
                    backend.sendall(chunk)
                    continue
                answered = True
                if self._bad is Bad.HALF:
                    first, more = halver.half(chunk)
                    client.sendall(first)
                    if not more:
                        return
                else:
                    self._answer(client, chunk)

    def _lose(self, client: ssl.SSLSocket) -> None:
        """From here on everything on the connection is lost."""
        while self._bad is Bad.SILENT and not self._stopped.is_set():
            client.settimeout(_LOOK_SECONDS)
            try:
                if not client.recv(_CHUNK):
                    raise ConnectionResetError
            except TimeoutError:
                continue
        self._forget(client)

    def _forget(self, client: ssl.SSLSocket) -> None:
        """A firewall's forgotten connection stays silent after the others are good again, until its client leaves."""
        client.settimeout(60)
        while not self._stopped.is_set():
            if not client.recv(_CHUNK):
                raise ConnectionResetError

    def _answer(self, client: ssl.SSLSocket, chunk: bytes) -> None:
        rest = chunk
        while rest and self._trickles():
            client.sendall(rest[:1])
            rest = rest[1:]
            ends = time.monotonic() + _DRIP_SECONDS
            while self._trickles() and time.monotonic() < ends:
                self._stopped.wait(_LOOK_SECONDS)
        if rest:
            client.sendall(rest)

    def _trickles(self) -> bool:
        return self._bad is Bad.TRICKLE and not self._stopped.is_set()


def _received(one: socket.socket) -> bytes | None:
    """What has come; None if it was TLS's own, such as a session ticket."""
    before = one.gettimeout()
    one.settimeout(0)
    try:
        return one.recv(_CHUNK)
    except (ssl.SSLWantReadError, BlockingIOError):
        return None
    finally:
        one.settimeout(before)


def _readable(*both: socket.socket) -> list[socket.socket]:
    pending: list[socket.socket] = [one for one in both if isinstance(one, ssl.SSLSocket) and one.pending()]
    return pending or select.select(both, [], [], _LOOK_SECONDS)[0]
