"""Azure's Key Vault on loopback, as the real SDKs see it: every kind of object, lists, refusals, bad connections."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
import urllib3
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.keyvault.keys import KeyCurveName
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from azure_sdk import CLIENT, SUBJECT, AzureSdk
from sscsi_emulators.azure_logins import CLOUDS
from sscsi_emulators.azure_store import PEM, PFX, SUFFIX, TENANT
from sscsi_emulators.faults import Fault

VERSION = "?api-version=7.4"
ELSEWHERE = "9a3f0c55-7f0d-4f2b-9d0e-3d3b7d4d1c02"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def sdk() -> Iterator[AzureSdk]:
    with AzureSdk() as sdk:
        yield sdk


def chain(key: Any) -> list[x509.Certificate]:
    """leaf, root."""
    root_key = ec.generate_private_key(ec.SECP256R1())
    names = {name: x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) for name in ("leaf", "root")}
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        x509.CertificateBuilder()
        .subject_name(names[name])
        .issuer_name(names["root"])
        .public_key(own.public_key())
        .serial_number(number)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=365))
        .sign(root_key, hashes.SHA256())
        for number, (name, own) in enumerate((("leaf", key), ("root", root_key)), 1)
    ]


@pytest.mark.parametrize("suffix", CLOUDS)
def test_a_secret_of_every_cloud(sdk: AzureSdk, suffix: str) -> None:
    host = f"{sdk.vault}.{suffix}"
    marks: Any = {"created": 1_700_000_000, "not_before": 1_700_000_001, "expires": 1_900_000_000}
    version = sdk.azure.store.put_secret(host, "db-password", "h+7Q", "text/plain", tags={"team": "shop"}, **marks)
    found = sdk.secrets(sdk.credential(authority=CLOUDS[suffix]), suffix).get_secret("db-password")
    about = found.properties
    assert (found.value, about.version, about.content_type, about.tags) == (
        "h+7Q",
        version,
        "text/plain",
        {"team": "shop"},
    )
    assert found.id == f"https://{host}/secrets/db-password/{version}"
    assert len(version) == 32
    int(version, 16)
    times = [
        when.timestamp() for when in (about.created_on, about.updated_on, about.not_before, about.expires_on) if when
    ]
    assert times == [1_700_000_000, 1_700_000_000, 1_700_000_001, 1_900_000_000]
    assert (about.enabled, about.managed, about.key_id) == (True, None, None)
    assert sdk.azure.calls == {"CONNECT": 2, "challenge": 1, "token": 1, "GET secret": 1}


def test_the_newest_version_or_the_one_named(sdk: AzureSdk) -> None:
    old, new = (sdk.azure.store.put_secret(sdk.vault, "s", value) for value in ("old", "new"))
    client = sdk.secrets()
    assert [client.get_secret("s", version).value for version in (None, old, new)] == ["new", "old", "new"]
    assert client.get_secret("S").id == f"{sdk.url()}/secrets/s/{new}", "a name is the same in capitals"


@pytest.mark.parametrize("hsm", [False, True])
@pytest.mark.parametrize(
    ("curve", "name"),
    [
        (ec.SECP256R1(), KeyCurveName.p_256),
        (ec.SECP384R1(), KeyCurveName.p_384),
        (ec.SECP521R1(), KeyCurveName.p_521),
        (ec.SECP256K1(), KeyCurveName.p_256_k),
    ],
)
def test_keys_of_each_curve(sdk: AzureSdk, curve: ec.EllipticCurve, name: str, hsm: bool) -> None:
    key = ec.generate_private_key(curve)
    version = sdk.azure.store.put_key(sdk.vault, "k", key, hsm=hsm)
    found = sdk.keys().get_key("k")
    jwk: Any = found.key
    assert (found.properties.version, jwk.kty, jwk.crv) == (version, "EC-HSM" if hsm else "EC", name)
    x, y = (int.from_bytes(part, "big") for part in (jwk.x, jwk.y))
    assert ec.EllipticCurvePublicNumbers(x, y, curve).public_key() == key.public_key()
    assert len(jwk.x) == len(jwk.y) == (curve.key_size + 7) // 8
    assert jwk.d is None


def test_keys_of_rsa_and_others(sdk: AzureSdk) -> None:
    sdk.azure.store.put_key(sdk.vault, "soft", RSA_KEY)
    sdk.azure.store.put_key(sdk.vault, "hard", RSA_KEY.public_key(), hsm=True)
    sdk.azure.store.put_key(sdk.vault, "odd", {"kty": "oct", "key_ops": ["encrypt"]})
    client = sdk.keys()
    kinds: list[Any] = [client.get_key(name).key for name in ("soft", "hard", "odd")]
    assert [jwk.kty for jwk in kinds] == ["RSA", "RSA-HSM", "oct"]
    n, e = (int.from_bytes(part, "big") for part in (kinds[0].n, kinds[0].e))
    assert rsa.RSAPublicNumbers(e, n).public_key() == RSA_KEY.public_key()


@pytest.mark.parametrize("form", [PFX, PEM])
@pytest.mark.parametrize("key", [RSA_KEY, ec.generate_private_key(ec.SECP384R1())], ids=["rsa", "ec"])
def test_a_certificate_is_a_secret_and_a_key_too(sdk: AzureSdk, form: str, key: Any) -> None:
    made = chain(key)
    version = sdk.azure.store.put_certificate(sdk.vault, "web", key, made, form)
    base = sdk.url()
    certificate: Any = sdk.certificates().get_certificate("web")
    assert x509.load_der_x509_certificate(bytes(certificate.cer)) == made[0]
    assert (certificate.properties.version, certificate.key_id) == (version, f"{base}/keys/web/{version}")
    assert certificate.secret_id == f"{base}/secrets/web/{version}"
    assert certificate.properties.x509_thumbprint == made[0].fingerprint(hashes.SHA1())
    assert certificate.policy.content_type == form

    secret = sdk.secrets().get_secret("web")
    about = secret.properties
    assert (about.version, about.content_type, about.managed) == (version, form, True)
    assert about.key_id == f"{base}/keys/web/{version}"
    value = str(secret.value).encode()
    if form == PFX:
        own, leaf, others = pkcs12.load_key_and_certificates(base64.b64decode(value, validate=True), None)
        held = [leaf, *others]
    else:
        own, held = serialization.load_pem_private_key(value, None), [*x509.load_pem_x509_certificates(value)]
    assert held == made
    assert cast("Any", own).private_numbers() == key.private_numbers()

    public = sdk.keys().get_key("web")
    assert (public.properties.version, public.properties.managed) == (version, True)
    assert cast("Any", public.key).kty == ("RSA" if key is RSA_KEY else "EC")


def test_lists_in_pages(sdk: AzureSdk) -> None:
    store = sdk.azure.store
    store.page_size = 3
    for number in range(7):
        store.put_secret(sdk.vault, f"s{number}", "x", "text/plain", tags={"n": str(number)}, enabled=number != 2)
    store.put_certificate(sdk.vault, "web", RSA_KEY, chain(RSA_KEY))
    found = list(sdk.secrets().list_properties_of_secrets())
    assert [one.name for one in found] == [*(f"s{number}" for number in range(7)), "web"]
    assert [one.enabled for one in found] == [True, True, False, *[True] * 5]
    assert [one.tags for one in found[:7]] == [{"n": str(number)} for number in range(7)]
    assert {one.version for one in found} == {None}
    assert [(one.managed, one.content_type) for one in found[-2:]] == [(None, "text/plain"), (True, PFX)]
    assert [one.name for one in sdk.keys().list_properties_of_keys()] == ["web"]
    assert [one.name for one in sdk.certificates().list_properties_of_certificates()] == ["web"]
    calls = sdk.azure.calls
    assert (calls["list secrets"], calls["list keys"], calls["list certificates"]) == (3, 1, 1)
    assert calls["challenge"] == 3, "one for each client: the pages' links name the port, and are the same host"


def test_versions_are_in_the_order_of_their_ids(sdk: AzureSdk) -> None:
    store = sdk.azure.store
    store.page_size = 2
    when = range(1_700_000_000, 1_700_000_005)
    made = {store.put_secret(sdk.vault, "s", "x", created=created): created for created in when}
    middle = list(made)[2]
    store.disable(sdk.vault, "secret", "s", middle)
    found = list(sdk.secrets().list_properties_of_secret_versions("s"))
    assert [one.version for one in found] == sorted(made)
    assert {str(one.version): one.created_on.timestamp() for one in found if one.created_on} == made
    assert [one.version for one in found if not one.enabled] == [middle]
    assert list(sdk.secrets().list_properties_of_secret_versions("never-there")) == []
    assert sdk.azure.calls["list secret versions"] == 4

    for kind in ("key", "certificate"):
        store.put_certificate(sdk.vault, "web", RSA_KEY, chain(RSA_KEY))
        body = sdk.get(f"/{kind}s/web/versions{VERSION}").body
        assert all(one.get("id", one.get("kid")).startswith(f"{sdk.url()}/{kind}s/web/") for one in body["value"])


def test_a_page_says_where_the_next_one_is(sdk: AzureSdk) -> None:
    for name in ("a", "b", "c"):
        sdk.azure.store.put_secret(sdk.vault, name, "x")
    first = sdk.get(f"/secrets{VERSION}&maxresults=2").body
    assert [one["id"] for one in first["value"]] == [f"{sdk.url()}/secrets/{name}" for name in "ab"]
    assert first["nextLink"].startswith(f"{sdk.url()}:443/secrets?api-version=7.4&$skiptoken=")
    second = sdk.get(first["nextLink"].removeprefix(f"{sdk.url()}:443"), Host=f"{sdk.vault}.{SUFFIX}:443").body
    assert ([one["id"] for one in second["value"]], second["nextLink"]) == ([f"{sdk.url()}/secrets/c"], None)


REFUSALS = {
    "secrets/none": (404, "SecretNotFound", None, "A secret with (name/id) none was not found in this key vault."),
    f"secrets/off/{'0' * 32}": (404, "SecretNotFound", None, f"A secret with (name/id) off/{'0' * 32} was not found"),
    "keys/none": (404, "KeyNotFound", None, "A key with (name/id) none was not found in this key vault."),
    "certificates/none": (404, "CertificateNotFound", None, "A certificate with (name/id) none was not found"),
    "secrets/off": (403, "Forbidden", "SecretDisabled", "Operation get is not allowed on a disabled secret."),
    "secrets/rbac": (403, "Forbidden", "ForbiddenByRbac", "Caller is not authorized to perform action on resource."),
    "keys/policy": (403, "Forbidden", "ForbiddenByPolicy", "The user, group or application 'appid="),
    "keys": (403, "Forbidden", "ForbiddenByPolicy", "The user, group or application 'appid="),
    "secrets/a_b": (400, "BadParameter", None, "The request URI contains an invalid name: a_b"),
    "other/a": (400, "BadParameter", None, "Method GET does not allow operation 'other'"),
}


@pytest.mark.parametrize("path", REFUSALS)
def test_refusals_have_the_shape_of_the_real_ones(sdk: AzureSdk, path: str) -> None:
    store = sdk.azure.store
    for name in ("off", "rbac"):
        store.put_secret(sdk.vault, name, "x")
    store.disable(sdk.vault, "secret", "off")
    sdk.azure.deny(CLIENT, sdk.vault, "secret", "rbac")
    sdk.azure.deny(CLIENT, sdk.vault, "key", "policy", why="ForbiddenByPolicy")
    sdk.azure.deny(CLIENT, sdk.vault, "key", action="list", why="ForbiddenByPolicy")
    status, code, inner, text = REFUSALS[path]
    reply = sdk.get(f"/{path}{VERSION}")
    error = reply.body["error"]
    assert (reply.status, error["code"], error.get("innererror")) == (status, code, inner and {"code": inner})
    assert error["message"].startswith(text)
    assert reply.headers["x-ms-keyvault-region"] == "westeurope"
    assert reply.headers["x-ms-request-id"] != sdk.get(f"/{path}{VERSION}").headers["x-ms-request-id"]
    assert "WWW-Authenticate" not in reply.headers


def test_refusals_as_the_sdk_tells_them(sdk: AzureSdk) -> None:
    sdk.azure.store.put_secret(sdk.vault, "s", "x")
    client = sdk.secrets()
    with pytest.raises(ResourceNotFoundError) as absent:
        client.get_secret("none")
    assert cast("Any", absent.value.error).code == "SecretNotFound"
    sdk.azure.deny(CLIENT, sdk.vault, "secret", "s", action="get")
    with pytest.raises(HttpResponseError) as denied:
        client.get_secret("s")
    assert (denied.value.status_code, cast("Any", denied.value.error).innererror) == (403, {"code": "ForbiddenByRbac"})
    assert "Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'" in str(denied.value)
    assert f"/vaults/{sdk.vault}/secrets/s'" in str(denied.value)
    assert len(list(client.list_properties_of_secret_versions("s"))) == 1, "that is another action"
    sdk.azure.allow(CLIENT, sdk.vault, "secret", "s", action="get")
    assert client.get_secret("s").value == "x"
    sdk.azure.firewall(sdk.vault)
    with pytest.raises(HttpResponseError) as walled:
        client.get_secret("s")
    assert cast("Any", walled.value.error).innererror == {"code": "ForbiddenByFirewall"}
    sdk.azure.firewall(sdk.vault, up=False)
    assert client.get_secret("s").value == "x"


def test_what_is_disabled_but_no_secret_can_be_read(sdk: AzureSdk) -> None:
    sdk.azure.store.put_certificate(sdk.vault, "web", RSA_KEY, chain(RSA_KEY))
    sdk.azure.store.disable(sdk.vault, "certificate", "web")
    assert sdk.keys().get_key("web").properties.enabled is False
    certificate: Any = sdk.certificates().get_certificate("web")
    assert certificate.properties.enabled is False
    with pytest.raises(HttpResponseError, match="disabled secret"):
        sdk.secrets().get_secret("web")


def test_whoever_has_no_good_token_is_challenged(sdk: AzureSdk) -> None:
    sdk.azure.store.put_secret(sdk.vault, "s", "x")
    logins = sdk.azure.logins
    ended = logins.mint(CLIENT, TENANT, f"https://{SUFFIX}")
    logins.expire()
    tokens = {
        "": "AKV10000: Request is missing a Bearer or PoP token.",
        "made-up": "Error validating token: 'S2S12086'.",
        ended: "[TokenExpired] Error validating token: 'S2S12086'.",
        logins.mint(CLIENT, TENANT, f"https://{SUFFIX}/"): (
            "AKV10022: Invalid audience. Expected https://vault.azure.net, found: https://vault.azure.net/."
        ),
        logins.mint(CLIENT, ELSEWHERE, f"https://{SUFFIX}"): (
            f"AKV10032: Invalid issuer. Expected one of https://sts.windows.net/{TENANT}/, "
            f"found https://sts.windows.net/{ELSEWHERE}/."
        ),
    }
    challenge = f'Bearer authorization="https://login.microsoftonline.com/{TENANT}", resource="https://vault.azure.net"'
    for token, text in tokens.items():
        reply = sdk.get(f"/secrets/s{VERSION}", token)
        assert (reply.status, reply.body) == (401, {"error": {"code": "Unauthorized", "message": text}})
        assert reply.headers["WWW-Authenticate"] == challenge
    assert sdk.azure.calls["challenge"] == len(tokens)
    assert sdk.get(f"/secrets/s{VERSION}").body["value"] == "x"


def test_a_token_that_ended_early_is_given_again_by_the_sdks_own_cache(sdk: AzureSdk) -> None:
    """The SDK looks at a token's time, not at the 401; only another credential logs in anew."""
    sdk.azure.store.put_secret(sdk.vault, "s", "x")
    client = sdk.secrets()
    client.get_secret("s")
    sdk.azure.logins.expire()
    with pytest.raises(HttpResponseError, match="TokenExpired"):
        client.get_secret("s")
    assert (sdk.azure.calls["token"], sdk.azure.calls["challenge"]) == (1, 3)
    assert sdk.secrets().get_secret("s").value == "x"


