"""One gRPC server on one unix socket, for as long as the process lives."""

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from sscsi_shared.daemon import logs, memory, metrics
from sscsi_shared.daemon.options import DaemonOptions
from sscsi_shared.daemon.socket import (
    Inode,
    bound_umask,
    inode_of,
    is_live,
    private_name,
    private_umask,
    remove_own,
    sweep_private,
    take,
)

log = logging.getLogger(__name__)

EXTRA_THREADS: Final = 8
"""Beyond the slots for long calls, so that health and cheap calls always have a thread."""
MAX_REQUEST_BYTES: Final = 16 << 20
SERVER_OPTIONS: Final = (
    ("grpc.max_send_message_length", -1),
    # gRPC refuses a larger request by itself, and as RESOURCE_EXHAUSTED: our own bounds come before.
    ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
    ("grpc.so_reuseport", 0),
)
"""No `maximum_concurrent_rpcs`: it answers RESOURCE_EXHAUSTED, which kubelet takes for unfinished."""
_LOOK_SECONDS: Final = 1.0
_CLOSING_SECONDS: Final = 3.0
"""For giving back what a backend lent us. A silent one keeps no process: a token or lease ends by itself."""
_SERVING = health_pb2.HealthCheckResponse.SERVING


@dataclass(frozen=True, slots=True)
class Service:
    """What is served.

    Attributes:
        name: of the daemon, for logs and metrics.
        version: its version.
        socket: the path that callers know.
        register: adds the servicers to a server; called anew when the socket had to be made again.
        services: full names of the gRPC services, for health and reflection.
        slots: how many long calls run at once.
        aliases: other paths of the same socket, in the same folder.
        closing: called once no call is in progress any more; the process ends 3 s later at most. None = nothing.
    """

    name: str
    version: str
    socket: Path
    register: Callable[[grpc.Server], None]
    services: Sequence[str]
    slots: int
    aliases: Sequence[Path] = ()
    closing: Callable[[], None] | None = None


