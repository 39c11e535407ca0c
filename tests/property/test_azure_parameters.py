"""A class for Azure, what a vault holds, what servers say, whatever stands in it: read or refused, and never quoted."""

import base64
import contextlib
import json
import re
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from hypothesis import given, settings
from hypothesis import strategies as st

from azure_identity import IDENTITY
from pki import chain, key, pem, pfx, pkcs8
from sscsi_provider_azure.challenges import read_challenge
from sscsi_provider_azure.clouds import cloud_of, described, is_described
from sscsi_provider_azure.content import (
    PEM,
    PKCS12,
    CertificateFiles,
    Form,
    SecretContent,
    SecretValue,
    envelope,
    with_password,
)
from sscsi_provider_azure.errors import login_error, object_error
from sscsi_provider_azure.keys import public_pem
from sscsi_provider_azure.objects import FIELDS, Rules, read_entries
from sscsi_provider_azure.parameters import KNOWN, Operator, read_request
from sscsi_provider_azure.vault_objects import WORDS, Found
from sscsi_shared.errors import MAX_MESSAGE_BYTES, InvalidParameters, ObjectUnusable
from sscsi_shared.mount import Output
from sscsi_shared.parameters import read_mount
from sscsi_shared.paths import check_mode, check_path
from sscsi_shared.testing.stage import POD, pod_attributes
from sscsi_shared.transform import Decode, Encoding


def _written(document: object) -> str:
    return json.dumps(document, ensure_ascii=False)


HOSTILE = st.text(st.sampled_from("ab1-_./:@ {}[]'\"|>&*!%\\\n\t\0\u00e9\u2028\U0001f600"), max_size=12)
WORD = HOSTILE | st.sampled_from(
    [
        "secret",
        "key",
        "cert",
        "pem",
        "PFX",
        "chain",
        "base64",
        "latest",
        "true",
        "2",
        "0600",
        "testkv",
        "~",
        "",
        "a" * 300,
    ]
)
VALUE = WORD | st.integers(-8, 5000) | st.booleans() | st.none() | st.lists(WORD, max_size=2)
SELECT = st.fixed_dictionaries({}, optional={"prefix": VALUE, "tags": st.dictionaries(WORD, WORD), "limit": VALUE})
FIELD = st.one_of(VALUE, SELECT, st.lists(st.dictionaries(st.sampled_from(["path", "objectAlias"]), WORD), max_size=2))
ENTRY = st.dictionaries(st.sampled_from(FIELDS), FIELD, max_size=6) | st.fixed_dictionaries(
    {"objectName": WORD, "objectType": st.sampled_from(["secret", "key", "cert"])},
    optional={name: FIELD for name in FIELDS if name not in {"objectName", "objectType"}},
)
NAME = st.text(st.sampled_from("ab1-"), min_size=1, max_size=5)
LIKELY = st.fixed_dictionaries(
    {"objectName": NAME, "objectType": st.sampled_from(["secret", "key", "cert"])},
    optional={
        "objectAlias": st.lists(NAME | WORD, min_size=1, max_size=3).map("/".join),
        "objectVersion": NAME | st.just("latest"),
        "objectVersionHistory": st.integers(0, 3),
        "objectFormat": st.sampled_from(["pem", "pfx", "key", "CA", ""]),
        "objectEncoding": st.sampled_from(["", "hex"]),
        "filePermission": st.sampled_from(["0400", "0777", "4755", ""]),
        "keyvaultName": st.text(st.sampled_from("ab-._"), max_size=5),
        "optional": st.booleans(),
    },
)
LISTED = st.lists(LIKELY.map(_written) | LIKELY | (ENTRY.map(_written) | ENTRY | HOSTILE), max_size=3)
OBJECTS = (
    st.lists(LIKELY.map(_written), max_size=2).map(lambda entries: _written({"array": entries}))
    | LISTED.map(lambda entries: _written({"array": entries}))
    | LISTED.map(_written)
    | st.text(max_size=40)
    | HOSTILE
)
CLASS = st.fixed_dictionaries(
    {"objects": OBJECTS},
    optional=dict.fromkeys(sorted(KNOWN - {"objects"}), WORD) | {"keyvaultName": st.just("testkv")},
)
RULES = Rules("testkv", 0o644, in_order=True, separate_files=True)
ADDRESS = re.compile(
    r"https://[-a-zA-Z0-9]{3,24}\.vault\.azure\.net/(secret|key|cert)/[-a-zA-Z0-9]{1,127}/[a-zA-Z0-9]{0,64}"
)


