"""A wire between a client and a server on loopback, that can go bad: TCP passed on byte by byte, or not."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Final, Self

_CHUNK: Final = 65536
_LOOK_SECONDS: Final = 0.05


class Wire:
    """Listens, and passes on, from `with` to its end.

    Args:
        target: host and port of the server.

    Attributes:
        port: where to connect instead.
        connections: how many there were.
    """

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._to = host, int(port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_LOOK_SECONDS)
        self.port = int(self._listener.getsockname()[1])
        self.connections = 0
        self._stalled: set[int] = set()
        self._stall_new = threading.Event()
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def stall(self, *, also_new: bool = False) -> None:
        """From now on the connections there are swallow every byte, without a word; perhaps new ones too."""
        self._stalled.update(range(1, self.connections + 1))
        if also_new:
            self._stall_new.set()

    def end_stall(self) -> None:
        """New connections pass on again; what was swallowed is lost, and so are their connections."""
        self._stall_new.clear()

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            self.connections += 1
            if self._stall_new.is_set():
                self._stalled.add(self.connections)
            server = socket.create_connection(self._to)
            self._start(self._pass_on, self.connections, client, server)
            self._start(self._pass_on, self.connections, server, client)

    def _pass_on(self, number: int, source: socket.socket, sink: socket.socket) -> None:
        source.settimeout(_LOOK_SECONDS)
        with contextlib.suppress(OSError):
            while not self._stopped.is_set():
                try:
                    chunk = source.recv(_CHUNK)
                except TimeoutError:
                    continue
                if not chunk:
                    break
                if number not in self._stalled:
                    sink.sendall(chunk)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
        source.close()
