"""Azure's logins on loopback: Entra's refusals, discovery, AD FS, metadata server, pod identity, identity binding."""

import socket
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential, CredentialUnavailableError, ManagedIdentityCredential
from cryptography import x509

from azure_sdk import CLIENT, SUBJECT, AzureSdk, Reply
from sscsi_emulators.azure import API_SERVER, binding_name
from sscsi_emulators.azure_logins import BINDING
from sscsi_emulators.azure_node import IMDS, NMI
from sscsi_emulators.azure_store import SUFFIX, TENANT
from sscsi_emulators.faults import Fault
from sscsi_emulators.tokens import unsigned_token

SCOPE = f"https://{SUFFIX}/.default"
LOGIN = "https://login.microsoftonline.com"
BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
OTHER = "1f9a4b7e-0d52-4c3f-8d27-6f1b2a9c4e10"


@pytest.fixture
def sdk() -> Iterator[AzureSdk]:
    with AzureSdk() as sdk:
        sdk.azure.store.put_secret(sdk.vault, "s", "x")
        yield sdk


def form(assertion: str, **changes: str) -> dict[str, str]:
    found = {
        "grant_type": "client_credentials",
        "client_id": CLIENT,
        "scope": SCOPE,
        "client_assertion_type": BEARER,
        "client_assertion": assertion,
    }
    return {name: value for name, value in (found | changes).items() if value}


def post(sdk: AzureSdk, fields: dict[str, str], tenant: str = TENANT, login: str = LOGIN, **headers: str) -> Reply:
    headers = {"Content-Type": "application/x-www-form-urlencoded"} | headers
    return sdk.ask("POST", f"{login}/{tenant}/oauth2/v2.0/token", body=urlencode(fields), headers=headers)


def claims(sdk: AzureSdk, **changes: object) -> str:
    """A token that nobody signed."""
    return unsigned_token("shop", "web", "api://AzureADTokenExchange", **{"iss": sdk.kubernetes.issuer} | changes)


