"""What stands in front of an emulator is bad in the way that it is told, and good again after."""

import http.client
import json
import socket
import ssl
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from sscsi_emulators.authority import Authority
from sscsi_emulators.faults import Fault, Faults
from sscsi_emulators.frames import Halver, length_of_request
from sscsi_emulators.front import PORTAL, Bad, Front
from sscsi_emulators.wsgi import Environ, LoopbackServer, StartResponse

BODY = json.dumps({"data": "x" * 200}).encode()


def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    del environ
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))])
    return [BODY]


class Asked:
    def __init__(self, front: Front, ca_file: Path) -> None:
        self.front = front
        self.context = ssl.create_default_context(cafile=str(ca_file))

    def get(self) -> bytes:
        url = f"https://localhost:{self.front.port}/"
        with urllib.request.urlopen(url, timeout=1, context=self.context) as found:
            return bytes(found.read())


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    authority = Authority().save(tmp_path / "ca.pem")
    context = authority.server().context(tmp_path)
    with LoopbackServer(answer) as server:
        port = int(server.url.rpartition(":")[2])
        with Front(port, lambda: context) as front:
            yield Asked(front, tmp_path / "ca.pem")


@pytest.mark.parametrize("bad", [Bad.REFUSED, Bad.RESET, Bad.SILENT, Bad.HALF])
def test_bad_and_good_again(asked: Asked, bad: Bad) -> None:
    assert asked.get() == BODY
    before = asked.front.asked
    asked.front.go(bad)
    with pytest.raises((OSError, http.client.HTTPException)):
        asked.get()
    assert asked.front.asked == before + (bad is not Bad.REFUSED)
    asked.front.go(None)
    assert asked.get() == BODY


def test_two_bytes_a_second(asked: Asked) -> None:
    asked.front.go(Bad.TRICKLE)
    with (
        socket.create_connection(("127.0.0.1", asked.front.port)) as plain,
        asked.context.wrap_socket(plain, server_hostname="localhost") as client,
    ):
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert [client.recv(100) for _ in range(2)] == [b"H", b"T"]
        asked.front.go(None)
        assert len(client.recv(10_000)) > 10, "the rest at once"


def test_a_page_instead(asked: Asked) -> None:
    asked.front.go(Bad.HTML)
    assert asked.get() == PORTAL
    asked.front.go(None)
    assert asked.get() == BODY


def test_half_of_a_message() -> None:
    halver = Halver(http2=False)
    assert halver.half(b"HTTP/1.1 200 OK\r\n") == (b"", True)
    assert halver.half(b"A: b\r\n\r\n") == (b"", True)
    assert halver.half(b"12345678") == (b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n1234", False)


def test_half_of_a_frame() -> None:
    settings, content = b"\0\0\0\x04\0\0\0\0\0", b"\0\0\x04\0\0\0\0\0\x01abcd"
    halver = Halver(http2=True)
    assert halver.half(settings + content[:6]) == (settings, True)
    assert halver.half(content[6:]) == (content[:11], False)


@pytest.mark.parametrize(
    ("taken", "length"),
    [(b"GET / HTTP/1.1\r\n", None), (b"GET /\r\n\r\nx", 9), (b"POST /\r\nContent-Length: 5\r\n\r\n", 34)],
)
def test_the_length_of_a_request(taken: bytes, length: int | None) -> None:
    assert length_of_request(taken) == length


def test_faults_of_all_operations_that_begin_so() -> None:
    faults = Faults()
    faults.add(Fault("secretsmanager.*", 500, "x", "y"))
    assert faults.take("secretsmanager.GetSecretValue") is not None
    assert faults.take("sts.AssumeRole") is None
    faults.clear()
    faults.add(Fault("sts.AssumeRole", 500, "x", "y"))
    assert faults.take("sts.AssumeRoleWithWebIdentity") is None
