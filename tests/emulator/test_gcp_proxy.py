"""HTTPS_PROXY is honoured by every login and every read, and NO_PROXY beside it; but not for the metadata server."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gcp_stage import EXCHANGE
from gcp_world import NONE, World, gcp_world, new_key, one, with_keys
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


def as_pod(world: World, folder: Path) -> dict[str, bytes]:
    world.with_provider()
    return world.files(one("s"))


def as_pod_by_the_operators_pool(world: World, folder: Path) -> dict[str, bytes]:
    (folder / "pool.json").write_text(json.dumps({"type": "external_account", "audience": EXCHANGE}))
    world.with_provider(environ={"GOOGLE_APPLICATION_CREDENTIALS": str(folder / "pool.json")})
    return world.files(one("s"))


def by_referenced_key(world: World, folder: Path) -> dict[str, bytes]:
    with_keys(world)
    return world.files(one("s"), referenced={"key.json": json.dumps(new_key(world.google))}, tokens=NONE)


def by_the_operators_key(world: World, folder: Path) -> dict[str, bytes]:
    (folder / "key.json").write_text(json.dumps(new_key(world.google)))
    environ = {"GOOGLE_APPLICATION_CREDENTIALS": str(folder / "key.json")}
    with_keys(world, environ=environ, allowed_auth=frozenset({"provider-adc"}))
    return world.files(one("s"), auth="provider-adc", tokens=NONE)


LOGINS = [as_pod, as_pod_by_the_operators_pool, by_referenced_key, by_the_operators_key]


@pytest.mark.parametrize("mounted", LOGINS)
def test_every_login_and_every_read(
    world: World, proxy: ConnectProxy, mounted: Callable[[World, Path], dict[str, bytes]], tmp_path: Path
) -> None:
    assert mounted(world, tmp_path) == {"a": b"x"}
    assert set(proxy.asked) == {world.google.target, world.google.logins.url.removeprefix("https://")}


@pytest.mark.parametrize("mounted", LOGINS)
def test_but_none_where_the_hosts_are_excepted(
    world: World,
    proxy: ConnectProxy,
    mounted: Callable[[World, Path], dict[str, bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    assert mounted(world, tmp_path) == {"a": b"x"}
    assert not proxy.asked
    assert proxy_for("secretmanager.googleapis.com") == f"http://127.0.0.1:{proxy.port}"


def test_the_metadata_server_is_never_asked_by_it(
    world: World, proxy: ConnectProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    world.with_provider(allowed_auth=frozenset({"provider-adc"}))
    assert world.files(one("s"), auth="provider-adc", tokens=NONE) == {"a": b"x"}
    assert world.google.calls["metadata.Get"] == 1
    assert set(proxy.asked) == {world.google.target}