def check_told(error: Exception) -> None:
    """Short enough for gRPC, and on one line."""
    assert len(str(error).encode()) <= MAX_MESSAGE_BYTES
    assert "\n" not in str(error)


@settings(max_examples=400, deadline=None)
@given(CLASS, st.booleans(), st.booleans())
def test_a_class_is_read_or_refused(parameters: dict[str, str], usual: bool, separate: bool) -> None:
    more = {"keyvaultName": "testkv", "tenantID": "tenant", "clientID": "client"} if usual else {}
    sent = parameters | more | pod_attributes(POD)
    try:
        request = read_request(read_mount(json.dumps(sent), "null", "420", "/t", ()), Operator(separate_files=separate))
    except InvalidParameters as error:
        check_told(error)
        return
    assert re.fullmatch("[A-Za-z0-9.-]*", request.tenant)
    assert re.fullmatch("[A-Za-z0-9-]*", request.client)
    if not is_described(request.cloud):
        assert cloud_of(request.cloud).suffix.startswith("vault.")


@settings(max_examples=600, deadline=None)
@given(OBJECTS)
def test_only_clean_addresses_and_paths_come_out_of_objects(text: str) -> None:
    try:
        entries = read_entries(text, RULES)
    except InvalidParameters as error:
        check_told(error)
        return
    for entry in entries:
        target = entry.target
        name, version = ("all", "") if isinstance(target, Found) else (target.name, target.version)
        kind = WORDS[target.kind if isinstance(target, Found) else type(target)]
        assert ADDRESS.fullmatch(f"https://{target.vault}.vault.azure.net/{kind}/{name}/{version}")
        assert entry.outputs
        for output in entry.outputs:
            check_mode(output.mode)
        first = entry.outputs[0]
        if isinstance(first, Output):
            check_path(first.path)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "- " * 100_000,
        "array: " + "[" * 2000,
        "array:\n" + "- |\n  " + "{" * 100_000,
        "a: &a [x, x]\n"
        + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(24)),
        "array: [" + "'{objectName: a, objectType: secret}'," * 200_000 + "]",
        "array:\n" + "- |\n  objectName: a\n  objectType: secret\n" * 30_000,
        "x" * (4 << 20),
        "\0",
        "%YAML 9.9\n---\narray:",
        "!!python/object/apply:os.system ['true']",
    ],
    ids=lambda text: text[:20],
)
def test_what_is_huge_or_tricky_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameters) as caught:
        read_entries(text, RULES)
    check_told(caught.value)


CANARY = "canary-8f1b2c"


def check_unquoted(error: Exception) -> None:
    """Neither its text nor its cause, which a traceback shows, holds the content."""
    assert CANARY not in str(error)
    assert error.__cause__ is None


BUNDLES = [
    base64.b64encode(pfx(key("ec", "leaf"), chain("ec"))).decode(),
    (pkcs8(key("ec", "leaf")) + pem(*chain("ec"))).decode(),
]


@st.composite
def damaged(draw: Any) -> str:
    text = draw(st.sampled_from(BUNDLES))
    start, end = draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))
    added = draw(st.sampled_from(["", CANARY, "=", "\0", "-----END CERTIFICATE-----"]))
    return f"{text[:start]}{added}{text[end:]}"


SECRET = st.text(max_size=60).map(lambda text: CANARY + text) | damaged() | st.just(CANARY)
TYPE = st.sampled_from([PKCS12, PEM, "", "text/plain"]) | st.text(max_size=20)
FORM = st.sampled_from(Form)


