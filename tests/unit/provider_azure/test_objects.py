"""Entries beyond the existing provider's fields: other vaults, ids, selections, optional, passwords, JSON."""

import json

import pytest

from azure_catalogue import SECRET, array, one, read, refusal
from sscsi_provider_azure.content import CertificateFiles, Form, SecretContent, SecretValue
from sscsi_provider_azure.parameters import Operator
from sscsi_provider_azure.vault_objects import Certificate, Found, Key, Secret
from sscsi_shared.mount import Output, Spread
from sscsi_shared.object_fields import Selection
from sscsi_shared.paths import Naming
from sscsi_shared.transform import WHOLE, AllKeys, Chain, Decode, Encoding, JmesPath

CONTENT = SecretContent(Form.UNSAID, in_order=True)


def ids(*entries: str) -> list[str]:
    return [output.id for entry in read(array(*entries)).entries for output in entry.outputs]


class TestIds:
    def test_the_same_object_twice_has_one_id(self) -> None:
        assert ids(SECRET, SECRET + "objectAlias: b") == ["secret/secret1"] * 2

    def test_objects_of_one_name_are_told_apart(self) -> None:
        other = SECRET + "keyvaultName: other-kv\n"
        old = SECRET + "objectVersion: abc\n"
        assert ids(
            SECRET,
            other + "objectAlias: b",
            old + "objectAlias: c",
            other + "objectVersion: abc\nobjectAlias: d",
            SECRET + "pfxPasswordSecretName: p\nobjectAlias: e",
            SECRET + "objectVersionHistory: 2\nobjectAlias: f",
        ) == [
            "secret/secret1",
            "secret/secret1?vault=other-kv",
            "secret/secret1?vault=testkv",
            "secret/secret1?vault=other-kv&version=abc",
            "secret/secret1?vault=testkv&version=",
            "secret/secret1?vault=testkv&version=&history=2&",
        ]

    def test_a_secret_a_key_and_a_certificate_of_one_name(self) -> None:
        assert ids(SECRET, "objectName: secret1\nobjectType: key\nobjectAlias: k") == ["secret/secret1", "key/secret1"]

    def test_a_class_alone_has_the_existing_providers_ids(self) -> None:
        assert ids(SECRET + "keyvaultName: other-kv\nobjectVersion: abc") == ["secret/secret1"]


class TestVaults:
    def test_an_entrys_own(self) -> None:
        entries = read(array(SECRET, SECRET + "keyvaultName: ' Other-KV '\nobjectAlias: b")).entries
        assert [entry.target for entry in entries] == [Secret("testkv", "secret1"), Secret("Other-KV", "secret1")]

    def test_the_classs_name_does_not_count_where_no_entry_needs_it(self) -> None:
        assert read(array(SECRET + "keyvaultName: other-kv"), keyvaultName="k_").entries
        assert 'Invalid vault name: "k_"' in refusal(array(SECRET), keyvaultName="k_")

    @pytest.mark.parametrize("name", ["kv", "k" * 25, "kv_test", "a.b.c", "kv/../x", "kv#x", "k\u00e4se"])
    def test_names_that_are_none(self, name: str) -> None:
        said = refusal(array(SECRET + f"keyvaultName: {json.dumps(name)}"))
        assert said.startswith("objects.array[0].keyvaultName (line 3, column 15): failed to mount objects, error: ")
        assert f'objectName:secret1, objectVersion:: failed to get vault: Invalid vault name: "{name}", must ' in said


class TestWhatBecomesPartOfAnAddress:
    @pytest.mark.parametrize("name", ["a/b", "a b", "a?b", "..", "a%2Fb", "\u00e9", "x" * 128, "a_b", "a\nb"])
    def test_names(self, name: str) -> None:
        said = refusal(array(f"objectName: {json.dumps(name)}\nobjectType: secret\nobjectAlias: x"))
        assert "is none of a vault. It has letters, digits and hyphens alone." in said

    @pytest.mark.parametrize("version", ["a/b", "a-b", "?", "..", "x" * 65, "LATEST/"])
    def test_versions(self, version: str) -> None:
        said = refusal(array(SECRET + f"objectVersion: {json.dumps(version)}"))
        assert "is none of a vault. It has letters and digits alone." in said

    def test_password_names(self) -> None:
        assert "pfxPasswordSecretName 'a/b' is none" in refusal(array(SECRET + "pfxPasswordSecretName: a/b"))