class SocketServer:
    """The server and its socket file."""

    def __init__(self, service: Service, *, reflection: bool) -> None:
        self._service = service
        self._reflection = reflection
        self._bound = 0
        self._health = health.HealthServicer()
        self._own: Inode | None = None
        self._server = self._build()
        self._successor_seen = False

    def start(self, takeover_seconds: float, stop: threading.Event) -> None:
        """Take the socket; wait for another process that listens on it, and then take it all the same.

        Raises:
            OSError: the folder does not let us.
            ValueError: the path is too long.
        """
        path = self._service.socket
        private_name(path, 0)  # a path too long is told before anything is made
        path.parent.mkdir(parents=True, exist_ok=True)
        waited = 0.0
        while waited < takeover_seconds and is_live(path) and not stop.wait(_LOOK_SECONDS / 2):
            if not waited:
                log.info("another process listens on %s; waiting for it to leave", path)
            waited += _LOOK_SECONDS / 2
        if waited >= takeover_seconds > 0 and is_live(path):
            log.warning("another process still listens on %s; taking the socket over", path)
        self._listen()

    def look_after(self) -> None:
        """Make the socket file again if somebody removed it; a successor's is left alone."""
        found = inode_of(self._service.socket)
        if found == self._own:
            self._link(vanished=True)
            return
        if found is not None:
            if not self._successor_seen:
                log.warning("the socket %s is another process's now", self._service.socket)
                self._successor_seen = True
            return
        log.warning("the socket %s has vanished; making it again", self._service.socket)
        old = self._server
        self._server = self._build()
        self._listen()
        old.stop(grace=None if self._own is None else EXTRA_THREADS)

    def ready(self) -> bool:
        """Whether the socket answers."""
        return is_live(self._service.socket)

    def stop(self, grace: float) -> None:
        """Refuse new calls, let those in progress end, unlink the socket if it is ours."""
        self._health.enter_graceful_shutdown()
        self._server.stop(grace).wait()
        if self._own is not None:
            for path in (*self._service.aliases, self._service.socket):
                remove_own(path, self._own)

    def _build(self) -> grpc.Server:
        server = grpc.server(
            ThreadPoolExecutor(self._service.slots + EXTRA_THREADS, thread_name_prefix="rpc"),
            options=SERVER_OPTIONS,
        )
        self._service.register(server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        for name in ("", *self._service.services):
            self._health.set(name, _SERVING)
        if self._reflection:
            from grpc_reflection.v1alpha import reflection

            names = (*self._service.services, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, server)
        return server

    def _listen(self) -> None:
        self._bound += 1
        private = private_name(self._service.socket, self._bound)
        private.unlink(missing_ok=True)
        for path in (self._service.socket, *self._service.aliases):
            sweep_private(path)
        with private_umask():
            self._server.add_insecure_port(f"unix:{private}")
        self._server.start()
        self._own = take(private, self._service.socket)
        self._link(vanished=False)

    def _link(self, *, vanished: bool) -> None:
        """Let the aliases name the same socket; where `vanished`, only those that nobody else has taken."""
        for path in self._service.aliases:
            if inode_of(path) != self._own and not (vanished and inode_of(path)):
                private = private_name(path, self._bound)
                private.unlink(missing_ok=True)
                private.hardlink_to(self._service.socket)
                private.replace(path)


@contextlib.contextmanager
def running(service: Service, *, reflection: bool = False) -> Iterator[SocketServer]:
    """Serve within this process, for tests and the demo: no signals, no logs, no end of the process."""
    server = SocketServer(service, reflection=reflection)
    server.start(0.0, threading.Event())
    try:
        yield server
    finally:
        server.stop(grace=0)


def serve(service: Service, options: DaemonOptions, *, after: Callable[[threading.Event], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; then drain, unlink the socket and end the process.

    Args:
        service: what is served.
        options: what the operator said.
        after: called once the socket is there, with the event that says stop; must return at once.
    """
    logs.configure(options.log_level, options.log_format)
    memory.bound_arenas()
    memory.keep_private()
    bound_umask()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server = SocketServer(service, reflection=options.reflection)
    pages: list[metrics.MetricsServer] = []
    try:
        pages += (
            _page(address, server.ready, options.health_path)
            for address in (options.metrics_address, options.health_address)
            if address
        )
        server.start(options.takeover_seconds, stop)
    except (OSError, ValueError) as error:
        log.error("%s can't start: %s", service.name, error)  # noqa: TRY400  # the operator's mistake, not ours
        _end(1)
    metrics.BUILD.labels(service.name, service.version).set(1)
    log.info("%s %s serves on %s", service.name, service.version, service.socket)
    if after is not None:
        after(stop)
    while not stop.wait(_LOOK_SECONDS):
        server.look_after()
    log.info("%s stops; calls in progress have %g s", service.name, options.drain_seconds)
    server.stop(options.drain_seconds)
    if service.closing is not None:
        _close(service.name, service.closing)
    for page in pages:
        page.close()
    _end(0)


def _page(address: str, ready: Callable[[], bool], ready_path: str) -> metrics.MetricsServer:
    """The page for Prometheus and for probes.

    Raises:
        OSError: with the address, which the system's own words leave out.
        ValueError: it is none.
    """
    try:
        return metrics.MetricsServer(metrics.address(address), ready, ready_path)
    except OSError as error:
        raise OSError(f"{address} can't be listened on: {error.strerror or error}") from error


def _close(name: str, closing: Callable[[], None]) -> None:
    """Close, in a thread that the end of the process cuts off."""

    def attempt() -> None:
        try:
            closing()
        except Exception:
            log.exception("%s could not give back all that it had", name)

    thread = threading.Thread(target=attempt, name="closing", daemon=True)
    thread.start()
    thread.join(_CLOSING_SECONDS)
    if thread.is_alive():
        log.warning("%s ends; a backend was silent, and not all was given back to it", name)


def _end(status: int) -> None:
    """End at once: gRPC's threads would hold a process that just returns from main."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