def test_the_sdk_asks_the_challenges_tenant(sdk: AzureSdk) -> None:
    """A vault of another tenant than the credential's: only a credential that may ask anywhere reads it."""
    sdk.azure.store.vault(sdk.vault, ELSEWHERE)
    sdk.azure.store.put_secret(sdk.vault, "s", "x")
    sdk.azure.logins.federate(CLIENT, ELSEWHERE, sdk.kubernetes.issuer, SUBJECT)
    with pytest.raises(HttpResponseError, match="additionally_allowed_tenants"):
        sdk.secrets().get_secret("s")
    assert not sdk.azure.calls["token"]
    credential = sdk.credential(additionally_allowed_tenants=["*"])
    assert sdk.secrets(credential).get_secret("s").value == "x"
    assert {access.tenant for token in sdk.azure.logins.handed_out() if (access := sdk.azure.logins.access(token))} == {
        ELSEWHERE
    }


@pytest.mark.parametrize(("status", "error"), [(502, ServiceRequestError), (0, ServiceResponseError)])
def test_a_vault_that_is_not_there_has_no_name_in_dns(sdk: AzureSdk, status: int, error: type[AzureError]) -> None:
    sdk.azure.absent_status = status
    with pytest.raises(error):
        sdk.secrets().get_secret("s")
    with pytest.raises(urllib3.exceptions.HTTPError):
        sdk.ask("GET", "https://example.com/")
    assert sdk.azure.calls == {"CONNECT": 2}


