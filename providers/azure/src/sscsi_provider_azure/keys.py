"""PURE: a public key in a vault's JSON (RFC 7517) as PEM, and a certificate's bytes as PEM."""

import base64
from typing import Any, Final

from sscsi_shared.errors import ObjectUnusable, clip

_LINE: Final = 64


def public_pem(key: Any) -> bytes:
    """A key as SubjectPublicKeyInfo in PEM.

    Args:
        key: with `kty`, and as bytes `n` and `e`, or `crv`, `x` and `y` (azure-keyvault-keys' JsonWebKey).

    Raises:
        ObjectUnusable: of a kind or curve that has no such form, or broken.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    kind = str(getattr(key.kty, "value", key.kty) or "").removesuffix("-HSM")
    try:
        if kind == "RSA":
            public: Any = rsa.RSAPublicNumbers(_number(key.e), _number(key.n)).public_key()
        elif kind == "EC":
            name = str(getattr(key.crv, "value", key.crv) or "")
            curves: dict[str, ec.EllipticCurve] = {
                "P-256": ec.SECP256R1(),
                "P-384": ec.SECP384R1(),
                "P-521": ec.SECP521R1(),
            }
            curve = curves.get(name)
            if curve is None:
                raise ObjectUnusable(f"failed to get key. curve {clip(name, 32)} is not supported.")
            public = ec.EllipticCurvePublicNumbers(_number(key.x), _number(key.y), curve).public_key()
        else:
            raise ObjectUnusable(
                f"failed to get key. key type '{clip(kind, 32)}' currently not supported.",
                hint="Keys of the types RSA, RSA-HSM, EC and EC-HSM have a public half.",
            )
    except (TypeError, ValueError):
        raise ObjectUnusable("failed to get key. the numbers of the key are no key.") from None
    pem: bytes = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return pem


def certificate_pem(der: bytes) -> bytes:
    """A certificate as one block of PEM (RFC 7468); its bytes are taken as they are."""
    text = base64.b64encode(der)
    lines = [text[start : start + _LINE] for start in range(0, len(text), _LINE)]
    return b"\n".join([b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----", b""])


def _number(value: bytes) -> int:
    return int.from_bytes(value, "big")
