"""reference/azure.md sections 4 and 12: what becomes of secrets, keys and certificates; by value, without a vault."""

import base64
import itertools
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pki import chain, key, pem, pfx, pkcs8
from sscsi_provider_azure.content import PEM, PKCS12, CertificateFiles, Form, SecretContent, SecretValue, envelope
from sscsi_provider_azure.keys import certificate_pem, public_pem
from sscsi_shared.errors import ObjectUnusable
from sscsi_shared.transform import WHOLE, Decode, Encoding

THREE = ("root", "middle", "leaf")


def content(
    value: str | bytes, content_type: str = PKCS12, form: Form = Form.UNSAID, *, in_order: bool = True
) -> bytes:
    """Of a secret that belongs to a certificate."""
    text = value if isinstance(value, str) else base64.b64encode(value).decode()
    return SecretContent(form, in_order).apply(envelope(text, content_type, is_certificate=True))


def files(value: str | bytes, content_type: str = PKCS12, form: Form = Form.UNSAID) -> list[tuple[str, bytes]]:
    text = value if isinstance(value, str) else base64.b64encode(value).decode()
    split = CertificateFiles(SecretContent(form, in_order=True), WHOLE)
    return list(split.apply(envelope(text, content_type, is_certificate=True)).items())


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_one_certificate_and_its_key(kind: str) -> None:
    """PKCS#8, without bag headers, each block with a new line at its end."""
    certificate, private = chain(kind, ("leaf",))[0], key(kind, "leaf")
    written = content(pfx(private, (certificate,)))
    assert written == pkcs8(private) + pem(certificate)
    read_key = serialization.load_pem_private_key(written, None)
    assert read_key.public_key() == x509.load_pem_x509_certificate(written).public_key()


def test_several_certificates_and_one_key() -> None:
    certificates = chain("rsa")
    assert content(pfx(key("rsa", "leaf"), certificates)) == pkcs8(key("rsa", "leaf")) + pem(*certificates)


@pytest.mark.parametrize("form", [Form.UNSAID, Form.PEM])
def test_pkcs12_as_pem(form: Form) -> None:
    packed = pfx(key("ec", "leaf"), chain("ec"))
    assert content(packed, form=form) == pkcs8(key("ec", "leaf")) + pem(*chain("ec"))


def test_pkcs12_as_it_is() -> None:
    packed = pfx(key("ec", "leaf"), tuple(reversed(chain("ec"))))
    assert content(packed, form=Form.PFX) == base64.b64encode(packed)


def test_pem_is_left_as_it_is() -> None:
    text = (pem(*reversed(chain("ec"))) + b"\n# any\r\n" + pkcs8(key("ec", "leaf"))).decode()
    for form in (Form.UNSAID, Form.PEM):
        assert content(text, PEM, form) == text.encode()


@pytest.mark.parametrize("content_type", ["application/x-pkcs7", "text/plain"])
def test_unknown_content_types(content_type: str) -> None:
    with pytest.raises(ObjectUnusable, match=f"failed to get certificate. unknown content type '{content_type}'"):
        content("x", content_type)


@pytest.mark.parametrize("value", ["", "!!!", "dGVzdA==", base64.b64encode(b"\x30\x03\x02\x01\x03").decode()])
def test_invalid_pkcs12(value: str) -> None:
    for form in (Form.UNSAID, Form.PEM):
        with pytest.raises(ObjectUnusable):
            content(value, form=form)


@pytest.mark.parametrize("content_type", ["", "text/plain", PEM, PKCS12])
def test_a_secret_of_no_certificate_is_its_value(content_type: str) -> None:
    value = base64.b64encode(pfx(key("ec", "leaf"), chain("ec"))).decode()
    for form in (Form.UNSAID, Form.PFX):
        secret = envelope(value, content_type, is_certificate=False)
        assert SecretContent(form, in_order=True).apply(secret) == value.encode()


@pytest.mark.parametrize(
    ("value", "decode", "contents"),
    [
        ("value", None, b"value"),
        ("gr\u00fcn\n", None, "gr\u00fcn\n".encode()),
        ("QmFzZTY0RW5jb2RlZFN0cmluZw==", Encoding.BASE64, b"Base64EncodedString"),
        ("QmFz\r\nZTY0RW5jb2RlZFN0cmluZw==\n", Encoding.BASE64, b"Base64EncodedString"),
        ("AAEC//4=", Encoding.BASE64, b"\x00\x01\x02\xff\xfe"),
        ("486578456E636F646564537472696E67", Encoding.HEX, b"HexEncodedString"),
        ("486578456e636f646564537472696e67", Encoding.HEX, b"HexEncodedString"),
    ],
)
def test_encodings(value: str, decode: Encoding | None, contents: bytes) -> None:
    step = WHOLE if decode is None else Decode(decode)
    assert SecretValue(step).apply(envelope(value, "", is_certificate=False)) == contents


@pytest.mark.parametrize(
    ("value", "decode"),
    [
        ("-_8=", Encoding.BASE64),
        ("QQ", Encoding.BASE64),
        ("Q Q==", Encoding.BASE64),
        ("value", Encoding.HEX),
        ("123", Encoding.HEX),
    ],
)
def test_what_is_not_encoded_so(value: str, decode: Encoding) -> None:
    with pytest.raises(ObjectUnusable, match=f"the content is not valid {decode.value}"):
        SecretValue(Decode(decode)).apply(envelope(value, "", is_certificate=False))