class TestSelections:
    def test_by_prefix_and_tags(self) -> None:
        entry = one(
            "objectType: secret\nselect: {prefix: db-, tags: {team: shop, a: b}, limit: 5, stripPrefix: true}\n"
            "filePrefix: all/\noptional: true\nfilePermission: 0400\n"
        )
        selection = Selection("db-", (("a", "b"), ("team", "shop")), 5, strip=True)
        assert entry.target == Found("testkv", Secret, selection)
        assert entry.outputs == (Spread(Naming(prefix="all/", strip="db-"), 0o400, None, CONTENT),)
        assert (entry.optional, entry.name) == (True, "select (prefix db-, tag a=b, tag team=shop)")

    @pytest.mark.parametrize(("word", "kind"), [("key", Key), ("cert", Certificate)])
    def test_keys_and_certificates_of_another_vault(self, word: str, kind: type[Key] | type[Certificate]) -> None:
        entry = one(f"objectType: {word}\nkeyvaultName: other-kv\nselect: {{prefix: a}}")
        assert entry.target == Found("other-kv", kind, Selection("a"))
        assert entry.outputs == (Spread(Naming(), 0o644, None, WHOLE),)

    def test_their_form_and_encoding(self) -> None:
        entry = one("objectType: secret\nobjectFormat: fullchain\nobjectEncoding: hex\nselect: {prefix: a}")
        content = SecretContent(Form.FULLCHAIN, in_order=True)
        assert entry.outputs == (Spread(Naming(), 0o644, None, Chain((content, Decode(Encoding.HEX)))),)

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ("objectName: a\nselect: {prefix: a}", "objectName and select exclude each other"),
            ("objectAlias: a\nselect: {prefix: a}", "objectAlias and select exclude each other"),
            ("objectVersion: a\nselect: {prefix: a}", "objectVersion and select exclude each other"),
            ("objectVersionHistory: 2\nselect: {prefix: a}", "objectVersionHistory and select exclude each other"),
            ("pfxPasswordSecretName: a\nselect: {prefix: a}", "pfxPasswordSecretName and select exclude each other"),
            ("select: {}", "select needs a prefix or tags"),
            ("select: {prefix: a, limit: 501}", "must be from 1 to 500"),
            ("select: {prefix: a}\nallKeys: true", "select can't be combined with allKeys"),
        ],
    )
    def test_what_excludes_it(self, fields: str, said: str) -> None:
        assert said in refusal(array(f"objectType: secret\n{fields}"))


def test_optional() -> None:
    assert [one(f"{SECRET}optional: {word}").optional for word in ("true", "yes", "false", "~")] == [
        True, True, False, False
    ]  # fmt: skip
    said = refusal(array(f"{SECRET}optional: maybe"))
    assert "failed to get objectType:secret, objectName:secret1, objectVersion:: must be true or false" in said


def test_the_password_of_a_pfx() -> None:
    assert one(f"{SECRET}pfxPasswordSecretName: ' the-password '").target == Secret(
        "testkv", "secret1", password="the-password"
    )
    said = refusal(array("objectName: c\nobjectType: cert\npfxPasswordSecretName: p"))
    assert "pfxPasswordSecretName only supported for objectType: secret" in said


