"""reference/vault.md sections 13 and 14: client, extraction, provider, versions; in both dialects where they differ."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sscsi_emulators.faults import Fault
from sscsi_provider_vault.dialects import OPENBAO, VAULT
from sscsi_shared.errors import (
    AccessDenied,
    AuthenticationFailed,
    BackendThrottled,
    BackendUnavailable,
    InvalidParameters,
    MountError,
    ObjectNotFound,
    ObjectUnusable,
)
from sscsi_shared.secret import SecretBytes
from vault_stage import ROLE, SUBJECT
from vault_world import NONE, World, one, vault_world


@pytest.fixture(params=[VAULT, OPENBAO], ids=lambda dialect: dialect.name)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with vault_world(request.param) as world:
        yield world


def test_1_a_key_of_kv2(world: World) -> None:
    world.vault.put("secret/data/p0", {"k": "value-0"})
    result = world.mount(one())
    assert [(file.path, file.mode, file.contents.reveal()) for file in result.files] == [("a", 0o644, b"value-0")]
    assert dict(world.vault.calls) == {"login": 1, "GET secret/data/p0": 1, "revoke-self": 1}


def test_2_the_whole_answer(world: World) -> None:
    world.vault.answers["secret/data/p0"] = {
        "request_id": "r60", "lease_id": "", "lease_duration": 0, "renewable": False, "mount_type": "kv",
        "data": {"data": {"b": "<x>", "a": 1.50}, "metadata": {"v": 1}}, "warnings": None, "auth": None,
    }  # fmt: skip
    expected = (
        b'{"request_id":"r60","lease_id":"","lease_duration":0,"renewable":false,"data":'
        b'{"data":{"a":1.5,"b":"\\u003cx\\u003e"},"metadata":{"v":1}},"warnings":null,"mount_type":"kv"}'
    )
    assert world.files(one(key="")) == {"a": expected}
    assert world.files(one(key="", dataOnly=True)) == {"a": b'{"a":1.5,"b":"\\u003cx\\u003e"}'}


def test_3_a_pair_of_dynamic_credentials_is_one_read(world: World) -> None:
    entries = [
        {"objectName": name, "secretPath": "database/creds/x", "secretKey": name} for name in ("username", "password")
    ]
    files = world.files(json.dumps(entries))
    assert files["username"].startswith(b"v-app-")
    assert sum(count for name, count in world.vault.calls.items() if "creds" in name) == 1


def test_4_a_certificate_with_its_key(world: World) -> None:
    arguments = {"common_name": "test.example.com", "ttl": "24h"}
    entries = [
        {"objectName": name, "secretPath": "pki/issue/x", "secretKey": name, "method": "PUT", "secretArgs": arguments}
        for name in ("certificate", "private_key")
    ]
    files = world.files(json.dumps(entries))
    assert files["certificate"].split() == [b"PEM", b"of", b"test.example.com", files["private_key"]]


def test_5_permission_and_encoding(world: World) -> None:
    world.vault.put("secret/data/p0", {"k": "aGVsbG8=", "h": "68690a", "v": "v"})
    result = world.mount(one(filePermission=0o600, encoding="base64"))
    assert [(file.mode, file.contents.reveal()) for file in result.files] == [(0o600, b"hello")]
    assert world.files(one(key="h", encoding="hex")) == {"a": b"hi\n"}
    assert isinstance(world.refusal(one(key="v", encoding="hex")), ObjectUnusable)


@pytest.mark.parametrize(
    ("value", "contents"),
    [
        (10, b"10"), ({"z": 1, "a": "<x>"}, b'{"a":"\\u003cx\\u003e","z":1}'), (True, b"true"), (None, b"null"),
        ("text", b"text"), (["a", 1], b'["a",1]'), ("grün\n", "grün\n".encode()),
        (12345678901234567890, b"12345678901234567890"),
    ],
)  # fmt: skip
def test_6_values(world: World, value: Any, contents: bytes) -> None:
    world.vault.put("secret/data/p0", {"k": value})
    world.vault.put("kv/p0", {"k": value}, versioned=False)
    assert world.files(one()) == {"a": contents}
    assert world.files(one("kv/p0")) == {"a": contents}


def test_data_within_data(world: World) -> None:
    world.vault.put("kv/text", {"data": "x"}, versioned=False)
    world.vault.put("kv/map", {"data": {"k": "inner"}, "k": "outer"}, versioned=False)
    assert world.files(one("kv/text", "data")) == {"a": b"x"}
    assert world.files(one("kv/map")) == {"a": b"inner"}


def test_a_missing_key(world: World) -> None:
    world.vault.put("secret/data/p0", {"k": "secret-value", "other": "x"})
    error = world.refusal(one(key="nope"))
    assert isinstance(error, ObjectUnusable)
    assert '{secret/data/p0}: {key "nope" does not exist at the secret path}' in str(error)
    assert "Available keys: k, other" in str(error)
    assert "secret-value" not in str(error)


def test_7_a_query_is_sent(world: World) -> None:
    world.vault.put("secret/data/x", {"k": "one"})
    world.vault.put("secret/data/x", {"k": "two"})
    assert world.files(one("secret/data/x?version=1")) == {"a": b"one"}
    assert world.files(one("secret/data/x?")) == {"a": b"two"}


def test_9_no_key_of_versions(world: World) -> None:
    world.cluster.key = None
    world.vault.put("secret/data/p0", {"k": "x"})
    assert world.versions(one()) == {"a": ""}
    assert world.versions(one()) == {"a": ""}
    assert world.cluster.asked == 1, "not asked again at once"
    world.cluster.key = SecretBytes(b"A" * 32)
    world.clock.at += 60
    assert world.versions(one())["a"]


def test_versions_are_the_existing_providers(world: World) -> None:
    """Section 8's vectors: 32 bytes `A`, computed with the existing provider."""
    world.vault.put("secret/data/p0", {"k": "value of /v1/secret/data/p0"})
    assert world.versions(one()) == {"a": "z8CpByDDqcLl-hxuVmrMuewXXDur0iTb1QookHF0aVE="}
    assert world.versions(one(filePermission=0o600)) == {"a": "sCV4jC6bKRCCGTnmoHm0RO5K2ZpiAVivIo-67JLRulI="}
    assert world.cluster.asked == 1, "better= read once, and not at every mount"


