"""reference/azure.md sections 11 and 12: worked examples, and what is fetched; the real SDKs against the emulator."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from azure_stage import CLIENT
from azure_world import World, azure_world, entry
from gcp_world import NONE
from pki import NAMES, chain, key, pem, pfx, pkcs8
from sscsi_emulators.azure_logins import BINDING, CLOUDS, EXCHANGE
from sscsi_emulators.azure_store import PEM, PFX
from sscsi_provider_azure.parameters import Operator
from sscsi_shared.errors import (
    AuthenticationFailed,
    BackendUnavailable,
    InvalidParameters,
    MountError,
    ObjectNotFound,
    ObjectUnusable,
)
from sscsi_shared.mount import ObjectVersion
from sscsi_shared.render import EMPTY

START = "failed to mount objects, error: failed to get "
TOKENS = "csi.storage.k8s.io/serviceAccount.tokens"
THREE = ("root", "middle", "leaf")


@pytest.fixture
def world() -> Iterator[World]:
    with azure_world() as world:
        yield world


def keep(world: World, name: str, kind: str = "rsa", content_type: str = PFX, names: tuple[str, ...] = THREE) -> str:
    """A certificate, root first; its version."""
    certificates = tuple(reversed(chain(kind, names)))
    value = pkcs8(key(kind, "leaf")) + pem(*certificates)
    version = world.azure.store.put_certificate(world.vault, name, key(kind, "leaf"), chain(kind, names), content_type)
    if content_type == PEM:
        world.azure.store.put_secret(world.vault, name, value.decode(), PEM, kid="of its certificate", version=version)
    return version


def test_1_a_secret(world: World) -> None:
    version = world.azure.store.put_secret(world.vault, "s000", "value-000")
    result = world.mount(entry("s000"))
    assert [(file.path, file.mode, file.contents.reveal()) for file in result.files] == [("s000", 0o644, b"value-000")]
    assert result.versions == (ObjectVersion("secret/s000", version),)


def test_2_an_alias_with_folders(world: World) -> None:
    version = world.azure.store.put_secret(world.vault, "s000", "x")
    wanted = entry("s000", objectAlias="a/b/c.txt")
    assert world.files(wanted) == {"a/b/c.txt": b"x"}
    assert world.versions(wanted) == [("secret/s000", version)]


def test_3_encodings(world: World) -> None:
    world.azure.store.put_secret(world.vault, "b", "AAEC//4=")
    world.azure.store.put_secret(world.vault, "h", "486578")
    wanted = [entry("b", objectEncoding="base64"), entry("h", objectEncoding="HEX")]
    assert world.files(*wanted) == {"b": b"\x00\x01\x02\xff\xfe", "h": b"Hex"}


def test_4_and_5_a_chain_of_rsa(world: World) -> None:
    version = keep(world, "c")
    private, public = entry("c", objectAlias="secret"), entry("c", "key", objectAlias="key")
    files = world.files(private, entry("c", "cert", objectAlias="cert"), public)
    leaf, middle, root = chain("rsa", THREE)
    assert files["secret"] == pkcs8(key("rsa", "leaf")) + pem(leaf, middle, root)
    assert files["cert"] == pem(leaf)
    assert len(files["key"]) == 451
    assert world.versions(private, public) == [("secret/c", version), ("key/c", version)]


def test_6_an_elliptic_curve(world: World) -> None:
    keep(world, "c", "ec", names=("leaf",))
    assert world.files(entry("c")) == {"c": pkcs8(key("ec", "leaf")) + pem(*chain("ec", ("leaf",)))}


def history(world: World, *disabled: int, count: int = 8, shuffled: bool = False) -> list[str]:
    """Versions of `hist`, oldest first."""
    order = [*range(1, count, 2), *range(0, count, 2)] if shuffled else range(count)
    made: dict[int, str] = {}
    for number in order:
        marks: dict[str, Any] = {"created": 1_000_000 + number, "enabled": number + 1 not in disabled}
        made[number] = world.azure.store.put_secret(world.vault, "hist", f"v{number + 1}", **marks)
    return [made[number] for number in range(count)]


def test_7_the_newest_two_enabled_versions(world: World) -> None:
    made = history(world, 7)
    wanted = entry("hist", objectVersionHistory=2)
    assert world.files(wanted) == {"hist/0": b"v8", "hist/1": b"v6"}
    assert world.versions(wanted) == [("secret/hist/0", made[7]), ("secret/hist/1", made[5])]


def test_a_history_is_sorted_by_age(world: World) -> None:
    history(world, count=5, shuffled=True)
    wanted = entry("hist", objectVersionHistory=3, objectAlias="old")
    assert world.files(wanted) == {"old/0": b"v5", "old/1": b"v4", "old/2": b"v3"}
    assert world.files(entry("hist", objectVersionHistory=9, objectVersion="latest")) == {
        f"hist/{number}": f"v{5 - number}".encode() for number in range(5)
    }


def test_a_history_from_a_version_on(world: World) -> None:
    made = history(world, count=5)
    wanted = entry("hist", objectVersionHistory=3, objectVersion=made[2])
    assert world.files(wanted) == {"hist/0": b"v3", "hist/1": b"v2", "hist/2": b"v1"}


@pytest.mark.parametrize("version", ["0123456789abcdef0123456789abcdef", ""])
def test_a_history_of_nothing(world: World, version: str) -> None:
    """better= the existing provider answers nothing, and says nothing of it."""
    history(world, *([] if version else range(1, 9)))
    error = world.refusal(entry("hist", objectVersionHistory=2, objectVersion=version))
    assert isinstance(error, ObjectNotFound)
    assert f"{START}objectType:secret, objectName:hist, objectVersion:{version}: " in str(error)


@pytest.mark.parametrize("kind", ["key", "cert"])
def test_a_history_of_keys_and_certificates(world: World, kind: str) -> None:
    keep(world, "c")
    newest = keep(world, "c", "ec")
    files = world.files(entry("c", kind, objectVersionHistory=2))
    assert list(files) == ["c/0", "c/1"]
    assert files["c/0"] != files["c/1"]
    assert world.files(entry("c", kind, objectVersion=newest))["c"] in files.values()


@pytest.mark.parametrize("content_type", [PFX, PEM])
def test_8_files_of_their_own(world: World, content_type: str) -> None:
    world.with_provider(operator=Operator(separate_files=True))
    version = keep(world, "cert-pfx", content_type=content_type)
    world.azure.store.put_secret(world.vault, "plain", "x")
    result = world.mount(entry("cert-pfx", filePermission="0440"), entry("plain"))
    assert [(file.path, file.mode) for file in result.files] == [
        ("cert-pfx.crt", 0o440), ("cert-pfx.key", 0o440), ("cert-pfx", 0o440), ("plain", 0o644)
    ]  # fmt: skip
    assert [one.id for one in result.versions] == ["secret/cert-pfx"] * 3 + ["secret/plain"]
    assert {one.version for one in result.versions[:3]} == {version}
    certificates, private, whole, _ = (file.contents.reveal() for file in result.files)
    assert whole == private + certificates


def test_9_a_permission(world: World) -> None:
    world.azure.store.put_secret(world.vault, "s", "x")
    wanted = "objectName: s\nobjectType: secret\nfilePermission: 0400"
    assert [file.mode for file in world.mount(wanted).files] == [0o400]
    assert [file.mode for file in world.mount(entry("s"), permission="416").files] == [0o640]


@pytest.mark.parametrize("kind", ["secret", "key", "cert"])
def test_10_what_is_not_there(world: World, kind: str) -> None:
    word, code = {"secret": ("secrets", "Secret"), "key": ("keys", "Key"), "cert": ("certificates", "Certificate")}[
        kind
    ]
    error = world.refusal(entry("nosuch", kind))
    assert isinstance(error, ObjectNotFound)
    said = f"objectType:{kind}, objectName:nosuch, objectVersion:: GET https://{world.vault}.vault.azure.net/{word}/nosuch/"
    assert str(error).startswith(START + said)
    assert f"RESPONSE 404, ERROR CODE: {code}NotFound" in str(error)


def test_two_files_are_two_versions_in_the_order_of_the_class(world: World) -> None:
    made = [world.azure.store.put_secret(world.vault, name, name) for name in ("b", "a")]
    assert list(world.files(entry("b"), entry("a"))) == ["b", "a"]
    assert world.versions(entry("b"), entry("a")) == [("secret/b", made[0]), ("secret/a", made[1])]


def test_no_objects_are_no_error(world: World) -> None:
    """A version is reported all the same: the existing driver takes none for a failure."""
    result = world.mount(objects="array:")
    assert (result.files, result.versions) == ((), (EMPTY,))
    assert not world.azure.calls


def test_mistakes_cost_no_call(world: World) -> None:
    for objects in (
        "arrays: []",
        json.dumps({"array": [entry("a", "x")]}),
        json.dumps({"array": [entry("a", objectFormat="x")]}),
    ):
        assert isinstance(world.refusal(objects=objects), InvalidParameters)
    assert not world.azure.calls


def test_an_unreachable_vault(world: World) -> None:
    error = world.refusal(entry("secret1"), keyvaultName="there-is-none")
    assert isinstance(error, BackendUnavailable)
    assert str(error).startswith(f"{START}objectType:secret, objectName:secret1, objectVersion:")


def test_one_file_is_written_once(world: World) -> None:
    """better= the existing provider does not notice."""
    said = str(world.refusal(entry("a"), entry("b", objectAlias="a")))
    assert "two outputs would be written to one file: `a`" in said
    assert not world.azure.calls


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("AzurePublicCloud", "vault.azure.net"), ("azureusgovernment", "vault.usgovcloudapi.net"),
     ("AZURECHINACLOUD", "vault.azure.cn"), ("AzureGermanCloud", "vault.microsoftazure.de")],
)  # fmt: skip
def test_each_cloud(world: World, name: str, suffix: str) -> None:
    assert suffix in CLOUDS
    world.azure.store.put_secret(f"{world.vault}.{suffix}", "s", suffix)
    assert world.files(entry("s"), cloudName=name) == {"s": suffix.encode()}


def of(world: World, kind: str, **fields: Any) -> dict[str, Any]:
    """What the vault answers of a version `0`."""
    return {"id": f"https://{world.vault}.vault.azure.net/{kind}/s/0"} | fields


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"value": None}, "secret value is nil"),
        ({"value": "x", "id": None}, "secret id is nil"),
        ({"value": "x", "id": ""}, "secret id is nil"),
        ({"value": "x", "kid": "k", "contentType": PFX}, "neither PEM nor PKCS#12"),
        ({"value": "x", "kid": "k", "contentType": "text/plain"}, "unknown content type 'text/plain'"),
    ],
)
def test_secrets_that_are_none(world: World, fields: dict[str, Any], said: str) -> None:
    world.azure.bodies["GET secret"] = of(world, "secrets", **fields)
    error = world.refusal(entry("s"))
    assert isinstance(error, ObjectUnusable)
    assert said in str(error)


def test_secrets_of_certificates(world: World) -> None:
    packed = pfx(key("ec", "leaf"), chain("ec"))
    keep(world, "p", "ec", names=NAMES)
    text = pkcs8(key("ec", "leaf")) + pem(*chain("ec"))
    assert world.files(entry("p")) == world.files(entry("p", objectFormat="PEM")) == {"p": text}
    written = world.files(entry("p", objectFormat="pfx", objectEncoding="base64"))["p"]
    assert len(written) == len(packed)
    assert written.startswith(b"\x30\x82"), "the bytes of PKCS#12"
    keep(world, "q", "ec", PEM)
    assert world.files(entry("q"))["q"].endswith(pem(chain("ec", THREE)[0])), "the order stays"


@pytest.mark.parametrize(
    ("fields", "kind", "said"),
    [
        ({"cer": None}, ObjectUnusable, "objectType:cert, objectName:s, objectVersion:: certificate value is nil"),
        ({"cer": "dGVzdA==", "id": None}, BackendUnavailable, "the answer can't be read"),
    ],
)
def test_certificates_that_are_none(world: World, fields: dict[str, Any], kind: type[MountError], said: str) -> None:
    """An id that is nil is the SDK's to find: `certificate id is nil` in the existing provider."""
    world.azure.bodies["GET certificate"] = of(world, "certificates", **fields)
    error = world.refusal(entry("s", "cert"))
    assert isinstance(error, kind)
    assert said in str(error)


