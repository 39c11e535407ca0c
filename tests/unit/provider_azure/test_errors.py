"""What Entra, the metadata server and Key Vault answer instead of content, in the house's errors."""

import json
import uuid
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)

from azure_identity import IDENTITY
from azure_stage import CLIENT
from sscsi_emulators.azure_store import TENANT
from sscsi_provider_azure.errors import is_worth_another_try, login_error, object_error
from sscsi_provider_azure.identity import Auth
from sscsi_provider_azure.parameters import WRAPPED
from sscsi_shared.errors import (
    AccessDenied,
    AuthenticationFailed,
    BackendThrottled,
    BackendUnavailable,
    MountError,
    ObjectNotFound,
    ObjectUnusable,
)

NAME = "ClientAssertionCredential"
VAULT = "kv.vault.azure.net"
SHOWN = f"{WRAPPED}failed to get objectType:secret, objectName:s, objectVersion:: GET https://{VAULT}/secrets/s/"
MANAGED = replace(IDENTITY, auth=Auth.MANAGED, client="")


class Reply:
    """An answer as the SDKs hand it over."""

    def __init__(self, status: int, body: Any = "", headers: dict[str, str] | None = None, *, token: str = "t") -> None:
        self.status_code = status
        self.reason = "Odd"
        self.headers = headers or {}
        self.request = SimpleNamespace(headers={"Authorization": f"Bearer {token}"} if token else {})
        self._text = body if isinstance(body, str) else json.dumps(body)

    def text(self) -> str:
        return self._text

    def json(self) -> Any:
        return json.loads(self._text)


def aadsts(code: int, said: str = "words", error: str = "invalid_client", *, lines: bool = False) -> dict[str, Any]:
    """As Entra words it: no two are the same."""
    trace, correlation = uuid.uuid4(), uuid.uuid4()
    space = "\r\n" if lines else " "
    at = f"2026-01-0{trace.int % 9 + 1} 10:11:12Z"
    tail = f"{space}Trace ID: {trace}{space}Correlation ID: {correlation}{space}Timestamp: {at}"
    return {"error": error, "error_description": f"AADSTS{code}: {said}{tail}", "trace_id": str(trace)}


def login(reply: Reply | None, identity: Any = IDENTITY, error: AzureError | None = None) -> MountError:
    return login_error(error or ClientAuthenticationError("Authentication failed: words"), reply, identity, NAME)


def read(error: AzureError, tenant: str = TENANT, kind: str = "secret", identity: Any = IDENTITY) -> MountError:
    return object_error(error, SHOWN, kind, identity, VAULT, tenant)


def refused(status: int, code: str = "", message: str = "", inner: str = "", **more: Any) -> HttpResponseError:
    body: dict[str, Any] = {"code": code, "message": message} | ({"innererror": {"code": inner}} if inner else {})
    return HttpResponseError(response=Reply(status, {"error": body}, **more))


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (90002, f"There is no tenant {TENANT} at https://login.microsoftonline.com: check tenantID and cloudName."),
        (900023, f"There is no tenant {TENANT} at "),
        (700016, f"There is no client {CLIENT} in tenant {TENANT}: check clientID and tenantID."),
        (70021, f"The federated credential of client {CLIENT} has another issuer, subject or audience."),
        (700211, "has another issuer. It needs issuer https://issuer.example, subject system:serviceaccount:shop:web"),
        (700212, "has another audience. "),
        (700213, "has another subject. "),
        (7002138, "has another issuer, subject or audience."),
        (50013, "Entra can't check the token: its issuer https://issuer.example has to be public"),
        (50166, "Entra can't check the token"),
        (500133, "Entra can't check the token"),
        (700024, "The service account's token has ended"),
        (7000215, f"clientsecret of nodePublishSecretRef is wrong or has ended for client {CLIENT}."),
        (7000222, "clientsecret of nodePublishSecretRef is wrong or has ended"),
        (53003, f"A conditional access policy refuses client {CLIENT} from here."),
        (7000112, f"Client {CLIENT} is disabled."),
        (500011, f"Tenant {TENANT} does not know https://vault.azure.net/.default: check cloudName."),
        (123456, f"Asked as client {CLIENT} in tenant {TENANT} for system:serviceaccount:shop:web."),
    ],
)
def test_each_code_has_its_own_advice(code: int, hint: str) -> None:
    error = login(Reply(400, aadsts(code)))
    assert type(error) is AuthenticationFailed
    assert error.message == f"{WRAPPED}{NAME} authentication failed: AADSTS{code}: words."
    assert hint in error.hint