@settings(max_examples=400, deadline=None)
@given(SECRET, TYPE, FORM, st.booleans(), st.none() | st.text(max_size=10))
def test_a_secret_becomes_a_file_or_is_refused(
    value: str, content_type: str, form: Form, kid: bool, password: str | None
) -> None:
    secret = envelope(value, content_type, is_certificate=kid)
    if password is not None:
        secret = with_password(secret, envelope(CANARY + password, "", is_certificate=False))
    content = SecretContent(form, in_order=True)
    for decode in Encoding:
        for step in (content, CertificateFiles(content, Decode(decode)), SecretValue(Decode(decode))):
            try:
                step.apply(secret)
            except ObjectUnusable as error:
                check_told(error)
                check_unquoted(error)


QUOTED = st.text(st.sampled_from('ab/:.[]@\\ ,=" '), max_size=20)
HEADER = st.text(max_size=60) | st.builds(
    'Bearer {}="{}", {}="{}"'.format,
    st.sampled_from(["authorization", "authorization_uri", "Authorization", ""]),
    QUOTED.map("https://".__add__) | QUOTED,
    st.sampled_from(["resource", "scope", "realm"]),
    QUOTED,
)


@settings(max_examples=400, deadline=None)
@given(HEADER)
def test_a_challenge_is_read_or_is_none(header: str) -> None:
    found = read_challenge(header)
    if found is not None:
        assert found.tenant
        assert found.scope
        assert "/" not in found.tenant


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | HOSTILE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(HOSTILE, inner, max_size=3),
    max_leaves=8,
)
HOST = (
    st.text(st.sampled_from("ab1"), min_size=1, max_size=6)
    | st.text(st.sampled_from("ab1.:-/"), min_size=1, max_size=6)
    | QUOTED
)
CLOUD = st.fixed_dictionaries(
    {"activeDirectoryEndpoint": HOST.map("https://".__add__) | JSON, "keyVaultDNSSuffix": HOST | JSON},
    optional={"name": JSON},
)


@settings(max_examples=400, deadline=None)
@given(
    st.binary(max_size=60)
    | CLOUD.map(lambda fields: json.dumps(fields).encode())
    | JSON.map(lambda one: json.dumps(one).encode())
)
def test_a_clouds_file_is_read_or_refused(contents: bytes) -> None:
    try:
        cloud = described(contents, "AzureStackCloud")
    except InvalidParameters as error:
        check_told(error)
        return
    assert re.fullmatch(r"https://[A-Za-z0-9.-]+(:[0-9]+)?(/[^?#]*)?", cloud.authority)
    assert re.fullmatch(r"[A-Za-z0-9.-]+(:[0-9]+)?", cloud.suffix)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["RSA", "EC", "RSA-HSM", "oct", None]),
    st.sampled_from(["P-256", "P-384", "P-521", "P-256K", None]),
    st.dictionaries(st.sampled_from("nexy"), st.none() | st.binary(max_size=80), min_size=4, max_size=4),
)
def test_a_key_becomes_pem_or_is_refused(kind: str | None, curve: str | None, numbers: dict[str, bytes | None]) -> None:
    with contextlib.suppress(ObjectUnusable):
        assert public_pem(SimpleNamespace(kty=kind, crv=curve, **numbers)).startswith(b"-----BEGIN PUBLIC KEY-----\n")


@settings(max_examples=300, deadline=None)
@given(
    st.integers(300, 599), st.text(max_size=40) | JSON.map(json.dumps), st.dictionaries(st.just("Retry-After"), HOSTILE)
)
def test_any_answer_is_told(status: int, body: str, headers: dict[str, str]) -> None:
    """Of Entra and of a vault: as one of our errors, short, and twice the same."""

    def answer() -> Any:
        request = SimpleNamespace(headers={"Authorization": f"Bearer {CANARY}"})
        return SimpleNamespace(
            status_code=status,
            reason="Odd",
            headers=headers,
            request=request,
            text=lambda: body,
            json=lambda: json.loads(body),
        )

    def told() -> list[str]:
        read = object_error(HttpResponseError(response=answer()), "s", "secret", IDENTITY, "kv.vault.azure.net", "t")
        login = login_error(ClientAuthenticationError(CANARY), answer(), IDENTITY, "ClientAssertionCredential")
        for error in (read, login):
            check_told(error)
            assert CANARY not in str(error)
        return [str(read), str(login)]

    assert told() == told()
