"""reference/vault.md section 14: config; and its YAML trap list and paths (section 5), in both dialects."""

import json
from typing import Any

import pytest

from sscsi_provider_vault.dialects import OPENBAO, VAULT, Dialect
from sscsi_provider_vault.parameters import VaultRequest, read_request
from sscsi_provider_vault.paths import api_path, login_path
from sscsi_shared.errors import InvalidParameters
from sscsi_shared.parameters import read_mount
from sscsi_shared.transform import Decode, Encoding

ENTRY = "- objectName: bar1\n  secretPath: v1/secret/foo1\n  secretKey: k\n"
BOTH = pytest.mark.parametrize("dialect", [VAULT, OPENBAO], ids=lambda one: one.name)


def read(dialect: Dialect = VAULT, objects: str = ENTRY, permission: str = "420", **parameters: str) -> VaultRequest:
    sent = {"roleName": "example-role", "objects": objects} | parameters
    return read_request(read_mount(json.dumps(sent), "null", permission, "/some/path", ()), dialect)


def refusal(dialect: Dialect = VAULT, objects: str = ENTRY, **parameters: str) -> str:
    with pytest.raises(InvalidParameters) as caught:
        read(dialect, objects, **parameters)
    return str(caught.value)


@BOTH
def test_the_least(dialect: Dialect) -> None:
    request = read(dialect)
    assert (request.role, request.address, request.namespace, request.login_path) == ("example-role", "", None, None)
    assert [(entry.name, entry.asked.path, entry.mode) for entry in request.entries] == [
        ("bar1", "/v1/secret/foo1", 0o644)
    ]


@BOTH
def test_every_setting_lands(dialect: Dialect) -> None:
    prefix = dialect.prefixes[0]
    request = read(
        dialect,
        ENTRY + "- {objectName: b, secretPath: pki/issue/x, method: PUT, secretArgs: {ttl: 24h, n: {a: [1, x]}}}\n",
        **{
            f"{prefix}Address": "http://my-vault:8200",
            f"{prefix}Namespace": "my-namespace",
            f"{prefix}KubernetesMountPath": "my-mount-path",
            f"{prefix}CACertPath": "my-ca-cert-path",
            f"{prefix}CADirectory": "my-ca-directory",
            f"{prefix}TLSServerName": "my-server",
            f"{prefix}TLSClientCertPath": "cert",
            f"{prefix}TLSClientKeyPath": "key",
            f"{prefix}SkipTLSVerify": "true",
            "audience": "my-aud",
            "leaseScope": "serviceAccount",
        },
    )
    assert (request.address, request.namespace) == ("http://my-vault:8200", "my-namespace")
    assert request.login_path == "/v1/auth/my-mount-path/login"
    tls = request.tls
    assert (tls.ca_file, tls.ca_folder, tls.server_name) == ("my-ca-cert-path", "my-ca-directory", "my-server")
    assert (tls.client_cert, tls.client_key, tls.skip_verify) == ("cert", "key", True)
    assert (request.audience, request.leases_by_pod) == ("my-aud", False)
    assert request.entries[1].asked.body == '{"n":{"a":[1,"x"]},"ttl":"24h"}'
    assert request.entries[1].asked.writes


@BOTH
def test_both_mount_paths(dialect: Dialect) -> None:
    prefix = dialect.prefixes[0]
    text = refusal(dialect, **{f"{prefix}KubernetesMountPath": "", f"{prefix}AuthMountPath": ""})
    assert f"cannot set both {dialect.name}KubernetesMountPath and {dialect.name}AuthMountPath" in text