def test_six_orders_of_a_chain() -> None:
    expected = pkcs8(key("rsa", "leaf")) + pem(*chain("rsa", THREE))
    for order in itertools.permutations(chain("rsa", THREE)):
        assert content(pfx(key("rsa", "leaf"), order)) == expected
        assert content(pfx(None, order)) == pem(*chain("rsa", THREE)), "there is no key that tells the leaf"


def test_two_intermediates_and_a_leaf_without_a_subject_key_identifier() -> None:
    certificates = chain("ec", unidentified=("leaf",))
    for order in itertools.permutations(certificates):
        assert content(pfx(None, order)) == pem(*certificates)


def test_a_missing_intermediate() -> None:
    """better= the leaf comes first all the same; the existing provider leaves the order as it came."""
    leaf, _, middle, root = chain("ec")
    assert content(pfx(key("ec", "leaf"), (root, leaf, middle))) == pkcs8(key("ec", "leaf")) + pem(leaf, root, middle)


def test_the_order_as_it_came_where_an_operator_wants_that() -> None:
    certificates = tuple(reversed(chain("ec")))
    own = key("ec", "leaf")
    assert content(pfx(None, certificates), in_order=False) == pem(*certificates)
    assert content(pfx(own, chain("ec")), in_order=False) == pkcs8(own) + pem(*chain("ec"))


def test_two_copies_of_a_root_and_a_circle() -> None:
    """better= `no leaf found` and `constructing chain resulted in cycle` there."""
    (root,) = chain("ec", ("root",))
    assert content(pfx(None, (root, root))) == pem(root)
    circle = chain("ec", ("a", "b"))[0], chain("ec", ("b", "a"))[0]
    assert content(pfx(None, circle)) == pem(*circle)


@pytest.mark.parametrize("names", [("leaf",), THREE])
def test_certificates_and_key_in_files_of_their_own(names: tuple[str, ...]) -> None:
    own, certificates = key("rsa", "leaf"), chain("rsa", names)
    parts = [(".crt", pem(*certificates)), (".key", pkcs8(own)), ("", pkcs8(own) + pem(*certificates))]
    assert files(pfx(own, certificates)) == parts
    text = pkcs8(own) + pem(*certificates)
    assert files(text.decode(), PEM) == parts


def test_what_belongs_to_no_certificate_is_one_file() -> None:
    split = CertificateFiles(SecretContent(Form.UNSAID, in_order=True), WHOLE)
    assert split.apply(envelope("plain", "", is_certificate=False)) == {"": b"plain"}


@pytest.mark.parametrize("form", [serialization.PrivateFormat.TraditionalOpenSSL, serialization.PrivateFormat.PKCS8])
@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_private_keys_in_older_forms(kind: str, form: serialization.PrivateFormat) -> None:
    own = key(kind, "leaf")
    text = own.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    assert content(text.decode(), PEM, Form.KEY) == pkcs8(own)


def jwk(public: Any, kind: str, curve: str | None = None) -> Any:
    """As azure-keyvault-keys has it."""
    numbers = public.public_numbers()
    parts = {"n": numbers.n, "e": numbers.e} if curve is None else {"x": numbers.x, "y": numbers.y}
    return SimpleNamespace(kty=kind, crv=curve, **{name: one.to_bytes(256, "big") for name, one in parts.items()})


@pytest.mark.parametrize(
    ("name", "curve", "size"),
    [("P-256", ec.SECP256R1(), 178), ("P-384", ec.SECP384R1(), 215), ("P-521", ec.SECP521R1(), 268)],
)
@pytest.mark.parametrize("kind", ["EC", "EC-HSM"])
def test_curves(name: str, curve: ec.EllipticCurve, size: int, kind: str) -> None:
    public = ec.generate_private_key(curve).public_key()
    written = public_pem(jwk(public, kind, name))
    assert serialization.load_pem_public_key(written) == public
    assert written.startswith(b"-----BEGIN PUBLIC KEY-----\n")
    assert len(written) == size


@pytest.mark.parametrize("kind", ["RSA", "RSA-HSM"])
def test_rsa(kind: str) -> None:
    public = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    written = public_pem(jwk(public, kind))
    assert serialization.load_pem_public_key(written) == public
    assert len(written) == 451


@pytest.mark.parametrize(
    ("kind", "curve", "text"),
    [
        ("EC", "P-256K", "failed to get key. curve P-256K is not supported"),
        ("oct", None, "failed to get key. key type 'oct' currently not supported"),
        ("oct-HSM", None, "currently not supported"),
    ],
)
def test_keys_without_a_public_half(kind: str, curve: str | None, text: str) -> None:
    with pytest.raises(ObjectUnusable) as caught:
        public_pem(SimpleNamespace(kty=kind, crv=curve, x=b"", y=b""))
    assert text in str(caught.value)


def test_a_certificate_is_its_bytes() -> None:
    assert certificate_pem(b"test") == b"-----BEGIN CERTIFICATE-----\ndGVzdA==\n-----END CERTIFICATE-----\n"
    (leaf,) = chain("rsa", ("leaf",))
    assert certificate_pem(leaf.public_bytes(serialization.Encoding.DER)) == pem(leaf)