REFUSALS: dict[str, tuple[int, str, dict[str, Any], str]] = {
    "no such tenant": (90002, "invalid_request", {"tenant": OTHER}, f"Tenant '{OTHER}' not found."),
    "no such application": (
        700016,
        "unauthorized_client",
        {"client_id": OTHER},
        f"Application with identifier '{OTHER}' was not found in the directory '{TENANT}'.",
    ),
    "issuer": (
        700211,
        "invalid_client",
        {"claims": {"iss": "https://elsewhere"}},
        "No matching federated identity record found for presented assertion issuer 'https://elsewhere'.",
    ),
    "audience": (
        700212,
        "invalid_client",
        {"claims": {"aud": ["sts.amazonaws.com"]}},
        "No matching federated identity record found for presented assertion audience 'sts.amazonaws.com'.",
    ),
    "subject": (
        700213,
        "invalid_client",
        {"claims": {"sub": "system:serviceaccount:shop:db"}},
        "No matching federated identity record found for presented assertion subject 'system:serviceaccount:shop:db'.",
    ),
    "signature": (50013, "invalid_client", {"claims": {}}, "Assertion failed signature validation."),
    "no token": (50013, "invalid_client", {"client_assertion": "junk"}, "Assertion failed signature validation."),
    "no credential": (7000216, "invalid_client", {"client_assertion": ""}, "'client_assertion', 'client_secret' or"),
    "scope": (
        1002012,
        "invalid_scope",
        {"scope": "https://vault.azure.net"},
        "The provided value for scope https://vault.azure.net is not valid.",
    ),
    "resource": (
        500011,
        "invalid_resource",
        {"scope": "https://vault.azure.cn/.default"},
        f"The resource principal named https://vault.azure.cn was not found in the tenant named {TENANT}.",
    ),
    "grant": (70003, "unsupported_grant_type", {"grant_type": "password"}, "The app requested an unsupported grant"),
    "no client": (
        900144,
        "invalid_request",
        {"client_id": ""},
        "The request body must contain the following parameter: 'client_id'.",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_of_entra(sdk: AzureSdk, name: str) -> None:
    code, error, given, text = REFUSALS[name]
    changes = dict(given)
    tenant = changes.pop("tenant", TENANT)
    assertion = claims(sdk, **changes.pop("claims")) if "claims" in changes else sdk.token()
    fields = form(assertion, **changes)
    one, two = (post(sdk, fields, tenant) for _ in range(2))
    body = one.body
    assert (one.status, body["error"], body["error_codes"]) == (
        401 if error == "invalid_client" else 400,
        error,
        [code],
    )
    assert body["error_description"].startswith(f"AADSTS{code}: {text}")
    tail = f"Trace ID: {body['trace_id']} Correlation ID: {body['correlation_id']} Timestamp: {body['timestamp']}"
    assert body["error_description"].endswith(tail)
    assert body["error_uri"] == f"{LOGIN}/error?code={code}"
    assert body["trace_id"] != two.body["trace_id"]
    assert body["correlation_id"] != two.body["correlation_id"]
    assert sdk.azure.calls["token"] == 2
    assert not sdk.azure.logins.handed_out()


def test_an_old_assertion(sdk: AzureSdk) -> None:
    token = sdk.token()
    sdk.clock.at += 3601
    body = post(sdk, form(token), **{"client-request-id": "mine"}).body
    assert (body["error"], body["error_codes"], body["correlation_id"]) == ("invalid_client", [700024], "mine")
    said = "assertion valid from 2027-01-15T08:00:00.0000000Z, expiry time of assertion 2027-01-15T09:00:00.0000000Z."
    assert said in body["error_description"]


def test_an_application_without_credentials_and_one_that_is_refused(sdk: AzureSdk) -> None:
    sdk.azure.logins.secret(OTHER, TENANT, "h+7Q")
    body = post(sdk, form(sdk.token(), client_id=OTHER)).body
    assert body["error_codes"] == [70021]
    assert f"Assertion Issuer: '{sdk.kubernetes.issuer}'. Assertion Subject: '{SUBJECT}'." in body["error_description"]
    for code in (53003, 7000112):
        sdk.azure.logins.refuse(CLIENT, TENANT, code)
        with pytest.raises(ClientAuthenticationError, match=f"AADSTS{code}"):
            sdk.secrets().get_secret("s")
    sdk.azure.logins.refuse(CLIENT, TENANT, None)
    assert sdk.secrets().get_secret("s").value == "x"


def test_a_cluster_that_entra_does_not_reach() -> None:
    with AzureSdk(trusted=False) as sdk:
        assert post(sdk, form(sdk.token())).body["error_codes"] == [50166]


def test_an_audience_of_ones_own(sdk: AzureSdk) -> None:
    sdk.azure.logins.federate(OTHER, TENANT, sdk.kubernetes.issuer, SUBJECT, "api://AzureADTokenExchangeUSGov")
    assert post(sdk, form(sdk.token("api://AzureADTokenExchangeUSGov"), client_id=OTHER)).status == 200
    assert post(sdk, form(sdk.token(), client_id=OTHER)).body["error_codes"] == [700212]


def test_a_token(sdk: AzureSdk) -> None:
    sdk.azure.logins.seconds = 900
    reply = post(sdk, form(sdk.token(), scope=f"{SCOPE} openid offline_access profile"))
    token = reply.body.pop("access_token")
    assert reply.body == {"token_type": "Bearer", "expires_in": 900, "ext_expires_in": 900}
    access = sdk.azure.logins.access(token)
    assert access is not None
    assert (access.client_id, access.tenant, access.resource) == (CLIENT, TENANT, f"https://{SUFFIX}")
    assert sdk.azure.logins.handed_out() == (token,)
    assert sdk.get("/secrets/s?api-version=7.4", token).status == 200


def test_a_client_secret(sdk: AzureSdk) -> None:
    sdk.azure.logins.secret(OTHER, TENANT, "h+7Q")

    def read(value: str, **more: Any) -> str | None:
        credential = ClientSecretCredential(TENANT, OTHER, value, **sdk.options, **more)
        return sdk.secrets(sdk.stack.enter_context(credential)).get_secret("s").value

    assert read("h+7Q", disable_instance_discovery=True) == "x"
    assert (sdk.azure.calls["discovery"], sdk.azure.calls["openid"], sdk.azure.calls["token"]) == (0, 1, 1)
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215: Invalid client secret provided"):
        read("wrong")
    assert sdk.azure.calls["discovery"] == 1, "the SDK asks unless it is told not to"


def test_an_authority_that_nobody_knows_is_discovered(sdk: AzureSdk) -> None:
    sdk.azure.logins.secret(OTHER, TENANT, "h+7Q")
    host = f"{sdk.vault}.vault.localhost"
    sdk.azure.store.put_secret(host, "s", "own cloud")

    def read(**more: Any) -> str | None:
        credential = ClientSecretCredential(TENANT, OTHER, "h+7Q", authority="login.localhost", **sdk.options, **more)
        return sdk.secrets(sdk.stack.enter_context(credential), "vault.localhost").get_secret("s").value

    with pytest.raises(ClientAuthenticationError, match="is not well-known"):
        read()
    assert (sdk.azure.calls["discovery"], sdk.azure.calls["token"]) == (1, 0)
    assert read(disable_instance_discovery=True) == "own cloud"
    assert (sdk.azure.calls["discovery"], sdk.azure.calls["openid"], sdk.azure.calls["token"]) == (1, 1, 1)
    known = sdk.ask(
        "GET", f"{LOGIN}/common/discovery/instance?authorization_endpoint={LOGIN}/{TENANT}/oauth2/authorize"
    )
    assert known.body["tenant_discovery_endpoint"] == f"{LOGIN}/{TENANT}/v2.0/.well-known/openid-configuration"
    unknown = sdk.ask("GET", f"{LOGIN}/{OTHER}/v2.0/.well-known/openid-configuration")
    assert (unknown.status, unknown.body["error"], unknown.body["error_codes"]) == (400, "invalid_tenant", [90002])


def test_ad_fs(sdk: AzureSdk) -> None:
    sdk.azure.logins.secret(OTHER, "adfs", "h+7Q")
    host = f"{sdk.vault}.vault.localhost"
    sdk.azure.store.vault(host, "adfs")
    sdk.azure.store.put_secret(host, "s", "x")
    credential = ClientSecretCredential("adfs", OTHER, "h+7Q", authority="login.localhost", **sdk.options)
    sdk.stack.enter_context(credential)
    assert sdk.secrets(credential, "vault.localhost").get_secret("s").value == "x"
    assert (sdk.azure.calls["discovery"], sdk.azure.calls["openid"], sdk.azure.calls["token"]) == (0, 1, 1)


def managed(sdk: AzureSdk, monkeypatch: pytest.MonkeyPatch, **more: Any) -> ManagedIdentityCredential:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", sdk.azure.metadata_url)
    return sdk.stack.enter_context(ManagedIdentityCredential(**more))


def test_a_nodes_identity(sdk: AzureSdk, monkeypatch: pytest.MonkeyPatch) -> None:
    sdk.azure.node.assign(CLIENT)
    sdk.azure.node.assign(OTHER, system=True)
    for client_id in (CLIENT, ""):
        credential = managed(sdk, monkeypatch, **{"client_id": client_id} if client_id else {})
        assert sdk.secrets(credential).get_secret("s").value == "x"
    given = [sdk.azure.logins.access(token) for token in sdk.azure.logins.handed_out()]
    assert [access.client_id for access in given if access] == [CLIENT, OTHER]
    assert (sdk.azure.calls["imds"], sdk.azure.calls["token"]) == (2, 0)


def test_what_the_metadata_server_refuses(sdk: AzureSdk, monkeypatch: pytest.MonkeyPatch) -> None:
    for client_id in ("one", "two"):
        sdk.azure.node.assign(client_id)
    with pytest.raises(CredentialUnavailableError, match="Identity not found"):
        sdk.secrets(managed(sdk, monkeypatch, client_id=CLIENT)).get_secret("s")
    flag = {"Metadata": "true"}
    asked = {"resource": f"https://{SUFFIX}", "api-version": "2018-02-01"}
    texts = [
        ({}, asked, "Required metadata header not specified"),
        (flag | {"X-Forwarded-For": "10.0.0.1"}, asked, "Required metadata header not specified"),
        (flag, {"api-version": "2018-02-01"}, "Required query variable 'resource' is missing"),
        (flag, asked, "Multiple user assigned identities exist, please specify the clientId / resourceId of the"),
    ]
    for headers, query, text in texts:
        reply = sdk.ask("GET", f"http://169.254.169.254{IMDS}", fields=query, headers=headers)
        assert (reply.status, reply.body["error"]) == (400, "invalid_request")
        assert reply.body["error_description"].startswith(text)
    assert sdk.ask("GET", "http://169.254.169.254/metadata/instance", headers=flag).status == 404


def test_the_metadata_servers_answer(sdk: AzureSdk) -> None:
    sdk.azure.node.assign(CLIENT)
    query = {"resource": f"https://{SUFFIX}", "client_id": CLIENT}
    body = sdk.ask("GET", f"{sdk.azure.metadata_url}{IMDS}", fields=query, headers={"Metadata": "true"}).body
    assert int(body["expires_on"]) - int(body["not_before"]) == int(body["expires_in"]) == 3599
    assert (body["client_id"], body["resource"], body["token_type"]) == (CLIENT, f"https://{SUFFIX}", "Bearer")
    assert sdk.get("/secrets/s?api-version=7.4", body["access_token"]).status == 200


def test_a_pods_identity(sdk: AzureSdk) -> None:
    sdk.azure.node.bind_pod("shop", "web-0", CLIENT)
    address = f"http://localhost:2579{NMI}?resource=https://{SUFFIX}"
    body = sdk.ask("GET", address, headers={"podns": "shop", "podname": "web-0"}).body
    assert body["clientid"] == CLIENT
    assert sdk.get("/secrets/s?api-version=7.4", body["token"]["access_token"]).status == 200
    assert sdk.ask("GET", address).status == 400
    other = sdk.ask("GET", address, headers={"podns": "shop", "podname": "db-0"})
    assert (other.status, other.body) == (404, "no AzureAssignedIdentity found for pod:shop/db-0 in assigned state")
    assert sdk.azure.calls["nmi"] == 3


def bound(sdk: AzureSdk, assertion: str, name: str = "") -> tuple[int, Any]:
    """An answer of the proxy for identity bindings, under a TLS server name."""
    name = name or sdk.azure.binding_name
    pool = urllib3.HTTPSConnectionPool(
        "127.0.0.1", sdk.azure.host.port, ca_certs=str(sdk.azure.ca_file), server_hostname=name, retries=False
    )
    with pool:
        path = f"/binding/{TENANT}/oauth2/v2.0/token"
        reply = pool.request_encode_body("POST", path, form(assertion), encode_multipart=False)
        return reply.status, reply.json() if reply.status != 404 else None


def test_an_identity_binding(sdk: AzureSdk) -> None:
    assert bound(sdk, sdk.token(BINDING))[1]["error_codes"] == [70021], "a federated credential is none"
    sdk.azure.logins.federate(CLIENT, TENANT, sdk.kubernetes.issuer, SUBJECT, BINDING)
    status, body = bound(sdk, sdk.token(BINDING))
    assert status == 200
    assert sdk.get("/secrets/s?api-version=7.4", body["access_token"]).status == 200
    assert bound(sdk, sdk.token())[1]["error_codes"] == [700212]
    assert post(sdk, form(sdk.token(BINDING))).body["error_codes"] == [700212], "it counts nowhere else"
    assert bound(sdk, sdk.token(BINDING), binding_name("another"))[0] == 404
    assert (sdk.azure.calls["binding"], sdk.azure.calls["token"]) == (4, 1)


def test_a_clusters_name_is_in_its_api_servers_certificate(sdk: AzureSdk) -> None:
    context = ssl.create_default_context(cafile=str(sdk.azure.ca_file))
    with (
        socket.create_connection(("127.0.0.1", sdk.azure.host.port)) as plain,
        context.wrap_socket(plain, server_hostname=API_SERVER) as secure,
    ):
        shown = x509.load_der_x509_certificate(secure.getpeercert(binary_form=True) or b"")
    names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    (found,) = (name for name in names.get_values_for_type(x509.DNSName) if name.startswith("hcp-kubernetes."))
    name = binding_name(found.removeprefix("hcp-kubernetes.").removesuffix(".svc.cluster.local"))
    assert name == sdk.azure.binding_name
    assert (name[0], len(name.partition(".")[0]), name.partition(".")[2]) == ("a", 53, "ests.aks")


def test_a_fault_of_the_logins(sdk: AzureSdk) -> None:
    sdk.azure.faults.add(Fault("token", 503, "temporarily_unavailable", "AADSTS90033: come back later", 1, 3))
    reply = post(sdk, form(sdk.token()))
    assert (reply.status, reply.headers["Retry-After"]) == (503, "3")
    assert reply.body == {"error": "temporarily_unavailable", "error_description": "AADSTS90033: come back later"}
    assert post(sdk, form(sdk.token())).status == 200