@pytest.mark.parametrize(
    ("parameters", "role", "address"),
    [
        (
            {"openbaoRoleName": "o", "vaultRoleName": "v", "roleName": "r", "openbaoAddress": "o", "vaultAddress": "v"},
            "o",
            "o",
        ),
        ({"baoRoleName": "b", "openbaoRoleName": "o", "baoAddress": "", "vaultAddress": "v"}, "b", ""),
        ({"vaultRoleName": "v", "vaultAddress": "v"}, "v", "v"),
        ({"roleName": "r"}, "r", ""),
    ],
)
def test_which_prefix_wins(parameters: dict[str, str], role: str, address: str) -> None:
    request = read(OPENBAO, **({"roleName": ""} | parameters))
    assert (request.role, request.address) == (role, address)


@BOTH
@pytest.mark.parametrize(
    ("parameters", "objects", "text"),
    [
        ({"roleName": ""}, ENTRY, "missing 'roleName' in SecretProviderClass definition"),
        ({}, "", "no secrets configured - the provider will not read any secret material"),
        ({}, "[]", "no secrets configured"),
        ({}, "null", "no secrets configured"),
        ({}, "- null\n", "no secrets configured"),
        ({}, ENTRY + ENTRY, "but the following keys were duplicated: bar1"),
        ({}, "- {objectName: a, objectName: b, secretPath: x}", "objectName"),
        ({}, "- {objectName: a, secretKey: k}", "objects[0].secretPath (line 1, column 3): secretPath is missing"),
        ({}, "- {objectName: a, secretPath: ''}", "secretPath is missing or empty."),
        ({}, "- {objectName: a, optional: true}", "secretPath is missing or empty."),
        ({}, "- {objectName: a, secretpath: x}", "Line 1 has `secretpath`: did you mean `secretPath`?"),
        ({}, "array: |\n  - a", "must be a list"),
        (
            {}, "- {objectName: a, secretPath: x, secretKey: k, encoding: base32}",
            "invalid encoding type. Should be utf-8, base64, or hex",
        ),
        ({}, "- {objectName: a, secretPath: x, secretArgs: [a]}", "must be a mapping"),
        ({}, "- {objectName: a, secretPath: x, secretArgs: {a: .inf}}", "secretArgs"),
        ({}, "- {objectName: a, secretPath: x, secretArgs: {a: {1: b}}}", "secretArgs"),
        ({}, "- {objectName: a, secretPath: 'x?a=%zz'}", 'for objectName "a": invalid URL escape "%zz"'),
        ({}, "- {objectName: a, secretPath: x/../../sys}", "has `..` in it"),
        ({}, "- {objectName: a, secretPath: x, method: 'GET /'}", "no method of Vault's API"),
        ({"vaultSkipTLSVerify": "yes"}, ENTRY, 'strconv.ParseBool: parsing "yes": invalid syntax'),
        ({"vaultSkipTLSVerify": ""}, ENTRY, 'strconv.ParseBool: parsing "": invalid syntax'),
        ({"vaultTLSClientCertPath": "x"}, ENTRY, "both client cert and client key must be provided"),
        ({"vaultAuthMountPath": "../sys"}, ENTRY, "leaves auth/"),
        ({"leaseScope": "node"}, ENTRY, "leaseScope"),
    ],
)  # fmt: skip
def test_errors(dialect: Dialect, parameters: dict[str, str], objects: str, text: str) -> None:
    assert text in refusal(dialect, objects, **parameters)


@pytest.mark.parametrize(
    ("written", "mode"),
    [("0600", 0o600), ("0o600", 0o600), ("0x180", 0o600), ("384", 0o600), ("0b110", 6), ("0_600", 0o600), ("8", 8),
     ("1.5", 1), ("0", 0o644), ("08", 8)],
)  # fmt: skip
def test_file_permissions(written: str, mode: int) -> None:
    (entry,) = read(objects=f"- {{objectName: a, secretPath: x, filePermission: {written}}}").entries
    assert entry.mode == mode


@pytest.mark.parametrize("written", ["'0600'", "true", "-1", "4294967296", "07777"])
def test_file_permissions_that_are_none(written: str) -> None:
    """better= more than 0777 is refused too."""
    assert "filePermission" in refusal(objects=f"- {{objectName: a, secretPath: x, filePermission: {written}}}")


