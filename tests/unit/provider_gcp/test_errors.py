"""What Google Cloud answers instead of content, in the house's words."""

import pytest
from google.api_core import exceptions

from sscsi_provider_gcp.errors import exchange_error, object_error
from sscsi_provider_gcp.identity import GcpIdentity
from sscsi_provider_gcp.parameters import Auth
from sscsi_provider_gcp.resources import read_resource
from sscsi_shared.errors import AuthenticationFailed, BackendThrottled, BackendUnavailable, MountError
from sscsi_shared.http import Answer

IDENTITY = GcpIdentity(
    Auth.POD, "shop", "web", "uid", "https://issuer.example", "p.svc.id.goog", "identitynamespace:p.svc.id.goog:x",
    "", (), "", (), "", (),
)  # fmt: skip
RESOURCE = read_resource("projects/p/secrets/s/versions/latest")


@pytest.mark.parametrize(
    ("status", "said", "kind", "hint"),
    [
        (400, "token is expired", AuthenticationFailed, "compare the node's clock."),
        (400, "Token is not valid yet (nbf)", AuthenticationFailed, "compare the node's clock."),
        (400, "The issuer is not allowed", AuthenticationFailed, "audience p.svc.id.goog."),
        (429, "slower", BackendThrottled, "Google limits logins; the next try comes by itself."),
        (503, "broken", BackendUnavailable, "Google is failing; the next try comes by itself."),
    ],
)
def test_logins_say_what_to_check(status: int, said: str, kind: type[MountError], hint: str) -> None:
    body = f'{{"error": "invalid_grant", "error_description": "{said}"}}'.encode()
    found = exchange_error(Answer(status, body, 4.0), IDENTITY)
    assert type(found) is kind
    assert found.hint.endswith(hint)
    assert found.retry_after == (None if status == 400 else 4.0)


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("Ssl handshake failed: CERTIFICATE_VERIFY_FAILED", "check the certificate's authority (--ca-bundle)"),
        ("Hostname Verification Check failed.", "check the certificate's authority (--ca-bundle)"),
        ("Connection refused", "Check the way to Secret Manager"),
    ],
)
def test_reads_say_what_to_check(said: str, hint: str) -> None:
    found = object_error(exceptions.ServiceUnavailable(said), RESOURCE, IDENTITY)  # type: ignore[no-untyped-call]
    assert isinstance(found, BackendUnavailable)
    assert hint in found.hint