def test_a_certificates_bytes(world: World) -> None:
    world.azure.bodies["GET certificate"] = of(world, "certificates", cer="dGVzdA==")
    expected = b"-----BEGIN CERTIFICATE-----\ndGVzdA==\n-----END CERTIFICATE-----\n"
    assert world.files(entry("s", "cert")) == {"s": expected}
    assert world.versions(entry("s", "cert")) == [("cert/s", "0")]


@pytest.mark.parametrize("hsm", [False, True])
def test_keys(world: World, hsm: bool) -> None:
    world.azure.store.put_key(world.vault, "r", rsa.generate_private_key(public_exponent=65537, key_size=2048), hsm=hsm)
    world.azure.store.put_key(world.vault, "e", ec.generate_private_key(ec.SECP384R1()), hsm=hsm)
    sizes = {name: len(contents) for name, contents in world.files(entry("r", "key"), entry("e", "key")).items()}
    assert sizes == {"r": 451, "e": 215}
    world.azure.store.put_key(world.vault, "k", ec.generate_private_key(ec.SECP256K1()), hsm=hsm)
    said = f"{START}objectType:key, objectName:k, objectVersion:: failed to get key. curve P-256K is not supported"
    assert str(world.refusal(entry("k", "key"))).startswith(said)


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        ("", f"token for audience {EXCHANGE} not found"),
        ("nonsense", "failed to unmarshal service account tokens, error: "),
        ("[]", "failed to unmarshal service account tokens, error: "),
        (json.dumps({EXCHANGE: 5}), "failed to unmarshal service account tokens, error: "),
        (json.dumps({EXCHANGE: {"token": 5}}), "failed to unmarshal service account tokens, error: "),
        (json.dumps({EXCHANGE: {"token": ""}}), f"token for audience {EXCHANGE} not found"),
        (json.dumps({BINDING: {"token": "x"}}), f"token for audience {EXCHANGE} not found"),
    ],
)
def test_service_account_tokens_that_are_none(world: World, tokens: str, said: str) -> None:
    world.cluster.create_token = world.cluster.refuse_token  # type: ignore[method-assign]
    error = world.refusal(entry("s"), tokens=NONE, **{TOKENS: tokens})
    assert isinstance(error, AuthenticationFailed)
    assert "failed to build auth config for mode None: " in str(error)
    assert said in str(error)


def test_workload_identity_with_an_empty_secret(world: World) -> None:
    world.azure.store.put_secret(world.vault, "s", "x")
    assert world.files(entry("s"), referenced={}) == {"s": b"x"}
    assert world.files(entry("s"), referenced={"clientid": CLIENT, "clientsecret": "unused"}) == {"s": b"x"}
