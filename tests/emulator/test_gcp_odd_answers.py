"""What something answers in Google's place is told as that: no incident, and nothing of what was in it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from gcp_world import World, gcp_world
from sscsi_emulators.authority import Authority
from sscsi_provider_gcp.channels import Endpoints
from sscsi_shared.errors import AccessDenied, BackendUnavailable

NAME = "projects/my-project/secrets/a/versions/1"


class Odd(grpc.GenericRpcHandler):
    """Answers whatever it is asked with these details of a failure, or with this message."""

    def __init__(self, message: bytes, details: bytes) -> None:
        self._message, self._details = message, details

    def service(self, details: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(self._answer)

    def _answer(self, request: bytes, context: Any) -> bytes:
        if self._details:
            context.set_trailing_metadata((("grpc-status-details-bin", self._details),))
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "no")
        return self._message


@pytest.fixture
def world() -> Iterator[World]:
    with gcp_world() as world:
        yield world


def asked(world: World, message: bytes, details: bytes, tmp_path: Any) -> Exception:
    authority = Authority()
    authority.save(tmp_path / "ca.pem")
    with world.google.ca_file.open("ab") as stream:
        stream.write((tmp_path / "ca.pem").read_bytes())
    certificate = authority.server()
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((Odd(message, details),))
    credentials = grpc.ssl_server_credentials([(certificate.key_pem, certificate.chain_pem)])
    target = f"localhost:{server.add_secure_port('localhost:0', credentials)}"
    server.start()
    try:
        world.with_provider(endpoints=Endpoints(target, target, target, target))
        return world.refusal(f"- {{resourceName: {NAME}, fileName: a}}", seconds=5)
    finally:
        server.stop(0).wait()


@pytest.mark.parametrize("details", [b"\xffcanary", b"\x08\x00", b"\x08\x05\x12\x06canary"], ids=range(3))
def test_details_of_a_failure_that_are_none(world: World, details: bytes, tmp_path: Any) -> None:
    error = asked(world, b"", details, tmp_path)
    assert type(error) is BackendUnavailable
    assert f"{NAME}: the answer can't be read" in str(error)
    assert "canary" not in str(error)


def test_a_failure_with_sound_details_is_itself(world: World, tmp_path: Any) -> None:
    assert type(asked(world, b"", b"\x08\x07\x12\x02no", tmp_path)) is AccessDenied


def test_a_message_that_is_none(world: World, tmp_path: Any) -> None:
    error = asked(world, b"\xff\xff\xffcanary", b"", tmp_path)
    assert type(error) is BackendUnavailable
    assert "canary" not in str(error)
