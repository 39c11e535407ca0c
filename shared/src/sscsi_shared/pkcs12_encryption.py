"""PURE: how contents of PKCS#12 files are encrypted and authenticated (RFC 7292, 8018 and 9579; RC2 is RFC 2268).

Keys are derived with a number of turns that the file itself names. Turns are counted before they are taken, over a
whole file, so that nobody can hold a process with a number of his own: OpenSSL takes as many as the file wants, and
keeps Python from doing anything else meanwhile.
"""

import hashlib
import hmac
from typing import Final, TypeAlias

from sscsi_shared.ber import SEQUENCE, Element, Malformed
from sscsi_shared.errors import ObjectUnusable

MAX_TURNS: Final = 1_000_000
"""Of one derivation: openssl and Windows take 2048 and 2000, Java 10000."""
MAX_ALL_TURNS: Final = 3_000_000
"""Of all derivations for one file, each key and each initial vector by itself."""
MAX_RC2_BYTES: Final = 256 << 10
_MAX_SALT: Final = 4096
_KEY, _VECTOR, _MAC = 1, 2, 3
_DIGESTS: Final = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
_KEYED_DIGESTS: Final = {
    "1.2.840.113549.2.7": "sha1",
    "1.2.840.113549.2.8": "sha224",
    "1.2.840.113549.2.9": "sha256",
    "1.2.840.113549.2.10": "sha384",
    "1.2.840.113549.2.11": "sha512",
}
_PBES2, _PBKDF2, _PBMAC1 = "1.2.840.113549.1.5.13", "1.2.840.113549.1.5.12", "1.2.840.113549.1.5.14"
_AES: Final = {"2.16.840.1.101.3.4.1.2": 16, "2.16.840.1.101.3.4.1.22": 24, "2.16.840.1.101.3.4.1.42": 32}
_TRIPLE_DES: Final = "1.2.840.113549.3.7"
_OLD: Final = {
    "1.2.840.113549.1.12.1.3": ("3des", 24),
    "1.2.840.113549.1.12.1.4": ("3des", 16),
    "1.2.840.113549.1.12.1.5": ("rc2", 16),
    "1.2.840.113549.1.12.1.6": ("rc2", 5),
}
"""Encryption of RFC 7292 appendix C, but for RC4, which nobody uses: cipher, octets of its key."""
_MAX_MAC_KEY: Final = 64

Word: TypeAlias = bytes | None
"""A password; None, as of a file that has none, is another one than the empty text in the older ways."""


class Turns:
    """What is left of them for one file."""

    def __init__(self) -> None:
        self._left = MAX_ALL_TURNS

    def take(self, number: int) -> int:
        """Give back a number of turns.

        Raises:
            ObjectUnusable: it is too large, or all together are.
            Malformed: it is none.
        """
        if number < 1:
            raise Malformed("no turn at all")
        self._left -= number
        if number > MAX_TURNS or self._left < 0:
            raise ObjectUnusable(
                f"the PKCS#12 file wants its password hashed more than {MAX_TURNS} times.",
                hint="That would hold up every other pod of the node; export it with fewer iterations.",
            )
        return number


def decrypt(algorithm: Element, word: Word, contents: bytes, turns: Turns) -> bytes:
    """What was encrypted by a password.

    Args:
        algorithm: the AlgorithmIdentifier.
        word: the password.
        contents: encrypted.
        turns: that are left.

    Raises:
        Malformed: the algorithm is none, or what comes out shows that the password is another one.
        ObjectUnusable: it is one that is not known here, or would take too long.
    """
    name, parameters = _named(algorithm)
    if name == _PBES2:
        function, scheme = parameters.items()
        cipher, more = _named(scheme)
        size = _AES.get(cipher, 24 if cipher == _TRIPLE_DES else 0)
        if not size:
            raise _unknown(cipher)
        key = _pbkdf2(function, word, size, turns)
        return _unpadded(_cbc("aes" if cipher in _AES else "3des", key, more.octets(), contents))
    if name not in _OLD:
        raise _unknown(name)
    cipher, size = _OLD[name]
    salt, number = parameters.items()
    count = number.integer()
    key = derived(_KEY, word, salt.octets(), count, size, "sha1", turns)
    vector = derived(_VECTOR, word, salt.octets(), count, 8, "sha1", turns)
    return _unpadded(_cbc(cipher, key + key[:8] if (cipher, size) == ("3des", 16) else key, vector, contents))


