"""Every form of every kind of secret, with a certificate behind it and without; passwords of PKCS#12."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption

from pki import chain, key, pem, pfx, pkcs8
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
from sscsi_shared.certificates import Bundle, read
from sscsi_shared.errors import ObjectUnusable
from sscsi_shared.transform import WHOLE, Decode, Encoding

KEY = pkcs8(key("rsa", "leaf"))
LEAF, LOWER, MIDDLE, ROOT = chain("rsa")
WRONG_ORDER = (ROOT, LOWER, LEAF, MIDDLE)
PACKED = base64.b64encode(pfx(key("rsa", "leaf"), WRONG_ORDER)).decode()
TEXT = (KEY + pem(*WRONG_ORDER)).decode()
PARTS = {
    Form.CERT: pem(LEAF),
    Form.CHAIN: pem(LOWER, MIDDLE, ROOT),
    Form.FULLCHAIN: pem(LEAF, LOWER, MIDDLE, ROOT),
    Form.KEY: KEY,
    Form.CA: pem(ROOT),
}
WHOLE_FORMS = (Form.UNSAID, Form.PEM, Form.PFX)


def written(value: str, content_type: str, form: Form, *, kid: bool, in_order: bool = True) -> bytes:
    return SecretContent(form, in_order).apply(envelope(value, content_type, is_certificate=kid))


def bundle_in(packed: bytes) -> Bundle:
    return read(base64.b64decode(packed, validate=True), in_order=False)


@pytest.mark.parametrize(
    ("value", "content_type", "form", "expected"),
    [
        (PACKED, PKCS12, Form.UNSAID, KEY + PARTS[Form.FULLCHAIN]),
        (PACKED, PKCS12, Form.PEM, KEY + PARTS[Form.FULLCHAIN]),
        (PACKED, PKCS12, Form.PFX, PACKED.encode()),
        (TEXT, PEM, Form.UNSAID, TEXT.encode()),
        (TEXT, PEM, Form.PEM, TEXT.encode()),
    ],
)
def test_whole_certificates(value: str, content_type: str, form: Form, expected: bytes) -> None:
    assert written(value, content_type, form, kid=True) == expected


def test_pem_as_pfx() -> None:
    """better= the existing provider leaves it as it is, so that base64 of it fails."""
    for in_order in (True, False):
        bundle = bundle_in(written(TEXT, PEM, Form.PFX, kid=True, in_order=in_order))
        assert bundle.certificates[0] == LEAF
        assert set(bundle.certificates) == {LEAF, LOWER, MIDDLE, ROOT}
        assert bundle.key.private_numbers() == key("rsa", "leaf").private_numbers()


def test_pem_as_pfx_without_the_keys_own_certificate() -> None:
    bundle = bundle_in(written((KEY + pem(ROOT)).decode(), PEM, Form.PFX, kid=True))
    assert (bundle.certificates, bundle.key is None) == ((ROOT,), False)


@pytest.mark.parametrize("kid", [True, False])
@pytest.mark.parametrize("content_type", [PKCS12, PEM, "", "text/plain"])
@pytest.mark.parametrize("value", [PACKED, TEXT], ids=["pkcs12", "pem"])
@pytest.mark.parametrize("form", PARTS, ids=lambda form: form.value)
def test_a_part_is_found_whatever_the_type_says(form: Form, value: str, content_type: str, kid: bool) -> None:
    assert written(value, content_type, form, kid=kid) == PARTS[form]


@pytest.mark.parametrize("form", [Form.CERT, Form.CHAIN, Form.CA], ids=lambda form: form.value)
def test_parts_know_the_keys_own_certificate_whatever_an_operator_says(form: Form) -> None:
    assert written(TEXT, PEM, form, kid=True, in_order=False) == PARTS[form]
    assert written(TEXT, PEM, Form.FULLCHAIN, kid=True, in_order=False) == pem(*WRONG_ORDER)


@pytest.mark.parametrize("content_type", ["", "text/plain", "Application/X-PKCS12", "application/x-pem"])
@pytest.mark.parametrize("form", WHOLE_FORMS, ids=lambda form: form.name)
def test_a_certificate_of_an_unknown_type_is_refused_whole(form: Form, content_type: str) -> None:
    with pytest.raises(ObjectUnusable, match="unknown content type"):
        written(PACKED, content_type, form, kid=True)


@pytest.mark.parametrize(
    ("form", "content_type"),
    [
        (form, kind)
        for form in WHOLE_FORMS
        for kind in (PKCS12, PEM, "", "text/plain")
        if (form, kind) != (Form.PEM, PKCS12)
    ],
)
@pytest.mark.parametrize("value", [PACKED, TEXT, "plain", "", "\u20ac\0\n"])
def test_any_other_secret_is_its_value(form: Form, content_type: str, value: str) -> None:
    assert written(value, content_type, form, kid=False) == value.encode()


def test_pkcs12_behind_no_certificate_as_pem() -> None:
    assert written(PACKED, PKCS12, Form.PEM, kid=False) == KEY + PARTS[Form.FULLCHAIN]
    with pytest.raises(ObjectUnusable, match="neither PEM nor PKCS#12"):
        written("plain", PKCS12, Form.PEM, kid=False)


@pytest.mark.parametrize("form", PARTS, ids=lambda form: form.value)
@pytest.mark.parametrize("kid", [True, False])
def test_a_part_of_what_has_none(form: Form, kid: bool) -> None:
    with pytest.raises(ObjectUnusable) as caught:
        written("canary-value", "text/plain", form, kid=kid)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "form"), [(KEY.decode(), Form.CERT), (KEY.decode(), Form.CHAIN), (KEY.decode(), Form.CA),
                        (pem(LEAF).decode(), Form.KEY), (pem(LEAF).decode(), Form.CHAIN)],
)  # fmt: skip
def test_no_file_is_empty(value: str, form: Form) -> None:
    with pytest.raises(ObjectUnusable, match=f"has no part `{form.value}`"):
        written(value, PEM, form, kid=True)


class TestPasswords:
    PROTECTED = base64.b64encode(
        pfx(key("rsa", "leaf"), chain("rsa"), BestAvailableEncryption(b"p w\xc3\xa9"))
    ).decode()

    def secret(self, password: str, value: str = PROTECTED, *, kid: bool = False) -> bytes:
        plain = envelope(password, "text/plain", is_certificate=False)
        return with_password(envelope(value, PKCS12, is_certificate=kid), plain)

    @pytest.mark.parametrize("kid", [True, False])
    def test_the_right_one(self, kid: bool) -> None:
        contents = SecretContent(Form.PEM, in_order=True).apply(self.secret("p w\u00e9", kid=kid))
        assert contents == KEY + PARTS[Form.FULLCHAIN]

    @pytest.mark.parametrize("password", ["", "canary-wrong"])
    def test_a_wrong_one(self, password: str) -> None:
        with pytest.raises(ObjectUnusable, match="the PKCS#12 file can't be read") as caught:
            SecretContent(Form.PEM, in_order=True).apply(self.secret(password))
        assert "canary" not in str(caught.value)

    def test_none(self) -> None:
        with pytest.raises(ObjectUnusable, match="has it a password"):
            written(self.PROTECTED, PKCS12, Form.PEM, kid=False)

    def test_what_has_none_is_read_all_the_same(self) -> None:
        contents = SecretContent(Form.CERT, in_order=True).apply(self.secret("", PACKED))
        assert contents == PARTS[Form.CERT]

    def test_a_pfx_made_of_pem_bears_it(self) -> None:
        plain = envelope("new", "text/plain", is_certificate=False)
        secret = with_password(envelope(TEXT, PEM, is_certificate=True), plain)
        packed = SecretContent(Form.PFX, in_order=True).apply(secret)
        with pytest.raises(ObjectUnusable):
            bundle_in(packed)
        assert read(base64.b64decode(packed), password=b"new").certificates == chain("rsa")

    def test_an_envelope_keeps_what_it_had(self) -> None:
        assert json.loads(self.secret("p", "v")) == {"value": "v", "contentType": PKCS12, "kid": False, "password": "p"}


class TestFilesOfTheirOwn:
    def split(self, value: str, content_type: str, form: Form, decode: Encoding | None = None) -> dict[str, bytes]:
        split = CertificateFiles(SecretContent(form, in_order=True), WHOLE if decode is None else Decode(decode))
        return dict(split.apply(envelope(value, content_type, is_certificate=True)))

    def test_pkcs12_is_put_in_order_and_pem_is_not(self) -> None:
        assert self.split(PACKED, PKCS12, Form.UNSAID)[".crt"] == PARTS[Form.FULLCHAIN]
        assert self.split(TEXT, PEM, Form.UNSAID)[".crt"] == pem(*WRONG_ORDER)

    def test_an_encoding_is_of_the_whole_alone(self) -> None:
        files = self.split(PACKED, PKCS12, Form.PFX, Encoding.BASE64)
        assert list(files) == [".crt", ".key", ""]
        assert files[""] == base64.b64decode(PACKED)
        assert files[".key"] == KEY

    def test_what_is_not_there_has_no_file(self) -> None:
        assert list(self.split(pem(LEAF).decode(), PEM, Form.UNSAID)) == [".crt", ""]
        assert list(self.split(KEY.decode(), PEM, Form.UNSAID)) == [".key", ""]

    def test_a_broken_one_is_told(self) -> None:
        with pytest.raises(ObjectUnusable):
            self.split("broken", PEM, Form.UNSAID)


def test_a_value_is_looked_at_without_its_envelope() -> None:
    assert SecretValue(WHOLE).apply(envelope('{"a": 1}', "application/json", is_certificate=False)) == b'{"a": 1}'