def test_the_version_of_a_whole_answer_is_its_datas(world: World) -> None:
    """better= a new request id changes the content as it does there, but not the version (issue 474 there)."""
    world.vault.put("secret/data/p0", {"k": "x"})
    first, second = world.mount(one(key="")), world.mount(one(key=""))
    assert first.files != second.files
    assert first.versions == second.versions
    world.vault.put("secret/data/p0", {"k": "y"})
    assert world.mount(one(key="")).versions != first.versions


def test_three_objects_and_three_mounts(world: World) -> None:
    for number in range(3):
        world.vault.put(f"secret/data/p{number}", {"k": "same"})
    entries = [{"objectName": f"o{n}", "secretPath": f"secret/data/p{n}", "secretKey": "k"} for n in range(3)]
    results = [world.mount(json.dumps(entries)) for _ in range(3)]
    assert results[0] == results[1] == results[2]
    assert len({one.version for one in results[0].versions}) == 3


def test_8_an_ended_token_is_one_login_and_one_more_read(world: World) -> None:
    from sscsi_shared.economy.options import EconomyOptions

    world.with_provider(EconomyOptions(ttl=0))
    world.vault.put("secret/data/p0", {"k": "x"})
    world.mount(one())
    world.vault.expire_tokens()
    assert world.files(one()) == {"a": b"x"}
    assert dict(world.vault.calls) == {"login": 2, "GET secret/data/p0": 3}


def test_a_denial_is_one_fresh_login_at_most(world: World) -> None:
    world.vault.put("secret/data/p0", {"k": "x"})
    world.vault.deny(ROLE, "secret/data/p0")
    error = world.refusal(one())
    assert isinstance(error, AccessDenied)
    assert world.vault.calls["login"] == 1, "the token was new already"
    assert str(error).startswith(
        'couldn\'t read secret "a": error requesting secret: Error making API request. URL: GET'
    )
    assert "Code: 403. Errors: * 1 error occurred: * permission denied" in str(error)
    assert 'grant: path "secret/data/p0" { capabilities = ["read"] }' in str(error)
    assert "The token's policies are default, app" in str(error)


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (Fault("login", 403, "", "service account name not authorized"),
         AuthenticationFailed, ["be bound to", "shop/web"]),
        (Fault("login", 400, "", "claim 'iss' is invalid"), AuthenticationFailed, ["token's issuer is", "disable_iss"]),
        (Fault("login", 400, "", "invalid audience (aud) claim"), AuthenticationFailed, ["token's audience is"]),
        (Fault("login", 400, "", 'invalid role name "app"'), AuthenticationFailed, ["Check the role `app`"]),
        (Fault("login", 500, "", "internal error"), BackendUnavailable, ["Code: 500"]),
        (Fault("login", 429, "", "quota"), BackendThrottled, ["Code: 429"]),
        (Fault("GET secret/data/p0", 503, "", "Vault is sealed"), BackendUnavailable, ["Unseal the server"]),
        (Fault("GET secret/data/p0", 400, "", "bad"), ObjectUnusable, ["Code: 400", "check path, method"]),
        (Fault("*", 0, "", ""), BackendUnavailable, ["no answer"]),
    ],
)  # fmt: skip
def test_what_is_told(world: World, fault: Fault, kind: type[MountError], words: list[str]) -> None:
    world.vault.put("secret/data/p0", {"k": "x"})
    world.vault.faults.add(fault)
    error = world.refusal(one())
    assert isinstance(error, kind), repr(error)
    for word in words:
        assert word in str(error)


def test_no_auth_method_there(world: World) -> None:
    error = world.refusal(one(), vaultAuthMountPath="elsewhere")
    assert isinstance(error, AuthenticationFailed)
    assert "There is no auth method at auth/elsewhere" in str(error)


