"""Public keys out of a vault's JSON: kinds as the SDK has them, and numbers that are none."""

from enum import Enum
from types import SimpleNamespace
from typing import Any

import pytest
from azure.keyvault.keys import JsonWebKey, KeyCurveName, KeyType
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from sscsi_provider_azure.keys import certificate_pem, public_pem
from sscsi_shared.errors import ObjectUnusable

POINT = ec.generate_private_key(ec.SECP256R1()).public_key()
MODULUS = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()


def octets(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def web_key(**fields: Any) -> JsonWebKey:
    return JsonWebKey(**fields)


@pytest.mark.parametrize("kind", [KeyType.ec, KeyType.ec_hsm, "EC", "EC-HSM"], ids=repr)
@pytest.mark.parametrize("curve", [KeyCurveName.p_256, "P-256"], ids=repr)
def test_a_point_as_the_sdk_has_it(kind: Enum | str, curve: Enum | str) -> None:
    numbers = POINT.public_numbers()
    found = public_pem(web_key(kty=kind, crv=curve, x=octets(numbers.x), y=octets(numbers.y)))
    assert serialization.load_pem_public_key(found) == POINT


@pytest.mark.parametrize("kind", [KeyType.rsa, KeyType.rsa_hsm])
def test_a_modulus_as_the_sdk_has_it(kind: Enum) -> None:
    numbers = MODULUS.public_numbers()
    found = public_pem(web_key(kty=kind, n=b"\0" + octets(numbers.n), e=octets(numbers.e)))
    assert serialization.load_pem_public_key(found) == MODULUS


@pytest.mark.parametrize(
    "fields",
    [
        {"kty": "RSA"},
        {"kty": "RSA", "n": b"", "e": b""},
        {"kty": "RSA", "n": b"\1", "e": b"\1"},
        {"kty": "RSA", "n": b"\xff" * 256, "e": b"\2"},
        {"kty": "EC", "crv": "P-256"},
        {"kty": "EC", "crv": "P-256", "x": b"\1", "y": b"\1"},
        {"kty": "EC", "crv": "P-256", "x": b"\xff" * 4096, "y": b"\1"},
    ],
)
def test_numbers_that_are_no_key(fields: dict[str, Any]) -> None:
    with pytest.raises(ObjectUnusable, match=r"failed to get key\. the numbers of the key are no key"):
        public_pem(web_key(**fields))


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"kty": None}, "key type '' currently not supported"),
        ({"kty": KeyType.oct}, "key type 'oct' currently not supported"),
        ({"kty": "x" * 1000}, "currently not supported"),
        ({"kty": "EC", "crv": None}, "curve  is not supported"),
        ({"kty": "EC", "crv": KeyCurveName.p_256_k}, "curve P-256K is not supported"),
        ({"kty": "EC", "crv": "y" * 1000}, "is not supported"),
    ],
)
def test_kinds_and_curves_that_are_none(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(ObjectUnusable) as caught:
        public_pem(SimpleNamespace(**{"crv": None, **fields}))
    assert text in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("size", [0, 1, 47, 48, 49, 96, 1000])
def test_lines_of_a_certificate(size: int) -> None:
    """RFC 7468: 64 characters a line, the last one may be shorter."""
    begin, *lines, end, last = certificate_pem(b"\1" * size).split(b"\n")
    assert (begin, end, last) == (b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----", b"")
    assert all(len(line) == 64 for line in lines[:-1])
    assert not lines or 0 < len(lines[-1]) <= 64