def is_authentic(mac: Element, contents: bytes, word: Word, turns: Turns) -> bool:
    """Whether a MacData stands for some contents and a password.

    Raises:
        Malformed: it is none.
        ObjectUnusable: it is of a kind that is not known here, or would take too long.
    """
    digest_of, salt, *rest = mac.items()
    algorithm, digest = digest_of.items()
    name, parameters = _named(algorithm)
    if name == _PBMAC1:
        function, scheme = parameters.items()
        prf = _known(_KEYED_DIGESTS, _named(scheme)[0])
        key = _pbkdf2(function, word, 0, turns)
    else:
        prf = _known(_DIGESTS, name)
        count = rest[0].integer() if rest else 1
        key = derived(_MAC, word, salt.octets(), count, hashlib.new(prf).digest_size, prf, turns)
    return hmac.compare_digest(hmac.new(key, contents, prf).digest(), digest.octets())


def derived(purpose: int, word: Word, salt: bytes, count: int, size: int, digest: str, turns: Turns) -> bytes:
    """A key, an initial vector or a MAC's key (RFC 7292, appendix B.2).

    Args:
        purpose: 1 = a key, 2 = an initial vector, 3 = a MAC's key.
        word: the password.
        salt: of the file.
        count: turns.
        size: octets that are needed.
        digest: hashlib's name.
        turns: that are left.

    Raises:
        Malformed: the salt is too long, the password is no UTF-8, or there is no turn.
        ObjectUnusable: it would take too long.
    """
    if len(salt) > _MAX_SALT:
        raise Malformed("a salt beyond measure")
    make = getattr(hashlib, digest)
    width = make().block_size
    text = b"" if word is None else _wide(word) + b"\0\0"
    mixed = _filled(salt, width) + _filled(text, width)
    found = b""
    while len(found) < size:
        one = bytes([purpose]) * width + mixed
        for _ in range(turns.take(count)):
            one = make(one).digest()
        found += one
        added = int.from_bytes(_filled(one, width)[:width], "big") + 1
        sums = (
            (int.from_bytes(mixed[at : at + width], "big") + added) % (1 << 8 * width)
            for at in range(0, len(mixed), width)
        )
        mixed = b"".join(one.to_bytes(width, "big") for one in sums)
    return found[:size]


def _pbkdf2(function: Element, word: Word, size: int, turns: Turns) -> bytes:
    """A key; of `size` octets, or, where that is 0, of as many as the parameters say."""
    name, parameters = _named(function)
    if name != _PBKDF2:
        raise _unknown(name)
    salt, number, *rest = parameters.items()
    said = rest[0].integer() if rest and rest[0].tag != SEQUENCE else 0
    prf = next((_known(_KEYED_DIGESTS, _named(one)[0]) for one in rest if one.tag == SEQUENCE), "sha1")
    size = size or said
    if not 0 < size <= _MAX_MAC_KEY or said not in {0, size} or len(salt.contents) > _MAX_SALT:
        raise Malformed("a key of another length")
    return hashlib.pbkdf2_hmac(prf, word or b"", salt.octets(), turns.take(number.integer()), size)


def _cbc(cipher: str, key: bytes, vector: bytes, contents: bytes) -> bytes:
    if cipher == "rc2":
        from sscsi_shared.rc2 import decrypt_cbc

        if len(contents) > MAX_RC2_BYTES or len(contents) % 8 or len(vector) != 8:
            raise Malformed("no whole blocks, or too many")
        return decrypt_cbc(key, vector, contents)
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES
    from cryptography.hazmat.primitives.ciphers.modes import CBC

    try:
        reader = Cipher(AES(key) if cipher == "aes" else TripleDES(key), CBC(vector)).decryptor()
        return reader.update(contents) + reader.finalize()
    except ValueError:
        raise Malformed("no whole blocks, or a vector of another length") from None


def _unpadded(text: bytes) -> bytes:
    """Without the octets that fill the last block (RFC 8018, 6.1.1)."""
    size = text[-1] if text else 0
    if not 1 <= size <= 16 or text[-size:] != bytes([size]) * size:
        raise Malformed("the password is another one")
    return text[:-size]


def _named(algorithm: Element) -> tuple[str, Element]:
    """Name and parameters of an AlgorithmIdentifier; without any, it is its name's own element again."""
    name, *rest = algorithm.items()
    return name.oid(), rest[0] if rest else name


def _known(names: dict[str, str], name: str) -> str:
    if name not in names:
        raise _unknown(name)
    return names[name]


def _unknown(name: str) -> ObjectUnusable:
    return ObjectUnusable(
        f"the PKCS#12 file is protected by {name}, which is not known here.",
        hint="Export it with AES and SHA-256, or with 3DES and SHA-1.",
    )


def _wide(word: bytes) -> bytes:
    try:
        return word.decode().encode("utf-16-be")
    except UnicodeDecodeError:
        raise Malformed("a password that is no text") from None


def _filled(text: bytes, width: int) -> bytes:
    """Repeated until it fills whole blocks."""
    size = -(-len(text) // width) * width
    return (text * (size // len(text) + 1))[:size] if text else b""