def test_not_found_hints_at_data(world: World) -> None:
    error = world.refusal(one("secret/p0"))
    assert isinstance(error, ObjectNotFound)
    assert "Code: 404. Errors:" in str(error)
    assert "needs data/: secret/data/p0" in str(error)
    assert world.files(one("secret/data/none", optional=True)) == {}


@pytest.mark.parametrize(
    "answer", [None, {}, {"auth": None}, {"auth": {}}, {"auth": {"client_token": ""}}, {"auth": []}]
)
def test_a_login_without_a_token_is_an_error(world: World, answer: dict[str, Any] | None) -> None:
    """better= the existing provider dies of it."""
    world.vault.answers["auth/kubernetes/login"] = answer
    error = world.refusal(one())
    assert isinstance(error, AuthenticationFailed)
    assert "has no auth.client_token" in str(error)


@pytest.mark.parametrize("answer", [None, {}, {"data": None, "request_id": "x", "warnings": ["w1"]}])
def test_a_read_without_data_is_an_error(world: World, answer: dict[str, Any] | None) -> None:
    world.vault.answers["secret/data/p0"] = answer
    error = world.refusal(one())
    assert isinstance(error, ObjectUnusable)
    assert 'empty response from "secret/data/p0", warnings: [' in str(error)


def test_an_answer_without_known_members_is_the_data(world: World) -> None:
    world.vault.answers["sys/health"] = {"initialized": True, "k": "x"}
    assert world.files(one("sys/health")) == {"a": b"x"}


def test_another_pods_namespace_of_vaults(world: World) -> None:
    world.vault.role("spaced", SUBJECT, audience=world.dialect.name, namespace="team")
    world.vault.put("secret/data/p0", {"k": "x"})
    assert world.files(one(), roleName="spaced", vaultNamespace="team/") == {"a": b"x"}
    error = world.refusal(one(), roleName="spaced", vaultNamespace="other")
    assert "[Namespace: other]" in str(error)


def test_a_mount_of_ones_own_and_an_audience(world: World) -> None:
    world.vault.role("jwt", SUBJECT, audience="custom", mount="jwt/prod")
    world.vault.put("secret/data/p0", {"k": "x"})
    wanted = {"roleName": "jwt", "vaultAuthMountPath": "/jwt//prod/", "audience": "custom"}
    assert world.files(one(), tokens={"custom": world.token("custom")}, **wanted) == {"a": b"x"}
    assert not world.cluster.made
    assert world.files(one(), **wanted) == {"a": b"x"}
    assert [request.audiences for request in world.cluster.made] == [("custom",)], "there was none for it"


def test_a_token_is_made_for_the_api_server_where_no_audience_is_named(world: World) -> None:
    world.vault.role("api", SUBJECT, audience=world.kubernetes.issuer)
    world.vault.put("secret/data/p0", {"k": "x"})
    assert world.files(one(), roleName="api", tokens=NONE) == {"a": b"x"}
    assert [(request.audiences, request.expiration_seconds) for request in world.cluster.made] == [((), 900)]


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1", "https://localhost", "https://169.254.169.254", "https://[::1]:8200",
                "unix:///var/run/docker.sock", "http://vault.example", "https://user@vault.example", "vault.example"],
)  # fmt: skip
def test_addresses_that_a_class_may_not_name(world: World, address: str) -> None:
    error = world.refusal(one(), vaultAddress=address)
    assert isinstance(error, InvalidParameters)
    assert not world.vault.calls


def test_files_that_a_class_may_not_name(world: World) -> None:
    for name in ("vaultCACertPath", "vaultCADirectory"):
        error = world.refusal(one(), **{name: "/etc/passwd"})
        assert isinstance(error, InvalidParameters)
        assert "--class-files-dir" in str(error)
    assert "--allow-skip-verify" in str(world.refusal(one(), vaultSkipTLSVerify="true"))


def test_fields_of_all_providers(world: World) -> None:
    world.vault.put("secret/data/p0", {"k": {"n": {"port": 5432}}, "user": "u"})
    jmes = [{"path": "k.n.port", "objectAlias": "port", "filePermission": "0400"}]
    assert world.files(one(key="user", jmesPath=jmes)) == {"a": b"u", "port": b"5432"}
    spread = world.files(one(key="", name="x", allKeys=True, filePrefix="db/"))
    assert spread == {"db/k": b'{"n":{"port":5432}}', "db/user": b"u"}


def test_a_redirect_stays_on_its_server(world: World) -> None:
    world.vault.redirects["secret/data/p0"] = "/v1/secret/data/there"
    world.vault.put("secret/data/there", {"k": "x"})
    assert world.files(one()) == {"a": b"x"}
    world.vault.redirects["secret/data/p0"] = "http://127.0.0.1:1/v1/secret/data/there"
    error = world.refusal(one())
    assert isinstance(error, BackendUnavailable)
    assert "it redirects to another server" in str(error)