@pytest.mark.parametrize(
    ("written", "name"),
    [("123", "123"), ("yes", "yes"), ("0x1F", "0x1F"), ("2020-01-01", "2020-01-01"), ("1:30", "1:30")],
)
def test_scalars_are_taken_as_written(written: str, name: str) -> None:
    (entry,) = read(objects=f"- {{objectName: {written}, secretPath: x, secretKey: {written}}}").entries
    assert entry.name == written


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("yes", '"yes"'), ("on", '"on"'), ("true", "true"), ("0600", "384"), ("0x1F", "31"), ("1_000", "1000"),
        ("1:30", '"1:30"'), ("12345678901234567890123", "1.2345678901234568e+22"), ("1.0", "1"), ("1e3", "1000"),
        ("2020-01-01", '"2020-01-01T00:00:00Z"'), ("<&>", '"\\u003c\\u0026\\u003e"'), ("null", "null"), ("1.5", "1.5"),
    ],
)  # fmt: skip
def test_arguments_as_go_types_them(written: str, sent: str) -> None:
    (entry,) = read(objects=f"- {{objectName: a, secretPath: x, secretArgs: {{v: {written}}}}}").entries
    assert entry.asked.body == f'{{"v":{sent}}}'


def test_arguments_make_a_request_of_their_own() -> None:
    """better= the existing provider gives two certificates of one path the first one's answer."""
    objects = "\n".join(
        f"- {{objectName: {name}, secretPath: pki/issue/x, method: PUT, secretArgs: {{common_name: {name}}}}}"
        for name in ("a", "b")
    )
    first, second = read(objects=objects).entries
    assert first.asked != second.asked


@pytest.mark.parametrize(
    ("written", "path", "query"),
    [
        ("secret/foo", "/v1/secret/foo", ""),
        ("/secret/foo", "/v1/secret/foo", ""),
        ("v1/secret/foo", "/v1/secret/foo", ""),
        ("/v1/secret/foo", "/v1/secret/foo", ""),
        ("", "/v1/", ""),
        ("1/x", "/v1/1/x", ""),
        ("/v1/v1/x", "/v1/v1/x", ""),
        ("/v2/x", "/v1/v2/x", ""),
        ("a//b/", "/v1/a/b", ""),
        ("a/./b", "/v1/a/b", ""),
        ("a b/é%2F#", "/v1/a%20b/%C3%A9%252F%23", ""),
        ("x?", "/v1/x", ""),
        ("x?version=2&a=b%20c", "/v1/x", "a=b+c&version=2"),
    ],
)
def test_paths(written: str, path: str, query: str) -> None:
    assert api_path(written, "a") == (path, query)


@pytest.mark.parametrize(
    ("mount", "path"),
    [
        ("kubernetes", "/v1/auth/kubernetes/login"),
        ("/a//b/", "/v1/auth/a/b/login"),
        ("k8s/prod", "/v1/auth/k8s/prod/login"),
    ],
)
def test_login_paths(mount: str, path: str) -> None:
    assert login_path(mount) == path


@pytest.mark.parametrize("mount", ["..", "a/../../sys", "", "/"])
def test_logins_do_not_climb(mount: str) -> None:
    with pytest.raises(InvalidParameters, match="leaves auth/"):
        login_path(mount)


def test_an_encoding_counts_only_with_a_key() -> None:
    first, second = read(
        objects="- {objectName: a, secretPath: x, secretKey: k, encoding: BASE64}\n"
        "- {objectName: b, secretPath: x, encoding: nonsense}"
    ).entries
    assert Decode(Encoding.BASE64) in vars_of(first.extract)
    assert second.whole


def vars_of(transform: Any) -> tuple[object, ...]:
    return tuple(getattr(transform, "steps", (transform,)))
