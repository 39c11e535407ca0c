"""reference/azure.md sections 2 and 12: `objects`, validation of its entries; by value."""

import pytest

from azure_catalogue import GET, SECRET, START, array, one, read, refusal
from sscsi_provider_azure.content import CertificateFiles, Form, SecretContent
from sscsi_provider_azure.parameters import Operator
from sscsi_provider_azure.vault_objects import Secret
from sscsi_shared.mount import Output, Spread
from sscsi_shared.paths import Naming
from sscsi_shared.transform import WHOLE, Chain, Decode, Encoding


@pytest.mark.parametrize(
    "objects", ["- {objectName: a, objectType: secret}", "array: [{objectName: a, objectType: secret}]"]
)
def test_mappings_in_place_of_texts(objects: str) -> None:
    """better= the existing provider refuses both: `cannot unmarshal !!seq`, `cannot unmarshal !!map into string`."""
    assert [entry.target for entry in read(objects).entries] == [Secret("testkv", "a")]


@pytest.mark.parametrize(
    ("objects", "text"),
    [
        ("invalid", "failed to yaml unmarshal objects, error: "),
        ("array: x", "failed to yaml unmarshal objects, error: "),
        ("array: [[a]]", "failed to yaml unmarshal objects, error: "),
        ("a: [", "failed to yaml unmarshal objects, error: "),
        ("array:\narray:\n", "failed to yaml unmarshal objects, error: "),
        (array("invalid"), "unmarshal failed for keyVaultObjects at index 0, error: "),
        (array(SECRET, "a: ["), "unmarshal failed for keyVaultObjects at index 1, error: "),
        (array(SECRET, f"{SECRET}objectName: b"), "unmarshal failed for keyVaultObjects at index 1, error: "),
        (array(f"{SECRET}objectVersionHistory: '2'"), "unmarshal failed for keyVaultObjects at index 0, error: "),
        (array(f"{SECRET}objectVersionHistory: some"), "unmarshal failed for keyVaultObjects at index 0, error: "),
        (array(SECRET, f"{SECRET}objectAlias: [a]"), "unmarshal failed for keyVaultObjects at index 1, error: "),
    ],
)
def test_objects_that_are_no_yaml(objects: str, text: str) -> None:
    assert START + text in refusal(objects)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ("objectFormat: pkcs", "invalid objectFormat: pkcs, should be PEM or PFX"),
        ("objectEncoding: utf-16", "invalid objectEncoding: utf-16, should be hex, base64 or utf-8"),
        ("objectEncoding: NotAnEncoding", "invalid objectEncoding: notanencoding, should be hex, base64 or utf-8"),
        ("objectAlias: /secret1", "file name must be a relative path"),
        ("objectAlias: secret1/..", "file name must not contain '..'"),
        ("objectAlias: ../secret1", "file name must not contain '..'"),
        ("objectAlias: a/../b", "file name must not contain '..'"),
    ],
)
def test_errors_of_an_entry(fields: str, text: str) -> None:
    assert f"{START}{GET}{text}" in refusal(array(SECRET + fields))


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ("objectType: secret", "objectType:secret, objectName:, objectVersion:: file name must not be empty"),
        (
            "objectType: secret\nobjectAlias: a",
            "objectType:secret, objectName:, objectVersion:: parameter name cannot be empty",
        ),
        ("objectName: a", "objectType:, objectName:a, objectVersion:: Invalid vaultObjectTypes. Should be secret, key"),
        (
            "objectName: a\nobjectType: Secret",
            "objectType:Secret, objectName:a, objectVersion:: Invalid vaultObjectTypes.",
        ),
        (
            "objectName: a\nobjectType: certificate\nobjectVersion: v1",
            "objectType:certificate, objectName:a, objectVersion:v1: Invalid vaultObjectTypes.",
        ),
        ("objectName: a\nobjectType: cert\nobjectFormat: pfx", "PFX format only supported for objectType: secret"),
        (
            "objectName: a\nobjectType: cert\nobjectEncoding: base64",
            "objectEncoding only supported for objectType: secret",
        ),
        (
            "objectName: a\nobjectType: key\nobjectEncoding: utf-8",
            "objectEncoding only supported for objectType: secret",
        ),
    ],
)
def test_errors_of_types(entry: str, text: str) -> None:
    said = refusal(array(entry))
    assert START + "failed to get objectType:" in said
    assert text in said


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("", Form.UNSAID),
        ("''", Form.UNSAID),
        ("pem", Form.PEM),
        ("PEM", Form.PEM),
        ("pfx", Form.PFX),
        ("PfX", Form.PFX),
    ],
)
def test_formats(written: str, form: Form) -> None:
    (output,) = one(f"{SECRET}objectFormat: {written}").outputs
    assert output.transform == SecretContent(form, in_order=True)
    if form is not Form.PFX:
        assert one(f"objectName: a\nobjectType: cert\nobjectFormat: {written}").outputs[0].transform == WHOLE


