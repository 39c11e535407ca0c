"""Google Cloud on loopback: Secret Manager and Parameter Manager over gRPC with TLS; logins over HTTPS.

The real wire: messages are those of Google's own SDK, tokens are checked, and servers treat pings as Google's do. What
logs in is emulated in google_logins.py.
"""

import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

import google_crc32c
import grpc
from google.cloud.parametermanager_v1.types import service as parameters
from google.cloud.secretmanager_v1.types import resources, service
from google.rpc import error_details_pb2, status_pb2

from sscsi_emulators.authority import Authority
from sscsi_emulators.faults import Fault, Faults
from sscsi_emulators.google_logins import GoogleLogins
from sscsi_emulators.google_store import Absent, GoogleStore

PROJECT: Final = "my-project"
ACCESS: Final = "secretmanager.AccessSecretVersion"
LIST: Final = "secretmanager.ListSecrets"
RENDER: Final = "parametermanager.RenderParameterVersion"
_SECRETS: Final = "google.cloud.secretmanager.v1.SecretManagerService"
_PARAMETERS: Final = "google.cloud.parametermanager.v1.ParameterManager"
_THREADS: Final = 160
_MAX_HOLD_SECONDS: Final = 120.0
_OPTIONS: Final = (
    ("grpc.so_reuseport", 0),
    # Google's servers close a connection that pings more often (HTTP/2 GOAWAY, too_many_pings).
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 300_000),
    ("grpc.http2.max_ping_strikes", 2),
)


