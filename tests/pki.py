"""Keys of each kind, and chains of certificates, made once for a test run."""

import functools
import itertools
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

KINDS = ("rsa", "ec", "ed25519")
NAMES = ("root", "middle", "lower", "leaf")


@functools.cache
def key(kind: str, name: str) -> Any:
    """The private key of a name in chains of a kind."""
    del name
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else ed25519.Ed25519PrivateKey.generate()


def chain(
    kind: str, names: tuple[str, ...] = NAMES, *, unidentified: Collection[str] = ()
) -> tuple[x509.Certificate, ...]:
    """Certificates, the last name's first; each but the first name's is signed by the one before.

    Args:
        kind: of the keys.
        names: root first.
        unidentified: those without a SubjectKeyIdentifier, nor, below them, an AuthorityKeyIdentifier.
    """
    return _chain(kind, names, frozenset(unidentified))


@functools.cache
def _chain(kind: str, names: tuple[str, ...], unidentified: frozenset[str]) -> tuple[x509.Certificate, ...]:
    made: list[x509.Certificate] = []
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for above, name in itertools.pairwise((names[0], *names)):
        signer, own = key(kind, above), key(kind, name)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, above)]))
            .public_key(own.public_key())
            .serial_number(len(made) + 1)
            .not_valid_before(now)
            .not_valid_after(now + timedelta(days=365))
        )
        constraints = x509.BasicConstraints(ca=name != names[-1] or len(names) == 1, path_length=None)
        builder = builder.add_extension(constraints, critical=True)
        if name not in unidentified:
            builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
        if above not in unidentified:
            issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
            builder = builder.add_extension(issuer, critical=False)
        made.append(builder.sign(signer, None if kind == "ed25519" else hashes.SHA256()))
    return tuple(reversed(made))


def pem(*certificates: x509.Certificate) -> bytes:
    """Certificates one after the other."""
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def pkcs8(private: Any) -> bytes:
    """A private key in PEM."""
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    text: bytes = private.private_bytes(*form)
    return text


def pfx(private: Any, certificates: Sequence[x509.Certificate], encryption: Any = None) -> bytes:
    """PKCS#12 with certificates in this order, the first bound to the key where it is its own.

    Args:
        private: None = there is none.
        certificates: at least one, or a key.
        encryption: None = none.
    """
    bound = private is not None and bool(certificates) and certificates[0].public_key() == private.public_key()
    packed: bytes = pkcs12.serialize_key_and_certificates(
        None,
        private,
        certificates[0] if bound else None,
        certificates[1:] if bound else certificates,
        encryption or serialization.NoEncryption(),
    )
    return packed
