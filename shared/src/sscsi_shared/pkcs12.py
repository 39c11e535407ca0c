"""PURE: what stands in a PKCS#12 file (RFC 7292): private keys and certificates, in DER.

It is read here, and not by OpenSSL, because a file says itself how much work it is: see pkcs12_encryption.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from sscsi_shared.ber import Element, Malformed, element, elements
from sscsi_shared.pkcs12_encryption import Turns, Word, decrypt, is_authentic

_MAX_NESTED: Final = 4
_DATA, _ENCRYPTED = "1.2.840.113549.1.7.1", "1.2.840.113549.1.7.6"
_KEY, _SHROUDED, _CERTIFICATE, _CONTENTS = (f"1.2.840.113549.1.12.10.1.{number}" for number in (1, 2, 3, 6))
_X509: Final = "1.2.840.113549.1.9.22.1"
_EXPLICIT, _IMPLICIT = 0xA0, 0x80


@dataclass(slots=True)
class Held:
    """What was found.

    Attributes:
        keys: PrivateKeyInfo (PKCS#8), in the order of the file.
        certificates: X.509, likewise.
    """

    keys: list[bytes] = field(default_factory=list, repr=False)
    certificates: list[bytes] = field(default_factory=list)


def read(contents: bytes, words: Sequence[Word]) -> Held:
    """What stands in a file.

    Args:
        contents: DER, or BER.
        words: passwords, of which one may be right.

    Raises:
        Malformed: it is no such file, or none of the passwords is right.
        ObjectUnusable: it is protected in a way that is not known here, or that would take too long.
    """
    turns = Turns()
    try:
        _, safe, *mac = element(contents).items()
        name, wrapped = safe.items()
        if name.oid() != _DATA:
            raise Malformed("it is not protected by a password")
        text = wrapped.items(_EXPLICIT)[0].octets()
        fitting = [word for word in words if is_authentic(mac[0], text, word, turns)] if mac else list(words)
        for word in fitting:
            try:
                return _held(text, word, turns)
            except Malformed:
                if word == fitting[-1]:
                    raise
    except (IndexError, ValueError) as error:  # parts that are missing, or one too many
        raise Malformed(str(error) if isinstance(error, Malformed) else "a part is missing") from None
    raise Malformed("the password is another one")


def _held(text: bytes, word: Word, turns: Turns) -> Held:
    held = Held()
    for part in element(text).items():
        name, wrapped = part.items()
        (content,) = wrapped.items(_EXPLICIT)
        if name.oid() == _DATA:
            plain = content.octets()
        elif name.oid() == _ENCRYPTED:
            _, encrypted, *_ = content.items()
            _, algorithm, octets = encrypted.items()
            plain = decrypt(algorithm, word, octets.octets(_IMPLICIT), turns)
        else:
            raise Malformed("it is not protected by a password")
        for kind, value in _bags(element(plain), 0):
            _take(kind, value, held, word, turns)
    return held


def _bags(contents: Element, depth: int) -> Iterator[tuple[str, Element]]:
    """Kind and value of each; those that hold others are opened."""
    if depth > _MAX_NESTED:
        raise Malformed("nested too deeply")
    for bag in contents.items():
        kind, wrapped, *_ = bag.items()
        (value,) = wrapped.items(_EXPLICIT)
        if kind.oid() == _CONTENTS:
            yield from _bags(value, depth + 1)
        else:
            yield kind.oid(), value


def _take(kind: str, value: Element, held: Held, word: Word, turns: Turns) -> None:
    """What is of use; lists of revoked certificates and other secrets are not."""
    if kind == _KEY:
        held.keys.append(value.raw)
    elif kind == _SHROUDED:
        algorithm, octets = value.items()
        held.keys.append(decrypt(algorithm, word, octets.octets(), turns))
    elif kind == _CERTIFICATE:
        name, wrapped = value.items()
        if name.oid() == _X509:
            held.certificates.append(elements(wrapped.contents)[0].octets())
