"""PURE: certificates and keys as backends keep them (PEM or PKCS#12), and as files want them.

`cryptography` is imported on use: a daemon that meets no certificate does not pay for it. An odd chain never fails:
what does not fit is put at the end, in the order in which it came. No error quotes what was read.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from sscsi_shared import pkcs12
from sscsi_shared.ber import Malformed
from sscsi_shared.errors import ObjectUnusable

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

MAX_BYTES: Final = 1 << 20
MAX_CERTIFICATES: Final = 100
_EDGE: Final = re.compile(rb"-----(BEGIN|END) ([A-Z0-9 ]{1,40})-----")
_KEYS: Final = (b"PRIVATE KEY", b"RSA PRIVATE KEY", b"EC PRIVATE KEY")


class Part(Enum):
    """What of a bundle a file holds."""

    PEM = "pem"
    PFX = "pfx"
    CERT = "cert"
    CHAIN = "chain"
    FULLCHAIN = "fullchain"
    KEY = "key"
    CA = "ca"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A private key and certificates, the key's own one first.

    Attributes:
        key: of `cryptography`; None where there is none.
        certificates: leaf, intermediates, root, then those that do not fit.
    """

    key: Any
    certificates: "tuple[Certificate, ...]"


@dataclass(frozen=True, slots=True)
class CertificatePart:
    """A step from a bundle to one part of it.

    Attributes:
        part: which.
        in_order: whether certificates are put in order; else they stay as they came.
    """

    part: Part
    in_order: bool = True

    def apply(self, contents: bytes) -> bytes:
        """Take the part out.

        Raises:
            ObjectUnusable: the content is no bundle, or has no such part: an empty file is never written.
        """
        return write(read(contents, in_order=self.in_order), self.part)


def read(contents: bytes, *, in_order: bool = True, password: bytes | None = None) -> Bundle:
    """A bundle in PEM, or in PKCS#12 as bytes or as base64.

    Args:
        contents: at most 1 MiB.
        in_order: whether certificates are put in order.
        password: of PKCS#12; None = none.

    Raises:
        ObjectUnusable: it is neither, or holds nothing.
    """
    if len(contents) > MAX_BYTES:
        raise ObjectUnusable(f"the certificate is longer than {MAX_BYTES} bytes.")
    found = _read_pem(contents) if b"-----BEGIN " in contents else _read_pkcs12(contents, password)
    if found.key is None and not found.certificates:
        raise ObjectUnusable("the content holds neither a certificate nor a private key.")
    if len(found.certificates) > MAX_CERTIFICATES:
        raise ObjectUnusable(f"the content holds more than {MAX_CERTIFICATES} certificates.")
    return Bundle(found.key, ordered(found.certificates, found.key)) if in_order else found


def ordered(certificates: "tuple[Certificate, ...]", key: Any = None) -> "tuple[Certificate, ...]":
    """The leaf, then who issued each, then the others in the order in which they came.

    The leaf is the certificate of the key; without a key the first that issued none of the others, rather no root.
    """
    left = list(dict.fromkeys(certificates))
    if not left:
        return ()
    leaf = _leaf(left, key)
    chain = [leaf]
    left.remove(leaf)
    while (issuer := next((one for one in left if _issued(one, chain[-1])), None)) is not None:
        chain.append(issuer)
        left.remove(issuer)
    return (*chain, *left)


def _leaf(certificates: "list[Certificate]", key: Any) -> "Certificate":
    if key is not None:
        for one in certificates:
            if _is_of(one, key):
                return one
    ends = [one for one in certificates if not any(_issued(one, other) for other in certificates)]
    return next((one for one in ends if one.subject != one.issuer), (ends or certificates)[0])


def write(bundle: Bundle, part: Part, password: bytes | None = None) -> bytes:
    """A part of a bundle: PEM (keys as PKCS#8), or PKCS#12.

    Raises:
        ObjectUnusable: there is no such part.
    """
    if part is Part.PFX:
        return _pkcs12(bundle, password)
    certificates = bundle.certificates
    chosen = {
        Part.CERT: certificates[:1],
        Part.CHAIN: certificates[1:],
        Part.FULLCHAIN: certificates,
        Part.PEM: certificates,
        Part.CA: tuple(one for one in certificates[1:] or certificates if one.subject == one.issuer)[-1:],
        Part.KEY: (),
    }[part]
    key = _key_pem(bundle.key) if part in {Part.KEY, Part.PEM} and bundle.key is not None else b""
    text = key + b"".join(_pem(one) for one in chosen)
    if not text:
        raise ObjectUnusable(
            f"the certificate has no part `{part.value}`.",
            hint="An empty file is never written; a key is there only where the policy lets it be exported.",
        )
    return text


