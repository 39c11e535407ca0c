"""PURE: from what a vault says of a secret to a file.

A secret comes as a JSON object of its value and of what says how to read it (`envelope`): whether it belongs to a
certificate (it has a `kid`), its content type, and the password of a PKCS#12 file where another secret holds it.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from sscsi_shared import certificates
from sscsi_shared.certificates import Bundle, Part
from sscsi_shared.errors import ObjectUnusable, clip
from sscsi_shared.transform import Transform

PKCS12: Final = "application/x-pkcs12"
PEM: Final = "application/x-pem-file"


class Form(Enum):
    """objectFormat: in what form a certificate is written, or which part of it."""

    UNSAID = ""
    PEM = "pem"
    PFX = "pfx"
    CERT = "cert"
    CHAIN = "chain"
    FULLCHAIN = "fullchain"
    KEY = "key"
    CA = "ca"

    @property
    def is_whole(self) -> bool:
        """Whether it is no part."""
        return self in {Form.UNSAID, Form.PEM, Form.PFX}


_OWN_FIRST: Final = frozenset({Form.CERT, Form.CHAIN, Form.CA, Form.PFX})
"""Where it matters which certificate is the key's, whatever an operator says of the order."""
PARTS: Final = tuple(form.value for form in Form if not form.is_whole)
"""What ours knows beside `pem` and `pfx`."""


def envelope(value: str, content_type: str, *, is_certificate: bool) -> bytes:
    """What the transforms here take.

    Args:
        value: of the secret.
        content_type: of the secret; may be empty.
        is_certificate: whether the vault made it for a certificate.
    """
    return json.dumps({"value": value, "contentType": content_type, "kid": is_certificate}).encode()


def with_password(contents: bytes, password: bytes) -> bytes:
    """An envelope with the value of another one as its password."""
    fields: dict[str, Any] = json.loads(contents)
    return json.dumps(fields | {"password": json.loads(password)["value"]}).encode()


@dataclass(frozen=True, slots=True)
class SecretValue:
    """A secret's value as it is, decoded.

    Attributes:
        decode: of its objectEncoding.
    """

    decode: Transform

    def apply(self, contents: bytes) -> bytes:
        """Take it out."""
        return self.decode.apply(str(json.loads(contents)["value"]).encode())


@dataclass(frozen=True, slots=True)
class SecretContent:
    """A secret, in the form that is asked for.

    Attributes:
        form: see Form.
        in_order: whether the certificates of PKCS#12 are put in order.
    """

    form: Form
    in_order: bool

    def apply(self, contents: bytes) -> bytes:
        """Take it out.

        Raises:
            ObjectUnusable: a certificate can't be read, is of an unknown content type, or has no such part.
        """
        secret: Mapping[str, Any] = json.loads(contents)
        value = str(secret["value"]).encode()
        if self._is_kept(secret):
            return value
        bundle = _bundle(secret, in_order=self.in_order or self.form in _OWN_FIRST)
        if self.form is Form.PFX:
            return base64.b64encode(certificates.write(bundle, Part.PFX, _password(secret)))
        return certificates.write(bundle, Part.PEM if self.form is Form.UNSAID else Part(self.form.value))

    def _is_kept(self, secret: Mapping[str, Any]) -> bool:
        """Whether the value is what is asked for as it is."""
        kind = secret["contentType"]
        if not self.form.is_whole:
            return False
        if not secret["kid"]:
            return self.form is not Form.PEM or kind != PKCS12
        if kind not in {PEM, PKCS12}:
            raise ObjectUnusable(
                f"failed to get certificate. unknown content type '{clip(str(kind), 128)}'.",
                hint=f"The policy of the certificate says in which form it is kept: {PKCS12} or {PEM}.",
            )
        return bool(kind == PKCS12) == (self.form is Form.PFX)


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """A certificate's secret as `.crt`, `.key` and the whole; any other secret as the whole alone.

    Attributes:
        content: the whole.
        decode: of its objectEncoding.
    """

    content: SecretContent
    decode: Transform

    def apply(self, contents: bytes) -> Mapping[str, bytes]:
        """The files by the ends of their names; one without content is left out.

        Raises:
            ObjectUnusable: see SecretContent.
        """
        whole = {"": self.decode.apply(self.content.apply(contents))}
        secret: Mapping[str, Any] = json.loads(contents)
        if not secret["kid"]:
            return whole
        # A vault keeps the chain of a PEM file as it was given to it, and so do we (the existing provider).
        bundle = _bundle(secret, in_order=self.content.in_order and secret["contentType"] != PEM)
        parts: dict[str, bytes] = {}
        if bundle.certificates:
            parts[".crt"] = certificates.write(bundle, Part.FULLCHAIN)
        if bundle.key is not None:
            parts[".key"] = certificates.write(bundle, Part.KEY)
        return parts | whole


def _bundle(secret: Mapping[str, Any], *, in_order: bool) -> Bundle:
    return certificates.read(str(secret["value"]).encode(), in_order=in_order, password=_password(secret))


def _password(secret: Mapping[str, Any]) -> bytes | None:
    found = secret.get("password")
    return None if found is None else str(found).encode()
