"""The key-value store of docs/fifth-provider.md: GET /v1/<name> for whoever shows a service account's token."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import unquote

from sscsi_shared.mount import PodInfo


class KvStore:
    """A server on loopback, from `with` to its end.

    Attributes:
        denied: names that nobody may read.
        trouble: a status for every read; None = none.
        answers: reads wait until it is set.
        calls: reads that were asked for.
    """

    def __init__(self) -> None:
        self._objects: dict[str, tuple[str, int]] = {}
        self.denied: set[str] = set()
        self.trouble: int | None = None
        self.answers = threading.Event()
        self.answers.set()
        self.calls: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()

    def put(self, name: str, contents: str) -> None:
        self._objects[name] = (contents, self._objects.get(name, ("", 0))[1] + 1)

    def remove(self, name: str) -> None:
        self._objects.pop(name, None)

    def token(self, pod: PodInfo, lifetime_seconds: int = 3600) -> str:
        """A service account token as kubelet has it; this store looks at no signature."""
        claims = {
            "iss": "https://kubernetes.example",
            "sub": f"system:serviceaccount:{pod.namespace}:{pod.service_account}",
            "aud": ["kv"],
            "exp": int(time.time()) + lifetime_seconds,
            "kubernetes.io": {"pod": {"uid": pod.uid}},
        }
        parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims, "signature"))
        return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)

    def _answer(self, name: str, authorization: str) -> tuple[int, dict[str, object]]:
        self.calls.append(name)
        self.answers.wait(30)
        if self.trouble is not None:
            return self.trouble, {}
        if not authorization.startswith("Bearer "):
            return 401, {}
        if name in self.denied:
            return 403, {}
        if name not in self._objects:
            return 404, {}
        value, version = self._objects[name]
        return 200, {"value": value, "version": version}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                name = unquote(self.path.removeprefix("/v1/"))
                status, document = store._answer(name, self.headers.get("Authorization", ""))
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                """Nothing: a test's output is no access log."""

        return Handler