def test_connections_are_kept_and_can_be_cut(sdk: AzureSdk) -> None:
    sdk.azure.store.put_secret(sdk.vault, "s", "x")
    client = sdk.secrets()
    for _ in range(20):
        client.get_secret("s")
    assert sdk.azure.host.connections == 2, "one to the vault, one to the logins"
    sdk.azure.host.cut()
    assert client.get_secret("s").value == "x"
    assert sdk.azure.host.connections == 3


@pytest.mark.parametrize("status", [429, 500, 503])
def test_faults(sdk: AzureSdk, status: int) -> None:
    sdk.azure.store.put_secret(sdk.vault, "s", "x")
    client = sdk.secrets()
    sdk.azure.faults.add(Fault("GET secret", status, "Throttled", "Reason: VaultRequestTypeLimitReached", 1, 7))
    with pytest.raises(HttpResponseError, match="VaultRequestTypeLimitReached") as caught:
        client.get_secret("s")
    response = cast("Any", caught.value.response)
    assert (caught.value.status_code, response.headers["Retry-After"]) == (status, "7")
    assert client.get_secret("s").value == "x"


def test_a_connection_that_ends_without_an_answer(sdk: AzureSdk) -> None:
    sdk.azure.store.put_secret(sdk.vault, "s", "x")
    client = sdk.secrets(retry_total=1, retry_backoff_factor=0)
    sdk.azure.faults.add(Fault("GET secret", 0, "", "", 1))
    assert client.get_secret("s").value == "x"
    assert sdk.azure.calls["GET secret"] == 2


