"""Answers of Secret Manager and Parameter Manager, in protobuf, and of the token exchange."""

import atexit
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.cloud.parametermanager_v1.types import service as parameters
from google.cloud.secretmanager_v1.types import service

from fire.hostile.answers import Hostile, HostileServer, mounting
from fire.hostile.target import Target
from sscsi_emulators.authority import Authority
from sscsi_provider_gcp.channels import Endpoints
from sscsi_provider_gcp.provider import GcpProvider
from sscsi_shared.cluster import NoCluster, ServiceAccount
from sscsi_shared.deadline import Deadline

_POOL = "my-project.svc.id.goog"
_CLUSTER = {"PROJECT": "my-project", "CLUSTER_LOCATION": "europe-west1", "CLUSTER_NAME": "c1"}
_LOGIN = json.dumps(
    {"access_token": "t", "expires_in": 3600, "token_type": "Bearer", "issued_token_type": "x"}
).encode()
_NAME = "projects/my-project/secrets/a/versions/3"
_CODES = (
    None,
    None,
    None,
    None,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.INVALID_ARGUMENT,
)


class _OneCluster(NoCluster):
    def service_account(self, namespace: str, name: str, deadline: Deadline) -> ServiceAccount:
        del deadline
        return ServiceAccount(namespace, name, "u", {})


class _Anything(grpc.GenericRpcHandler):
    """Answers as the input says what the target asks first, and the rest soundly.

    Args:
        hostile: what to answer.
        method: that is asked first.
        sound: bodies of sound answers, by method.
    """

    def __init__(self, hostile: Hostile, method: str, sound: Mapping[str, bytes]) -> None:
        self._hostile, self._method, self._answers = hostile, method, sound

    def service(self, details: Any) -> Any:
        """See grpc.GenericRpcHandler."""
        method = details.method.rpartition("/")[2]
        if self._hostile.login or method != self._method:
            return grpc.unary_unary_rpc_method_handler(lambda *_: self._answers[method])
        return grpc.unary_unary_rpc_method_handler(self._answer)

    def _answer(self, request: bytes, context: Any) -> bytes:
        del request
        code = (
            _CODES[(200, 400, 403, 404, 500).index(self._hostile.status) + 3] if self._hostile.status != 200 else None
        )
        if code is not None:
            context.set_trailing_metadata((("grpc-status-details-bin", self._hostile.body[:2048]),))
            context.abort(code, self._hostile.body.decode("utf-8", "replace")[:2048])
        return self._hostile.body


def targets() -> Sequence[Target]:
    """One for each kind of object."""
    secret = service.AccessSecretVersionResponse(name=_NAME, payload={"data": b'{"k": "x"}'})
    listed = service.ListSecretsResponse(secrets=[{"name": "projects/1/secrets/a"}], total_size=1)
    rendered = parameters.RenderParameterVersionResponse(
        parameter_version="projects/p/locations/global/parameters/x/versions/v", rendered_payload=b"x"
    )
    sound = {
        "AccessSecretVersion": (
            f"- {{resourceName: {_NAME}, fileName: a, extractJSONKey: k}}",
            service.AccessSecretVersionResponse.serialize(secret),
        ),
        "ListSecrets": (
            "- {resourceName: projects/my-project, select: {prefix: a}}",
            service.ListSecretsResponse.serialize(listed),
        ),
        "RenderParameterVersion": (
            "- {resourceName: projects/my-project/locations/global/parameters/x/versions/v, fileName: a}",
            parameters.RenderParameterVersionResponse.serialize(rendered),
        ),
    }
    certificate_of = Authority()
    made = []
    answers = {method: body for method, (_, body) in sound.items()}
    for name, (secrets, _) in sound.items():
        hostile = Hostile()
        logins = HostileServer(hostile, _LOGIN, lambda *_: True, b"")
        logins.__enter__()
        server = grpc.server(
            ThreadPoolExecutor(4), options=(("grpc.so_reuseport", 0), ("grpc.max_send_message_length", -1))
        )
        server.add_generic_rpc_handlers((_Anything(hostile, name, answers),))
        certificate = certificate_of.server()
        credentials = grpc.ssl_server_credentials([(certificate.key_pem, certificate.chain_pem)])
        target = f"localhost:{server.add_secure_port('localhost:0', credentials)}"
        server.start()
        atexit.register(server.stop, 0)
        provider = GcpProvider(
            endpoints=Endpoints(target, target, target, target),
            exchange=f"{logins.url}/v1/token",
            iam=logins.url,
            ca_bundle=_saved(certificate_of),
            environ=_CLUSTER,
            attempt_seconds=1.0,
        )
        bodies = [one for _, one in sound.values()] + [_LOGIN]
        known = (
            b"\x0a",
            b"\x12",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x0a\xff\xff\xff\x7f",
            b"\x1a\x00",
            b"\xff\xff\xff\xff\x0f",
        )
        made.append(
            mounting(name, hostile, provider, _OneCluster(), _POOL, {"secrets": secrets}, bodies, known, seconds=3)
        )
    return made


def _saved(authority: Authority) -> Any:
    import tempfile
    from pathlib import Path

    path = Path(tempfile.mkdtemp(prefix="fire-ca-", dir="/tmp")) / "ca.pem"
    authority.save(path)
    return path