@pytest.mark.parametrize("lines", [False, True])
@pytest.mark.parametrize(
    "said",
    [
        "words.",
        "Not valid. Current time: {at}, assertion valid from {at}, expiry time of assertion {at}.",
    ],
)
def test_texts_are_the_same_between_tries(said: str, lines: bool) -> None:
    texts = set()
    for hour in range(3):
        body = aadsts(700024, said.format(at=f"2026-01-01T0{hour}:00:00.0000000Z"), lines=lines)
        texts.add(str(login(Reply(401, body))))
    (text,) = texts
    for word in ("Trace", "Correlation", "Timestamp", "2026", "10:11:12"):
        assert word not in text


@pytest.mark.parametrize(
    ("reply", "kind", "retry_after"),
    [
        (Reply(429, aadsts(90055), {"Retry-After": "7"}), BackendThrottled, 7),
        (Reply(429, ""), BackendThrottled, None),
        (Reply(500, aadsts(90033)), BackendUnavailable, None),
        (Reply(503, "<html>", {"Retry-After": "3"}), BackendUnavailable, 3),
        (Reply(404, "not found"), AuthenticationFailed, None),
        (Reply(200, "<html>"), BackendUnavailable, None),
        (Reply(302, ""), BackendUnavailable, None),
        (Reply(400, "[1]"), AuthenticationFailed, None),
        (Reply(400, "[" * 100_000), AuthenticationFailed, None),
        (Reply(400, {"error_description": 5}), AuthenticationFailed, None),
        (None, BackendUnavailable, None),
    ],
)
def test_what_a_login_comes_to(reply: Reply | None, kind: type[MountError], retry_after: float | None) -> None:
    error = login(reply)
    assert type(error) is kind
    assert error.message.startswith(WRAPPED + NAME)
    assert error.retry_after == retry_after
    assert len(str(error)) < 1000


def test_a_page_of_somebody_else_is_not_told() -> None:
    """A proxy's, with a number of its own each time."""
    error = ClientAuthenticationError("Unexpected response from Microsoft Entra ID: <html>canary")
    for status in (200, 302, 403, 404, 502):
        said = str(login(Reply(status, "<html>canary"), error=error))
        assert "canary" not in said
        assert ("the answer can't be read" if status < 400 else f"authentication failed: status {status}.") in said


def test_who_did_not_answer() -> None:
    assert "ClientAssertionCredential (https://login.microsoftonline.com): no answer" in str(login(None))
    assert "the metadata server" in str(login(None, MANAGED))


def test_an_answer_of_the_error_itself_counts_first() -> None:
    error = ClientAuthenticationError("x", response=Reply(400, aadsts(700016)))
    assert "AADSTS700016" in str(login(Reply(500), error=error))


@pytest.mark.parametrize(
    ("identity", "hint"),
    [
        (MANAGED, "Has the node a system-assigned identity?"),
        (replace(MANAGED, client=CLIENT), f"Is {CLIENT} assigned to the node's scale set?"),
    ],
)
def test_a_nodes_identity(identity: Any, hint: str) -> None:
    error = login(Reply(400, {"error": "invalid_request", "error_description": "Identity not found"}), identity)
    assert "authentication failed: Identity not found." in str(error)
    assert hint in error.hint


@pytest.mark.parametrize(
    ("error", "kind", "hint"),
    [
        (refused(404, "SecretNotFound", "A secret was not found."), ObjectNotFound, f"and vault ({VAULT})"),
        (refused(403, "Forbidden", "no", "ForbiddenByRbac"), AccessDenied, "--role 'Key Vault Secrets User'"),
        (refused(403, "Forbidden", "no", "ForbiddenByPolicy"), AccessDenied, "--secret-permissions get list"),
        (refused(403, "Forbidden", "no", "ForbiddenByFirewall"), AccessDenied, "network-rule add --name kv "),
        (refused(403, "Forbidden", "no"), AccessDenied, "az role assignment create"),
        (refused(403, "Forbidden", "no", "SecretDisabled"), ObjectUnusable, "Enable the version"),
        (refused(400, "BadParameter", "bad"), ObjectUnusable, "refused the request itself"),
        (refused(409, "Conflict", "bad"), ObjectUnusable, "refused the request itself"),
        (refused(429, "Throttled", "slow"), BackendThrottled, "limit is used up"),
        *((refused(status, "x", "y"), BackendUnavailable, "comes by itself") for status in (408, 500, 502, 503, 504)),
    ],
)
def test_reads(error: HttpResponseError, kind: type[MountError], hint: str) -> None:
    found = read(error)
    assert type(found) is kind
    assert found.message.startswith(f"{SHOWN}: RESPONSE {error.status_code}, ERROR CODE: ")
    assert hint in found.hint
    assert is_worth_another_try(found) is (kind in {BackendThrottled, BackendUnavailable})