class GoogleEmulator:
    """From `with` to its end.

    Attributes:
        target: host and port of both services, global and regional.
        logins: token exchange, IAM and metadata.
        store: what there is to read.
        calls: how often each operation was asked for: `secretmanager.AccessSecretVersion` -> n.
        faults: answers in place of ours; for the two services `code` is gRPC's, such as `UNAVAILABLE`, status 0 is
            silence, and `retry_after` comes as a RetryInfo.
        latency_seconds: how long each answer is held back.

    Args:
        now: seconds since 1970.
        project: where names without one belong.
    """

    def __init__(self, now: Callable[[], float] = time.time, project: str = PROJECT) -> None:
        self.target = ""
        self.calls: Counter[str] = Counter()
        self.faults = Faults()
        self.latency_seconds = 0.0
        self.store = GoogleStore(project)
        self.authority = Authority()
        self.logins = GoogleLogins(self._enter, now)
        self._denied: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self._gate = threading.Event()
        self._gate.set()
        self._stopped = threading.Event()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="google-")))
        certificate = self.authority.server()
        self.ca_file = folder / "ca.pem"
        self.authority.save(self.ca_file)
        self._stack.enter_context(self.logins.serving(certificate.context(folder)))
        server = grpc.server(ThreadPoolExecutor(_THREADS), options=_OPTIONS)
        server.add_generic_rpc_handlers((self._secrets(), self._parameters()))
        credentials = grpc.ssl_server_credentials([(certificate.key_pem, certificate.chain_pem)])
        self.target = f"localhost:{server.add_secure_port('localhost:0', credentials)}"
        server.start()
        self._stack.callback(lambda: server.stop(0).wait())
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._gate.set()
        self._stack.close()

    def deny(self, member: str, name: str) -> None:
        """Forbid a member to read a secret or parameter, whose name is in full, without the version."""
        self._denied.add((member, name))

    def allow(self, member: str, name: str) -> None:
        """Undo `deny`."""
        self._denied.discard((member, name))

    def hold(self) -> None:
        """Answer nothing until `release`."""
        self._gate.clear()

    def release(self) -> None:
        """Answer again, what waits first."""
        self._gate.set()

    def handed_out(self) -> tuple[str, ...]:
        """Tokens that were given away; no log may hold one."""
        return self.logins.handed_out()

    def _enter(self, operation: str) -> Fault | None:
        """Count a request, hold it back as long as it is due; the fault that answers it."""
        with self._lock:
            self.calls[operation] += 1
        self._stopped.wait(self.latency_seconds)
        self._gate.wait(_MAX_HOLD_SECONDS)
        return self.faults.take(operation)

    def _secrets(self) -> grpc.GenericRpcHandler:
        return grpc.method_handlers_generic_handler(
            _SECRETS,
            {
                "AccessSecretVersion": _handler(
                    self._access, service.AccessSecretVersionRequest, service.AccessSecretVersionResponse
                ),
                "ListSecrets": _handler(self._list, service.ListSecretsRequest, service.ListSecretsResponse),
            },
        )

    def _parameters(self) -> grpc.GenericRpcHandler:
        return grpc.method_handlers_generic_handler(
            _PARAMETERS,
            {
                "RenderParameterVersion": _handler(
                    self._render, parameters.RenderParameterVersionRequest, parameters.RenderParameterVersionResponse
                )
            },
        )

    def _access(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self._reading(ACCESS, request.name, context) as contents:
            name, data = contents
            payload = resources.SecretPayload(data=data, data_crc32c=google_crc32c.value(data))
            if (fault := self.faults.take("damage")) is not None:
                payload.data_crc32c += fault.times or 1
            return service.AccessSecretVersionResponse(name=name, payload=payload)

    def _render(self, request: Any, context: grpc.ServicerContext) -> Any:
        with self._reading(RENDER, request.name, context) as contents:
            name, data = contents
            return parameters.RenderParameterVersionResponse(parameter_version=name, rendered_payload=data)

    def _list(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._admit(LIST, request.parent, context)
        try:
            found, following = self.store.page(request.parent, request.filter, request.page_size, request.page_token)
        except Absent as error:
            context.abort(grpc.StatusCode[error.code], str(error))
        secrets = [resources.Secret(name=name, labels=labels) for name, labels in found.items()]
        return service.ListSecretsResponse(secrets=secrets, next_page_token=following)

    def _admit(self, operation: str, name: str, context: grpc.ServicerContext) -> None:
        """Let a request in, or end it."""
        fault = self._enter(operation)
        if fault is not None:
            if fault.status == 0:
                self._stopped.wait(_MAX_HOLD_SECONDS)
            if fault.retry_after is not None:
                context.set_trailing_metadata((("grpc-status-details-bin", _with_delay(fault)),))
            context.abort(grpc.StatusCode[fault.code], fault.message)
        metadata = dict(context.invocation_metadata())
        member = self.logins.member_of(str(metadata.get("authorization", "")).removeprefix("Bearer "))
        if member is None:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "Request had invalid authentication credentials.")
        if (member, name.partition("/versions/")[0]) in self._denied:
            right = "secretmanager.versions.access" if operation == ACCESS else operation
            context.abort(grpc.StatusCode.PERMISSION_DENIED, f"Permission '{right}' denied for resource '{name}'.")

    def _reading(self, operation: str, name: str, context: grpc.ServicerContext) -> "_Reading":
        self._admit(operation, name, context)
        return _Reading(self.store, name, context)


class _Reading:
    """What a name stands for; or the end of the request."""

    def __init__(self, store: GoogleStore, name: str, context: grpc.ServicerContext) -> None:
        self._store = store
        self._name = name
        self._context = context

    def __enter__(self) -> tuple[str, bytes]:
        try:
            return self._store.read(self._name)
        except Absent as error:
            self._context.abort(grpc.StatusCode[error.code], str(error))
            raise

    def __exit__(self, *_: object) -> None:
        """Nothing is held."""


def _with_delay(fault: Fault) -> bytes:
    """A google.rpc.Status with a RetryInfo among its details (googleapis, google/rpc/error_details.proto)."""
    status = status_pb2.Status(code=grpc.StatusCode[fault.code].value[0], message=fault.message)
    status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay={"seconds": fault.retry_after}))
    return bytes(status.SerializeToString())


def _handler(answer: Callable[[Any, grpc.ServicerContext], Any], request: Any, response: Any) -> Any:
    return grpc.unary_unary_rpc_method_handler(
        answer, request_deserializer=request.deserialize, response_serializer=response.serialize
    )