def test_nothing_is_answered_while_held(sdk: AzureSdk) -> None:
    sdk.azure.store.put_secret(sdk.vault, "s", "x")
    sdk.azure.hold()
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        sdk.pool.request("GET", f"{sdk.url()}/secrets/s{VERSION}", timeout=0.2)
    sdk.azure.release()
    assert sdk.get(f"/secrets/s{VERSION}").status == 200


def test_what_no_log_may_hold(sdk: AzureSdk) -> None:
    sdk.azure.store.put_secret(sdk.vault, "s", "the value")
    sdk.secrets().get_secret("s")
    token, value = sdk.azure.handed_out()
    assert (token.count("."), value) == (2, "the value")


def test_without_the_proxy_a_port_is_part_of_the_resource(sdk: AzureSdk) -> None:
    port = sdk.azure.host.port
    sdk.azure.store.put_secret(f"{sdk.vault}.vault.localhost", "s", "x")
    pool = urllib3.HTTPSConnectionPool("127.0.0.1", port, ca_certs=str(sdk.azure.ca_file), retries=False)
    with pool:
        host = f"{sdk.vault}.vault.localhost:{port}"
        reply = pool.request("GET", f"/secrets/s{VERSION}", headers={"Host": host})
        expected = f'authorization="https://login.localhost:{port}/{TENANT}", resource="https://vault.localhost:{port}"'
        assert reply.headers["WWW-Authenticate"] == f"Bearer {expected}"
        token = sdk.azure.logins.mint(CLIENT, TENANT, f"https://vault.localhost:{port}")
        headers = {"Host": host, "Authorization": f"Bearer {token}"}
        assert pool.request("GET", f"/secrets/s{VERSION}", headers=headers).json()["id"].startswith(f"https://{host}/")