class TestJson:
    def test_values_beside_the_whole(self) -> None:
        entry = one(
            f"{SECRET}jmesPath:\n  - {{path: user, objectAlias: u, filePermission: '0400', objectEncoding: hex}}\n"
        )
        found = JmesPath("user", "secret1", "u")
        assert entry.outputs == (
            Output("secret1", 0o644, "secret/secret1", CONTENT),
            Output("u", 0o400, "u", Chain((SecretValue(WHOLE), found, Decode(Encoding.HEX)))),
        )

    def test_an_encoded_document(self) -> None:
        """The document is decoded before it is looked at."""
        decode = Decode(Encoding.BASE64)
        whole, part = one(f"{SECRET}objectEncoding: base64\njmesPath: [{{path: user, objectAlias: u}}]\n").outputs
        assert isinstance(part, Output)
        assert whole == Output("secret1", 0o644, "secret/secret1", Chain((CONTENT, decode)))
        assert part.transform == Chain((SecretValue(decode), JmesPath("user", "secret1", "u")))

    def test_all_keys(self) -> None:
        entry = one(f"{SECRET}allKeys: true\nfilePrefix: db/\n", operator=Operator(separate_files=True))
        assert entry.outputs == (Spread(Naming(prefix="db/"), 0o644, AllKeys(), SecretValue(WHOLE)),)

    def test_values_beside_files_of_their_own(self) -> None:
        outputs = one(
            f"{SECRET}jmesPath: [{{path: user, objectAlias: u}}]", operator=Operator(separate_files=True)
        ).outputs
        assert isinstance(outputs[0], Spread)
        assert isinstance(outputs[0].split, CertificateFiles)
        assert [output.path for output in outputs[1:] if isinstance(output, Output)] == ["u"]

    @pytest.mark.parametrize("kind", ["key", "cert"])
    @pytest.mark.parametrize("field", ["jmesPath: [{path: a, objectAlias: b}]", "allKeys: true"])
    def test_only_of_secrets(self, kind: str, field: str) -> None:
        said = refusal(array(f"objectName: a\nobjectType: {kind}\n{field}"))
        assert "jmesPath and allKeys only supported for objectType: secret" in said

    @pytest.mark.parametrize("field", ["jmesPath: [{path: a, objectAlias: b}]", "allKeys: true"])
    def test_not_of_histories(self, field: str) -> None:
        said = refusal(array(f"{SECRET}objectVersionHistory: 2\n{field}"))
        assert "objectVersionHistory can't be combined with jmesPath or allKeys" in said


@pytest.mark.parametrize("word", ["cert", "chain", "fullchain", "key", "ca", "CA"])
def test_parts_of_a_certificate_are_one_file(word: str) -> None:
    """Whatever an operator says of files of their own."""
    entry = one(f"{SECRET}objectFormat: {word}", operator=Operator(separate_files=True))
    content = SecretContent(Form(word.lower()), in_order=True)
    assert entry.outputs == (Output("secret1", 0o644, "secret/secret1", content),)
    said = refusal(array(f"objectName: c\nobjectType: cert\nobjectFormat: {word}"))
    assert f"{word.upper()} format only supported for objectType: secret" in said


def test_histories_of_certificates_in_files_of_their_own() -> None:
    entry = one(f"{SECRET}objectVersionHistory: 2\n", operator=Operator(separate_files=True))
    split = CertificateFiles(CONTENT, WHOLE)
    assert entry.outputs == (Spread(Naming(prefix="secret1/"), 0o644, split, id="secret/secret1"),)


@pytest.mark.parametrize("number", ["-1", "501", "1.5", "true", "0x1F5"])
def test_histories_that_are_none(number: str) -> None:
    said = refusal(array(f"{SECRET}objectVersionHistory: {number}"))
    assert "unmarshal failed for keyVaultObjects at index 0, error: must be " in said


@pytest.mark.parametrize(
    "path", ["a//b", "./a", "a/.", "a/", "..a", "a\0b", "x" * 256, "a/" * 2048 + "b"]
)  # fmt: skip
def test_paths_that_no_file_may_have(path: str) -> None:
    said = refusal(array(f"objectName: a\nobjectType: secret\nobjectAlias: {json.dumps(path)}"))
    assert said.startswith("objects.array[0].objectAlias (line 3, column ")
    assert "failed to get objectType:secret, objectName:a, objectVersion:: " in said


@pytest.mark.parametrize("path", ["a..b", "a/b..", ".a", "\u00e9/\u00fc", "a b"])
def test_paths_that_a_file_may_have(path: str) -> None:
    """better= two dots within a name: the existing provider refuses them."""
    (output,) = one(f"objectName: a\nobjectType: secret\nobjectAlias: {json.dumps(path)}").outputs
    assert isinstance(output, Output)
    assert output.path == path