def _read_pem(contents: bytes) -> Bundle:
    certificates: list[Certificate] = []
    key: Any = None
    for label, block in blocks(contents):
        if label == b"CERTIFICATE" and len(certificates) <= MAX_CERTIFICATES:
            certificates.append(_certificate(block, "a certificate in the PEM text"))
        elif label in _KEYS and key is None:
            key = _key(block, "a private key in the PEM text")
    return Bundle(key, tuple(certificates))


def blocks(contents: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Label and text of each block, in one pass: whoever begins a hundred thousand and ends none gains nothing."""
    begun: re.Match[bytes] | None = None
    for edge in _EDGE.finditer(contents):
        if edge[1] == b"BEGIN":
            begun = edge
        elif begun is not None and begun[2] == edge[2]:
            yield edge[2], contents[begun.start() : edge.end()]
            begun = None


def _read_pkcs12(contents: bytes, password: bytes | None) -> Bundle:
    der = contents
    if not contents.startswith(b"\x30"):
        try:
            der = base64.b64decode(b"".join(contents.split()), validate=True)
        except (binascii.Error, ValueError):
            raise ObjectUnusable("the content is neither PEM nor PKCS#12 nor the base64 of one.") from None
    try:
        # Some programs write an empty password as none, others as an empty text.
        held = pkcs12.read(der, [password] if password else [None, b""])
    except Malformed:
        raise ObjectUnusable("the PKCS#12 file can't be read.", hint="Is it whole, and has it a password?") from None
    certificates = [
        _certificate(one, "a certificate in the PKCS#12 file") for one in held.certificates[: MAX_CERTIFICATES + 1]
    ]
    key = _key(held.keys[0], "the private key in the PKCS#12 file") if held.keys else None
    own = None if key is None else next((one for one in certificates if _is_of(one, key)), None)
    return Bundle(key, (*([own] if own is not None else []), *(one for one in certificates if one is not own)))


def _certificate(text: bytes, what: str) -> "Certificate":
    from cryptography import x509

    load = x509.load_pem_x509_certificate if text.startswith(b"-") else x509.load_der_x509_certificate
    try:
        found = load(text)
        found.subject, found.issuer  # noqa: B018  # read on use, and only then found to be none
        return found  # noqa: TRY300
    except Exception:  # noqa: BLE001  # whatever the library says may quote it
        raise ObjectUnusable(f"{what} can't be read.") from None


def _key(text: bytes, what: str) -> Any:
    """A private key. Its numbers are written again, not used: to check 8192 bits takes 6 s, and grows fast."""
    from cryptography.hazmat.primitives import serialization

    load = serialization.load_pem_private_key if text.startswith(b"-") else serialization.load_der_private_key
    try:
        return load(text, None, unsafe_skip_rsa_key_validation=True)
    except Exception:  # noqa: BLE001  # whatever the library says may quote it
        raise ObjectUnusable(f"{what} can't be read.") from None


def _is_of(certificate: "Certificate", key: Any) -> bool:
    """Whether a certificate is the key's own."""
    return _public_of(certificate) == _public(key.public_key())


def _pkcs12(bundle: Bundle, password: bytes | None) -> bytes:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12 as writer

    if not bundle.certificates and bundle.key is None:
        raise ObjectUnusable("there is nothing to put into a PKCS#12 file.")
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    leaf = bundle.certificates[0] if bundle.certificates else None
    if leaf is not None and bundle.key is not None and not _is_of(leaf, bundle.key):
        leaf = None  # the key's own is not there
    others = bundle.certificates if leaf is None else bundle.certificates[1:]
    try:
        made: bytes = writer.serialize_key_and_certificates(None, bundle.key, leaf, others, encryption)
    except (TypeError, ValueError):
        raise ObjectUnusable("a key of this kind can't be put into a PKCS#12 file.") from None
    return made


def _issued(issuer: "Certificate", child: "Certificate") -> bool:
    """Whether one names the other as its issuer; by key identifiers where both have them (RFC 5280, 4.2.1.1)."""
    if issuer is child or child.issuer != issuer.subject or child.subject == child.issuer == issuer.issuer:
        return False
    wanted, has = _authority_id(child), _subject_id(issuer)
    return wanted is None or has is None or wanted == has


def _authority_id(certificate: "Certificate") -> bytes | None:
    from cryptography import x509

    try:
        return certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return None


def _subject_id(certificate: "Certificate") -> bytes | None:
    from cryptography import x509

    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return None


def _public_of(certificate: "Certificate") -> bytes:
    """Its public key; empty where that is of a kind that nobody knows."""
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return _public(certificate.public_key())
    except (UnsupportedAlgorithm, ValueError):
        return b""


def _public(key: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization

    found: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return found


def _pem(certificate: "Certificate") -> bytes:
    from cryptography.hazmat.primitives import serialization

    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization

    found: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return found
