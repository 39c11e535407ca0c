"""What a daemon counts, and its page."""

import socket
import threading
import time
import urllib.error
import urllib.request

import pytest
from prometheus_client import generate_latest

from sscsi_shared.daemon import metrics


def value(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


def test_mounts_by_reason() -> None:
    before = value("sscsi_mounts_total", reason="Odd"), value("sscsi_mount_seconds_count")
    metrics.observe_mount("Odd", 0.2)
    assert value("sscsi_mounts_total", reason="Odd") == before[0] + 1
    assert value("sscsi_mount_seconds_count") == before[1] + 1


def test_what_the_economy_does_and_holds() -> None:
    before = value("sscsi_economy_total", outcome="hit")
    metrics.economy("hit", 3)
    metrics.economy("hit", 0)
    assert value("sscsi_economy_total", outcome="hit") == before + 3
    metrics.economy_holds(lambda: 4096, lambda: 2)
    assert (value("sscsi_held_bytes"), value("sscsi_held_sessions")) == (4096, 2)


def test_backend_calls_have_bounded_labels() -> None:
    for number in range(300):
        metrics.backend_call("test.Operation", f"Code{number}")
    page = generate_latest(metrics.REGISTRY).decode()
    assert page.count("sscsi_backend_calls_total{") <= 202
    assert value("sscsi_backend_calls_total", operation="test.Operation", outcome="other") > 0


@pytest.mark.parametrize(
    ("text", "found"), [(":8095", ("", 8095)), ("127.0.0.1:1", ("127.0.0.1", 1)), ("[::1]:80", ("::1", 80))]
)
def test_addresses(text: str, found: tuple[str, int]) -> None:
    assert metrics.address(text) == found


@pytest.mark.parametrize("text", ["", "8095", "host:", "host:x", ":70000"])
def test_no_addresses(text: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        metrics.address(text)


def test_the_page() -> None:
    answers = iter([True, False])
    server = metrics.MetricsServer(("127.0.0.1", 0), lambda: next(answers))
    base = f"http://127.0.0.1:{server.port}"
    try:
        with urllib.request.urlopen(f"{base}/metrics", timeout=5) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain")
            assert b"sscsi_mounts_total" in answer.read()
        assert urllib.request.urlopen(f"{base}/healthz", timeout=5).read() == b"ok\n"
        assert urllib.request.urlopen(f"{base}/readyz", timeout=5).status == 200
        for path, status in (("/readyz", 503), ("/odd", 404)):
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(base + path, timeout=5)
            assert caught.value.code == status
            caught.value.close()
    finally:
        server.close()
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{base}/healthz", timeout=5)


def serving() -> int:
    """Threads of http.server's for a connection each, here by the name that it gives them."""
    return sum("process_request_thread" in thread.name for thread in threading.enumerate())


def test_connections_that_say_nothing_keep_no_probe_out_and_few_threads(capfd: pytest.CaptureFixture[str]) -> None:
    server = metrics.MetricsServer(("127.0.0.1", 0), lambda: True)
    before = serving()
    held = []
    try:
        for _ in range(3 * metrics.MAX_CONNECTIONS):
            held.append(socket.create_connection(("127.0.0.1", server.port), timeout=5))
            held[-1].sendall(b"GET /metrics HTTP/1.1\r\nHost:")
        assert urllib.request.urlopen(f"http://127.0.0.1:{server.port}/healthz", timeout=5).read() == b"ok\n"
        assert held[0].recv(1) == b"", "the oldest had to go"
        ends = time.monotonic() + 10
        while serving() - before > metrics.MAX_CONNECTIONS:  # whoever was sent away is on its way out
            assert time.monotonic() < ends
            time.sleep(0.01)
    finally:
        for one in held:
            one.close()
        server.close()
    assert "Traceback" not in capfd.readouterr().err


def test_a_mistake_of_ours_on_the_page_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> bool:
        raise ArithmeticError("ours")

    server = metrics.MetricsServer(("127.0.0.1", 0), broken)
    try:
        with pytest.raises(OSError, match="without response"):
            urllib.request.urlopen(f"http://127.0.0.1:{server.port}/readyz", timeout=5)
    finally:
        server.close()
    assert "ArithmeticError" in caplog.text
