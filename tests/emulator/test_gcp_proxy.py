"""HTTPS_PROXY is honoured for gRPC too, in either case of letters, and NO_PROXY beside it."""

import socket
import threading
from collections.abc import Iterator

import pytest

from gcp_world import World, gcp_world, one
from sscsi_provider_gcp.channels import proxy_for


class ConnectProxy:
    """Answers CONNECT, and passes bytes on."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        target = head.split(b" ")[1].decode()
        self.asked.append(target)
        host, _, port = target.rpartition(":")
        server = socket.create_connection((host, int(port)))
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        threading.Thread(target=_pump, args=(server, client), daemon=True).start()
        _pump(client, server)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while chunk := source.recv(65536):
            sink.sendall(chunk)
    except OSError:
        pass
    finally:
        source.close()
        sink.close()


@pytest.fixture
def world() -> Iterator[World]:
    with gcp_world() as world:
        world.google.store.put("s", "x")
        yield world


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[ConnectProxy]:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    found = ConnectProxy()
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{found.port}")
    yield found
    found.close()


def test_every_endpoint(world: World, proxy: ConnectProxy) -> None:
    world.with_provider()
    assert world.files(one("s")) == {"a": b"x"}
    assert set(proxy.asked) == {world.google.target, world.google.logins.url.removeprefix("https://")}


def test_but_not_those_that_are_excepted(world: World, proxy: ConnectProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    world.with_provider()
    assert world.files(one("s")) == {"a": b"x"}
    assert not proxy.asked
    assert proxy_for("secretmanager.googleapis.com") == f"http://127.0.0.1:{proxy.port}"
