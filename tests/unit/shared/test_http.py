"""Our own few HTTP calls: proxies, bounds, no redirects, no words about what was sent."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sscsi_shared.deadline import Deadline
from sscsi_shared.http import MAX_ANSWER_BYTES, Answer, HttpClient, HttpFailed

PROXIES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY")


class Server(ThreadingHTTPServer):
    """Remembers what was asked of it, as a server or as a proxy."""

    asked: list[str]


class Page(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/stolen")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = b"x" * (MAX_ANSWER_BYTES + 10) if self.path == "/large" else b'{"a": 1}'
        self.send_response(429 if self.path == "/busy" else 200)
        self.send_header("Retry-After", "2.5" if self.path == "/busy" else "Wed, 21 Oct 2026 07:28:00 GMT")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server(("127.0.0.1", 0), Page)
    running.asked = []
    running.daemon_threads = True
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()


def get(url: str, path: str) -> Answer:
    return HttpClient(url).request("GET", path, headers={}, deadline=Deadline.after(10))


def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def test_an_answer(server: Server) -> None:
    answer = get(url(server), "/page")
    assert (answer.status, answer.document(), answer.retry_after) == (200, {"a": 1}, None)
    assert get(url(server), "/busy").retry_after == 2.5


def test_a_redirect_is_an_answer_and_not_followed(server: Server) -> None:
    assert get(url(server), "/elsewhere").status == 302
    assert server.asked == ["/elsewhere"]


def test_an_answer_is_bounded(server: Server) -> None:
    assert len(get(url(server), "/large").body) == MAX_ANSWER_BYTES


def test_the_environments_proxy_is_asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", url(server))
    assert get("http://api.example.test", "/page").status == 200
    assert server.asked == ["http://api.example.test/page"]


def test_but_not_for_hosts_that_are_excepted(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert get(url(server), "/page").status == 200


def test_no_answer_tells_the_host_and_nothing_that_was_sent() -> None:
    client = HttpClient("http://127.0.0.1:1")
    with pytest.raises(HttpFailed) as caught:
        client.request("GET", "/path-canary", headers={"Authorization": "canary"}, deadline=Deadline.after(5))
    assert str(caught.value).startswith("127.0.0.1 does not answer")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("trickles", ["head", "body"])
def test_a_server_that_trickles_holds_nobody_beyond_the_deadline(trickles: str) -> None:
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(65536)
                client.sendall(
                    b"HTTP/1.1 200 OK\r\n" + (b"Content-Length: 9999\r\n\r\n" if trickles == "body" else b"x-")
                )
                with contextlib.suppress(OSError):
                    while not ended.wait(0.02):
                        client.sendall(b"x")

        thread = threading.Thread(target=serve)
        thread.start()
        client = HttpClient(f"http://127.0.0.1:{listener.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(HttpFailed):
            client.request("GET", "/", headers={}, deadline=Deadline.after(0.3))
        took = time.monotonic() - began
        ended.set()
        thread.join()
    assert took < 3


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object(body: bytes) -> None:
    assert Answer(200, body).document() == {}