@pytest.mark.parametrize(
    ("kind", "role", "policy"),
    [
        ("secret", "Key Vault Secrets User", "--secret-permissions"),
        ("key", "Key Vault Reader", "--key-permissions"),
        ("cert", "Key Vault Reader", "--certificate-permissions"),
    ],
)
def test_what_to_grant(kind: str, role: str, policy: str) -> None:
    said = str(read(refused(403, "Forbidden", "no", "ForbiddenByRbac"), kind=kind))
    assert f"--role '{role}' --assignee {CLIENT} --scope $(az keyvault show --name kv " in said
    assert policy in str(read(refused(403, "Forbidden", "no", "ForbiddenByPolicy"), kind=kind))
    assert "(the node's identity)" in str(read(refused(403, "Forbidden", "no"), kind=kind, identity=MANAGED))


@pytest.mark.parametrize(
    ("tenant", "identity", "token", "hint"),
    [
        ("other", IDENTITY, "t", f"{VAULT} belongs to tenant other, but tenantID of the class is {TENANT}."),
        (TENANT.upper(), IDENTITY, "t", f"{VAULT} does not take the token of client {CLIENT}"),
        ("", IDENTITY, "t", f"{VAULT} does not take the token of client {CLIENT}"),
        ("other", MANAGED, "t", "does not take the token of the node's managed identity"),
        ("", IDENTITY, "", f"What {VAULT} says of who gives tokens for it"),
    ],
)
def test_a_token_that_is_not_taken(tenant: str, identity: Any, token: str, hint: str) -> None:
    error = read(refused(401, "Unauthorized", "AKV10032: Invalid issuer.", token=token), tenant, identity=identity)
    assert type(error) is AuthenticationFailed
    assert hint in error.hint


@pytest.mark.parametrize(
    "body", ["", "<html>", "[]", "{}", '{"error": 5}', '{"error": {"message": []}}', "[" * 100_000]
)
@pytest.mark.parametrize("status", [401, 403, 404, 429, 503, 418])
def test_answers_that_are_no_errors_of_key_vault(status: int, body: str) -> None:
    error = read(HttpResponseError(response=Reply(status, body)))
    assert f"RESPONSE {status}, ERROR CODE: unknown" in str(error)
    assert len(str(error)) < 1200


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "2"}, 2),
        ({"Retry-After": "0.5"}, 0.5),
        ({"Retry-After-Ms": "1500", "Retry-After": "9"}, 1.5),
        ({"x-ms-retry-after-ms": "250"}, 0.25),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "99999"}, None),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    for error in (read(refused(429, "Throttled", "", headers=headers)), login(Reply(429, "", headers))):
        assert error.retry_after == seconds


def test_advice_about_what_was_deleted_is_left_out() -> None:
    said = (
        "A secret with (name/id) s was not found in this key vault. If you recently deleted this secret you may be able"
    )
    assert "recently" not in str(read(refused(404, "SecretNotFound", said)))


def cause(text: str) -> Exception:
    inner = ConnectionError(text)
    outer = ConnectionError("HTTPSConnectionPool(host='kv.vault.azure.net', port=443): <0x7f1234>")
    outer.__cause__ = inner
    inner.__cause__ = outer
    return outer


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ServiceRequestTimeoutError("x"), "timeout"),
        (ServiceResponseTimeoutError("x"), "timeout"),
        (ServiceRequestError("x", error=cause("[SSL: CERTIFICATE_VERIFY_FAILED]")), "its certificate can't be trusted"),
        (ServiceRequestError("x", error=cause("[Errno -2] Name or service not known")), "its name can't be resolved"),
        (ServiceRequestError("x", error=cause("NameResolutionError")), "its name can't be resolved"),
        (ServiceRequestError("x", error=cause("Tunnel connection failed: 403")), "the proxy refuses"),
        (ServiceRequestError("x", error=cause("reset")), "ConnectionError"),
        (ServiceResponseError("x"), "ServiceResponseError"),
    ],
)
def test_silence(error: AzureError, why: str) -> None:
    """The SDK's own text holds addresses of memory, which differ each time."""
    found = read(error)
    assert type(found) is BackendUnavailable
    assert f"{SHOWN}: no answer ({why})." in str(found)
    assert f"no answer: {why}." in str(login(None, error=error))
    assert "0x7f1234" not in str(found)


def test_what_was_sent_is_never_told() -> None:
    """Neither the request's headers nor the text that the SDK makes of it all."""
    canary = "eyJhbGciOiJub25lIn0.canary"
    reply = Reply(401, {"error": {"code": "Unauthorized", "message": "no"}}, {"WWW-Authenticate": canary}, token=canary)
    for error in (HttpResponseError(response=reply), HttpResponseError(canary, response=reply)):
        assert "canary" not in str(read(error))
    silent = ServiceRequestError(canary, error=ConnectionError(canary))
    assert "canary" not in str(read(silent))
    assert "canary" not in str(login(None, error=silent))
    assert "canary" not in str(login(Reply(400, aadsts(50013)), error=ClientAuthenticationError(canary)))