@pytest.mark.parametrize(
    ("written", "encoding"),
    [("", None), ("utf-8", None), ("UTF-8", None), ("base64", Encoding.BASE64), ("BasE64", Encoding.BASE64),
     ("hex", Encoding.HEX), ("HEX", Encoding.HEX)],
)  # fmt: skip
def test_encodings(written: str, encoding: Encoding | None) -> None:
    (output,) = one(f"{SECRET}objectEncoding: {written}").outputs
    content = SecretContent(Form.UNSAID, in_order=True)
    assert output.transform == (content if encoding is None else Chain((content, Decode(encoding))))


def test_text_is_trimmed_and_taken_as_written() -> None:
    """No habit of YAML 1.1 changes it: an octal number, an exponent, null."""
    entry = one(
        "objectName: ' secret1 '\nobjectType: \" secret\"\nobjectAlias: ' alias '\nobjectVersion: 12e3\n"
        "filePermission: 0755\nobjectFormat: ' pem '\nunknown: ignored\n"
    )
    assert entry.target == Secret("testkv", "secret1", "12e3")
    content = SecretContent(Form.PEM, in_order=True)
    assert entry.outputs == (Output("alias", 0o755, "secret/secret1", content),)
    assert one("objectName: 0x1F\nobjectType: secret\nobjectVersion: ~\n").target == Secret("testkv", "0x1F")
    assert one("objectName: yes\nobjectType: secret\nobjectAlias: 1_0\n").outputs[0] == Output(
        "1_0", 0o644, "secret/yes", SecretContent(Form.UNSAID, in_order=True)
    )


@pytest.mark.parametrize(
    ("written", "mode"), [("0600", 0o600), ("'0400'", 0o400), ("755", 0o755), ("", 0o640), ("~", 0o640)]
)
def test_file_permissions(written: str, mode: int) -> None:
    assert one(f"{SECRET}filePermission: {written}", permission="416").outputs[0].mode == mode


@pytest.mark.parametrize("written", ["", "0", "1"])
def test_one_version(written: str) -> None:
    entry = one(f"{SECRET}objectVersionHistory: {written}\nobjectVersion: abc")
    assert entry.target == Secret("testkv", "secret1", "abc")
    assert isinstance(entry.outputs[0], Output)


@pytest.mark.parametrize(("alias", "prefix"), [("", "secret1/"), ("objectAlias: a/b", "a/b/")])
def test_several_versions(alias: str, prefix: str) -> None:
    entry = one(f"{SECRET}objectVersionHistory: 3\n{alias}")
    assert entry.target == Secret("testkv", "secret1", history=3)
    content = SecretContent(Form.UNSAID, in_order=True)
    assert entry.outputs == (Spread(Naming(prefix=prefix), 0o644, None, content, id="secret/secret1"),)


def test_what_an_operator_says() -> None:
    entry = one(SECRET, operator=Operator(in_order=False, separate_files=True))
    split = CertificateFiles(SecretContent(Form.UNSAID, in_order=False), WHOLE)
    assert entry.outputs == (Spread(Naming(prefix="secret1"), 0o644, split, id="secret/secret1"),)
