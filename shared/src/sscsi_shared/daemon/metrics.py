"""What a daemon counts, and the page that Prometheus reads."""

import contextlib
import logging
import socket
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

log = logging.getLogger(__name__)

REGISTRY: Final = CollectorRegistry()
"""The process's own: nothing that a library registers by itself gets onto the page."""
ProcessCollector(registry=REGISTRY)

BUILD: Final = Gauge("sscsi_build_info", "Always 1; who runs here.", ("name", "version"), registry=REGISTRY)
MOUNTS: Final = Counter("sscsi_mounts", "Mounts answered, by reason; OK is a success.", ("reason",), registry=REGISTRY)
MOUNT_SECONDS: Final = Histogram(
    "sscsi_mount_seconds",
    "Seconds that a Mount took.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 100),
    registry=REGISTRY,
)
BACKEND_CALLS: Final = Counter(
    "sscsi_backend_calls", "Requests sent to a backend.", ("operation", "outcome"), registry=REGISTRY
)
ECONOMY: Final = Counter(
    "sscsi_economy",
    "What became of objects and logins: read, hit, joined, backed_off, login, login_joined.",
    ("outcome",),
    registry=REGISTRY,
)
HELD_BYTES: Final = Gauge("sscsi_held_bytes", "What the contents kept in memory come to.", registry=REGISTRY)
HELD_SESSIONS: Final = Gauge("sscsi_held_sessions", "Logins that are kept.", registry=REGISTRY)
LIVE_PATHS: Final = ("/healthz", "/live")
READY_PATHS: Final = ("/readyz", "/health/ready")
"""Where the manifests of the existing providers probe."""
MAX_CONNECTIONS: Final = 64
"""At once, each with a thread; for one more the oldest has to go, so that a probe always gets in."""
MAX_SECONDS: Final = 10.0
"""How long a connection may say nothing."""
_MAX_LABELS: Final = 200
_labels: set[tuple[str, str]] = set()
_lock: Final = threading.Lock()


def observe_mount(reason: str, seconds: float) -> None:
    """Count a Mount.

    Args:
        reason: OK or an error's reason.
        seconds: how long it took.
    """
    MOUNTS.labels(reason).inc()
    MOUNT_SECONDS.observe(seconds)


def backend_call(operation: str, outcome: str) -> None:
    """Count a request to a backend.

    Args:
        operation: service and operation: `secretsmanager.GetSecretValue`.
        outcome: ok, or the backend's error code; past 200 pairs everything new is counted as `other`.
    """
    with _lock:
        pair = (operation, outcome)
        if pair not in _labels and len(_labels) >= _MAX_LABELS:
            pair = (operation, "other")
        _labels.add(pair)
    BACKEND_CALLS.labels(*pair).inc()


def economy(outcome: str, number: int) -> None:
    """Count what became of some objects, or of a login, with the words of `ECONOMY`."""
    if number:
        ECONOMY.labels(outcome).inc(number)


def economy_holds(held_bytes: Callable[[], float], held_sessions: Callable[[], float]) -> None:
    """Show at each scrape what is kept."""
    HELD_BYTES.set_function(held_bytes)
    HELD_SESSIONS.set_function(held_sessions)


def address(text: str) -> tuple[str, int]:
    """Host and port of `host:port`, `:port` or `[v6]:port`.

    Raises:
        ValueError: it is none of these.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} is not host:port")
    return host.strip("[]"), int(port)


class MetricsServer:
    """Serves /metrics, /healthz (the process lives) and /readyz (the socket answers), by their older names too.

    Args:
        where: host and port; port 0 takes a free one.
        ready: asked at each /readyz.
        ready_path: another name of /readyz; empty = none.
    """

    def __init__(self, where: tuple[str, int], ready: Callable[[], bool], ready_path: str = "") -> None:
        ready_paths = (*READY_PATHS, *([ready_path] if ready_path else []))

        class Page(BaseHTTPRequestHandler):
            timeout = MAX_SECONDS

            def do_GET(self) -> None:  # http.server's name
                if self.path.partition("?")[0] == "/metrics":
                    self._answer(200, generate_latest(REGISTRY), CONTENT_TYPE_LATEST)
                elif self.path in ready_paths:
                    self._answer(*((200, b"ok\n") if ready() else (503, b"not serving\n")))
                elif self.path in LIVE_PATHS:
                    self._answer(200, b"ok\n")
                else:
                    self._answer(404, b"not found\n")

            def _answer(self, status: int, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Scrapes are no news."""

        self._server = _Server(where, Page)
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = MAX_CONNECTIONS

    def __init__(self, *arguments: Any) -> None:
        self._open: OrderedDict[int, socket.socket] = OrderedDict()
        self._lock = threading.Lock()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open[id(request)] = request
            oldest = self._open.popitem(last=False)[1] if len(self._open) > MAX_CONNECTIONS else None
            if oldest is not None:
                with contextlib.suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)  # its thread reads the end, and closes it
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(id(request), None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Somebody who left before the answer is no news, and leaves no traceback; a mistake of ours does."""
        del request, client_address
        error = sys.exception()
        if not isinstance(error, OSError):
            log.error("a page for Prometheus or a probe could not be served", exc_info=error)
