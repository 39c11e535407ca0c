"""A threaded HTTP server on loopback, in this process, for one WSGI application."""

import logging
import ssl
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self, TypeAlias

from werkzeug.serving import WSGIRequestHandler, make_server

Environ: TypeAlias = dict[str, Any]
StartResponse: TypeAlias = Callable[..., Any]
Application: TypeAlias = Callable[[Environ, StartResponse], Iterable[bytes]]


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  # werkzeug's name
        """Requests are counted, not printed."""


class LoopbackServer:
    """Serves from `with` to its end.

    Args:
        application: called in a thread for each request.
        tls: what to show to clients; None = plain HTTP.
    """

    def __init__(self, application: Application, tls: ssl.SSLContext | None = None) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._scheme = "https" if tls else "http"
        self._server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Quiet, ssl_context=tls)
        self._server.daemon_threads = True  # type: ignore[attr-defined]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="emulator", daemon=True
        )

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
