"""PURE: the two values of a kubernetes.io/tls Secret, out of a PEM bundle or a PKCS#12 file without a password.

Certificates of PEM stay as they came and in their order, as the existing driver (release 1.6) has them; those of
PKCS#12, which has no order, are put in the order of the chain. Keys are written in the forms that it writes, which old
programs read: RSA as PKCS#1, elliptic curves as SEC 1; what has neither form (Ed25519), as PKCS#8.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final

from sscsi_shared import certificates
from sscsi_shared.certificates import Part
from sscsi_shared.errors import ObjectUnusable

TYPE: Final = "kubernetes.io/tls"
CERTIFICATE: Final = "tls.crt"
KEY: Final = "tls.key"
KEYS: Final = (CERTIFICATE, KEY)
_HEADER: Final = re.compile(rb"^[A-Za-z-]+:[^\n]*\n(?:[ \t][^\n]*\n)*", re.MULTILINE)
_LINE: Final = 64


def value(key: str, contents: bytes) -> bytes:
    """What a key of the Secret holds.

    Args:
        key: tls.crt or tls.key.
        contents: of the file that the class names for it.

    Raises:
        ObjectUnusable: the file has no such thing; an empty value is never made.
    """
    return _certificates(contents) if key == CERTIFICATE else _private_key(contents)


def _certificates(contents: bytes) -> bytes:
    found = b"".join(_pem(der) for kind, der in _blocks(contents) if kind == b"CERTIFICATE")
    if found:
        return found
    if b"-----BEGIN " in contents:
        raise ObjectUnusable("it holds no certificate.")
    return certificates.write(certificates.read(contents), Part.FULLCHAIN)


def _private_key(contents: bytes) -> bytes:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if b"-----BEGIN " in contents:
        contents = _last_key(contents)
    key = certificates.read(contents).key
    if key is None:
        raise ObjectUnusable("it holds no private key.")
    traditional = isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    form = serialization.PrivateFormat.TraditionalOpenSSL if traditional else serialization.PrivateFormat.PKCS8
    found: bytes = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return found


def _last_key(contents: bytes) -> bytes:
    """The last private key of PEM text."""
    found = [block for label, block in certificates.blocks(contents) if label.endswith(b"PRIVATE KEY")]
    if not found:
        raise ObjectUnusable("it holds no private key.")
    if found[-1].startswith(b"-----BEGIN ENCRYPTED ") or b"ENCRYPTED" in found[-1]:
        raise ObjectUnusable("its private key is encrypted; keep it without a password in the backend.")
    return found[-1]


def _blocks(contents: bytes) -> Iterator[tuple[bytes, bytes]]:
    for label, block in certificates.blocks(contents):
        inner = block.removeprefix(b"-----BEGIN %b-----" % label).removesuffix(b"-----END %b-----" % label)
        try:
            yield label, base64.b64decode(b"".join(_HEADER.sub(b"", inner).split()), validate=True)
        except (binascii.Error, ValueError):
            raise ObjectUnusable(f"a {label.decode().lower()} in the PEM text can't be read.") from None


def _pem(der: bytes) -> bytes:
    text = base64.b64encode(der).decode()
    lines = "\n".join(text[at : at + _LINE] for at in range(0, len(text), _LINE))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n".encode()
