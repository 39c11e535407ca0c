"""The two values of a kubernetes.io/tls Secret."""

import base64 as codec
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from sscsi_driver import tls
from sscsi_shared.errors import ObjectUnusable

KEYS: dict[str, Any] = {
    "rsa": rsa.generate_private_key(65537, 2048),
    "ec": ec.generate_private_key(ec.SECP256R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
}
HEADS = {"rsa": b"RSA PRIVATE KEY", "ec": b"EC PRIVATE KEY", "ed25519": b"PRIVATE KEY"}


def certificate(name: str, key: Any, issuer: str = "", by: Any = None) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = by or key
    now = datetime(2026, 1, 1, tzinfo=UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer or name)]))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
    )
    return builder.sign(signer, None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256())


def pem(key: Any) -> bytes:
    form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    found: bytes = key.private_bytes(serialization.Encoding.PEM, form, none)
    return found


def text(one: x509.Certificate) -> bytes:
    return one.public_bytes(serialization.Encoding.PEM)


ROOT = certificate("root", KEYS["rsa"])
LEAF = certificate("leaf", KEYS["ec"], "root", KEYS["rsa"])


@pytest.mark.parametrize("kind", KEYS)
def test_a_pem_bundle_serves_both_keys(kind: str) -> None:
    own = certificate("own", KEYS[kind])
    bundle = pem(KEYS[kind]) + text(own)
    assert tls.value("tls.crt", bundle) == text(own)
    key = tls.value("tls.key", bundle)
    assert key.startswith(b"-----BEGIN " + HEADS[kind] + b"-----")
    assert public(key) == public(pem(KEYS[kind]))


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("base64", [False, True])
def test_pkcs12_serves_both_keys_with_the_chain_in_order(kind: str, base64: bool) -> None:
    own = certificate("own", KEYS[kind], "root", KEYS["rsa"])
    bundle = pkcs12.serialize_key_and_certificates(None, KEYS[kind], own, [ROOT], serialization.NoEncryption())
    bundle = codec.b64encode(bundle) if base64 else bundle
    assert tls.value("tls.crt", bundle) == text(own) + text(ROOT)
    assert public(tls.value("tls.key", bundle)) == public(pem(KEYS[kind]))


def test_certificates_of_pem_stay_in_their_order() -> None:
    assert tls.value("tls.crt", text(ROOT) + pem(KEYS["ec"]) + text(LEAF)) == text(ROOT) + text(LEAF)


def test_the_last_key_counts() -> None:
    assert public(tls.value("tls.key", pem(KEYS["rsa"]) + pem(KEYS["ec"]))) == public(pem(KEYS["ec"]))


def test_headers_and_odd_line_lengths_are_written_anew() -> None:
    body = b"".join(text(LEAF).split(b"\n")[1:-2])
    odd = b"Bag Attributes\n-----BEGIN CERTIFICATE-----\nX-Of: me\n\n" + body + b"\n-----END CERTIFICATE-----"
    assert tls.value("tls.crt", odd) == text(LEAF)


ENCRYPTED: bytes = KEYS["rsa"].private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
)


@pytest.mark.parametrize(
    ("key", "contents", "why"),
    [
        ("tls.crt", pem(KEYS["ec"]), "it holds no certificate"),
        ("tls.key", text(LEAF), "it holds no private key"),
        ("tls.key", ENCRYPTED, "is encrypted"),
        ("tls.key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "can't be read"),
        ("tls.crt", b"-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----", "can't be read"),
        ("tls.crt", b"hunter2", "neither PEM nor PKCS#12"),
        ("tls.key", b"", "can't be read"),
    ],
)
def test_what_is_none_is_never_an_empty_value(key: str, contents: bytes, why: str) -> None:
    with pytest.raises(ObjectUnusable, match=why) as caught:
        tls.value(key, contents)
    assert "hunter2" not in str(caught.value)


def public(key: bytes) -> bytes:
    found = serialization.load_pem_private_key(key, None)
    return found.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    "contents",
    [
        b"-----BEGIN A-----" * 60_000,
        b"-----BEGIN A-----" + b"a" * 1_000_000 + b"-----END A-----",
        b"-----BEGIN A-----" + b"a:\n" * 300_000 + b"-----END A-----",
        b"-----BEGIN PRIVATE KEY-----" * 30_000 + b"-----END A-----",
    ],
    ids=["begins", "letters", "headers", "keys"],
)
@pytest.mark.parametrize("key", tls.KEYS)
def test_a_mebibyte_of_pem_takes_no_time(key: str, contents: bytes) -> None:
    started = time.thread_time()
    with pytest.raises(ObjectUnusable):
        tls.value(key, contents)
    assert time.thread_time() - started < 5
