"""PKCS#12 files by hand, element by element: such as no program makes."""

import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from sscsi_shared.pkcs12_encryption import Turns, derived

DATA, ENCRYPTED = "1.2.840.113549.1.7.1", "1.2.840.113549.1.7.6"
KEY, SHROUDED, CERTIFICATE, CONTENTS = (f"1.2.840.113549.1.12.10.1.{number}" for number in (1, 2, 3, 6))
SHA1, SHA256 = "1.3.14.3.2.26", "2.16.840.1.101.3.4.2.1"
HMAC_SHA256 = "1.2.840.113549.2.9"
PBES2, PBKDF2, PBMAC1 = "1.2.840.113549.1.5.13", "1.2.840.113549.1.5.12", "1.2.840.113549.1.5.14"
SCRYPT = "1.3.6.1.4.1.11591.4.11"
TRIPLE_DES = "1.2.840.113549.1.12.1.3"
AES_256 = "2.16.840.1.101.3.4.1.42"
SALT, VECTOR = b"salt" * 2, b"vector" * 2 + b"1234"


def der(tag: int, *parts: bytes) -> bytes:
    contents = b"".join(parts)
    size = len(contents)
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, size]) + contents if size < 128 else bytes([tag, 0x80 | len(length)]) + length + contents


def sequence(*parts: bytes) -> bytes:
    return der(0x30, *parts)


def octets(contents: bytes) -> bytes:
    return der(0x04, contents)


def integer(number: int) -> bytes:
    return der(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    contents = b""
    for number in (40 * first + second, *rest):
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.insert(0, number & 0x7F | 0x80)
        contents += bytes(groups)
    return der(0x06, contents)


def explicit(contents: bytes) -> bytes:
    return der(0xA0, contents)


def pbkdf2(turns: int, size: int | None = None) -> bytes:
    more = [] if size is None else [integer(size)]
    return sequence(oid(PBKDF2), sequence(octets(SALT), integer(turns), *more, sequence(oid(HMAC_SHA256))))


def pbes2(turns: int, function: bytes = b"") -> bytes:
    return sequence(oid(PBES2), sequence(function or pbkdf2(turns), sequence(oid(AES_256), octets(VECTOR))))


def old(turns: int, name: str = TRIPLE_DES) -> bytes:
    return sequence(oid(name), sequence(octets(SALT), integer(turns)))


def encrypted(contents: bytes, word: bytes = b"", turns: int = 1) -> bytes:
    """By `pbes2` with so many turns."""
    key = hashlib.pbkdf2_hmac("sha256", word, SALT, turns, 32)
    size = 16 - len(contents) % 16
    writer = Cipher(AES(key), CBC(VECTOR)).encryptor()
    return writer.update(contents + bytes([size]) * size) + writer.finalize()


def bag(kind: str, value: bytes) -> bytes:
    return sequence(oid(kind), explicit(value))


def shrouded(algorithm: bytes, contents: bytes = b"x" * 16) -> bytes:
    return bag(SHROUDED, sequence(algorithm, octets(contents)))


def certificate(contents: bytes) -> bytes:
    return bag(CERTIFICATE, sequence(oid("1.2.840.113549.1.9.22.1"), explicit(octets(contents))))


def plain_safe(*bags: bytes) -> bytes:
    return sequence(oid(DATA), explicit(octets(sequence(*bags))))


def encrypted_safe(algorithm: bytes, contents: bytes) -> bytes:
    content = sequence(oid(DATA), algorithm, der(0x80, contents))
    return sequence(oid(ENCRYPTED), explicit(sequence(integer(0), content)))


def mac(text: bytes, word: bytes | None = None, turns: int = 1, counted: int | None = None) -> bytes:
    """MacData as of old; `counted` turns are named, where not those that were taken."""
    key = derived(3, word, SALT, turns, 20, "sha1", Turns())
    digest = hmac.digest(key, text, "sha1")
    named = integer(turns if counted is None else counted)
    return sequence(sequence(sequence(oid(SHA1), b"\x05\x00"), octets(digest)), octets(SALT), named)


def mac_of_today(text: bytes, word: bytes = b"", turns: int = 1, counted: int | None = None, size: int = 32) -> bytes:
    """PBMAC1 (RFC 9579)."""
    digest = hmac.digest(hashlib.pbkdf2_hmac("sha256", word, SALT, turns, size), text, "sha256")
    function = pbkdf2(turns if counted is None else counted, size)
    algorithm = sequence(oid(PBMAC1), sequence(function, sequence(oid(HMAC_SHA256))))
    return sequence(sequence(algorithm, octets(digest)), octets(SALT), integer(1))


def safes(*parts: bytes) -> bytes:
    return sequence(*parts)


def file(text: bytes, *mac_data: bytes) -> bytes:
    """A file of safes."""
    return sequence(integer(3), sequence(oid(DATA), explicit(octets(text))), *mac_data)
