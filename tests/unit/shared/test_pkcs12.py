"""PKCS#12 files as no program makes them: what they may cost and hide; and the ciphers by published vectors."""

import base64
import json

import pytest
from cryptography.hazmat.primitives import serialization

from pkcs12_files import (
    AES_256,
    CONTENTS,
    DATA,
    KEY,
    PBES2,
    SALT,
    SCRYPT,
    TRIPLE_DES,
    VECTOR,
    bag,
    certificate,
    der,
    encrypted,
    encrypted_safe,
    explicit,
    file,
    integer,
    mac,
    mac_of_today,
    octets,
    oid,
    old,
    pbes2,
    plain_safe,
    safes,
    sequence,
    shrouded,
)
from pki import chain, key, pem, pfx, pkcs8
from sscsi_shared import certificates
from sscsi_shared.ber import Malformed
from sscsi_shared.certificates import Part
from sscsi_shared.errors import ObjectUnusable
from sscsi_shared.pkcs12 import read
from sscsi_shared.pkcs12_encryption import MAX_ALL_TURNS, MAX_TURNS, Turns, derived
from sscsi_shared.rc2 import decrypt_cbc

HUGE = (1 << 31) - 1
"""OpenSSL would be at it for many minutes."""
LEAF = chain("ec")[0].public_bytes(serialization.Encoding.DER)
PRIVATE = key("ec", "leaf").private_bytes(
    serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)
PLAIN = plain_safe(bag(KEY, PRIVATE), certificate(LEAF))
HELD = ([PRIVATE], [LEAF])


def held(contents: bytes, *words: bytes | None) -> tuple[list[bytes], list[bytes]]:
    found = read(contents, words or (None, b""))
    return found.keys, found.certificates


SCRYPT_TURNS = sequence(oid(SCRYPT), sequence(octets(SALT), integer(1 << 17), integer(1), integer(130_000)))
COSTLY = {
    "MAC": file(safes(PLAIN), mac(safes(PLAIN), counted=HUGE)),
    "MAC of today": file(safes(PLAIN), mac_of_today(safes(PLAIN), counted=HUGE)),
    "certificates": file(safes(encrypted_safe(pbes2(HUGE), b"x" * 32))),
    "certificates, in the old way": file(safes(encrypted_safe(old(HUGE), b"x" * 32))),
    "key": file(safes(plain_safe(shrouded(pbes2(HUGE))))),
    "key, in the old way": file(safes(plain_safe(shrouded(old(HUGE))))),
    "key behind certificates": file(safes(encrypted_safe(pbes2(1), encrypted(sequence(shrouded(old(HUGE))))))),
    "key in a bag of bags": file(safes(plain_safe(bag(CONTENTS, sequence(shrouded(pbes2(HUGE))))))),
    "just too many": file(safes(plain_safe(shrouded(pbes2(MAX_TURNS + 1))))),
    "key behind others": file(
        safes(plain_safe(*(shrouded(pbes2(1), encrypted(PRIVATE)) for _ in range(9)), shrouded(old(HUGE))))
    ),
}


@pytest.mark.parametrize("name", COSTLY)
def test_a_file_does_not_say_how_long_a_node_works_for_it(name: str) -> None:
    with pytest.raises(ObjectUnusable, match=f"wants its password hashed more than {MAX_TURNS} times") as caught:
        certificates.read(COSTLY[name])
    assert "fewer iterations" in str(caught.value)


def test_all_of_a_file_together_is_bounded() -> None:
    turns = Turns()
    for _ in range(MAX_ALL_TURNS // MAX_TURNS):
        assert turns.take(MAX_TURNS) == MAX_TURNS
    with pytest.raises(ObjectUnusable):
        turns.take(1)


def test_a_usual_number_is_taken() -> None:
    contents = safes(encrypted_safe(pbes2(600_000), encrypted(sequence(certificate(LEAF)), b"p", 600_000)))
    assert held(file(contents), b"p") == ([], [LEAF])


@pytest.mark.parametrize(
    ("algorithm", "name"),
    [
        (pbes2(1, SCRYPT_TURNS), SCRYPT),
        (old(1, "1.2.840.113549.1.12.1.1"), "1.2.840.113549.1.12.1.1"),
        (old(1, "1.2.840.113549.1.5.3"), "1.2.840.113549.1.5.3"),
        (sequence(oid(PBES2), sequence(pbes2(1), sequence(oid("1.2.3"), octets(VECTOR)))), "1.2.3"),
    ],
)
def test_what_is_not_known_is_refused_by_its_name(algorithm: bytes, name: str) -> None:
    for contents in (plain_safe(shrouded(algorithm)), encrypted_safe(algorithm, b"x" * 32)):
        with pytest.raises(ObjectUnusable, match=f"is protected by {name}, which is not known here"):
            certificates.read(file(safes(contents)))


class TestWhatIsRead:
    def test_without_protection(self) -> None:
        assert held(file(safes(PLAIN))) == HELD

    @pytest.mark.parametrize("word", [None, b"", b"p w\xc3\xa9"])
    def test_with_a_mac(self, word: bytes | None) -> None:
        """No password and the empty one are two."""
        text = safes(PLAIN)
        assert held(file(text, mac(text, word, 3)), *([word] if word else [])) == HELD
        assert held(file(text, mac_of_today(text, word or b"", 3)), *([word] if word else [])) == HELD

    def test_with_a_mac_of_another_password(self) -> None:
        text = safes(PLAIN)
        for data in (mac(text, b"other"), mac_of_today(text, b"other")):
            with pytest.raises(Malformed, match="the password is another one"):
                held(file(text, data))

    def test_behind_encryption(self) -> None:
        """A key among the certificates too, which programs put beside them."""
        inner = sequence(shrouded(pbes2(2), encrypted(PRIVATE, b"p", 2)), certificate(LEAF))
        assert held(file(safes(encrypted_safe(pbes2(3), encrypted(inner, b"p", 3)))), b"p") == HELD

    def test_in_bags_of_bags(self) -> None:
        inner = bag(CONTENTS, sequence(bag(KEY, PRIVATE), bag(CONTENTS, sequence(certificate(LEAF)))))
        assert held(file(safes(plain_safe(inner)))) == HELD
        for _ in range(5):
            inner = bag(CONTENTS, sequence(inner))
        with pytest.raises(Malformed, match="nested"):
            held(file(safes(plain_safe(inner))))

    def test_what_is_of_no_use_is_left_out(self) -> None:
        revoked = bag("1.2.840.113549.1.12.10.1.4", sequence(oid("1.2.3"), explicit(octets(b"x"))))
        sdsi = bag("1.2.840.113549.1.12.10.1.3", sequence(oid("1.2.840.113549.1.9.22.2"), explicit(octets(b"x"))))
        assert held(file(safes(plain_safe(revoked, sdsi, certificate(LEAF))))) == ([], [LEAF])

    def test_of_indefinite_length_and_in_pieces(self) -> None:
        """BER, as older browsers write it."""

        def endless(tag: int, *parts: bytes) -> bytes:
            return bytes([tag, 0x80]) + b"".join(parts) + b"\0\0"

        text = safes(PLAIN)
        pieces = endless(0x24, octets(text[:50]), endless(0x24, octets(text[50:99]), octets(text[99:])))
        content = endless(0x30, oid(DATA), endless(0xA0, pieces))
        contents = endless(0x30, integer(3), content, mac(text))
        assert held(contents) == HELD
        assert held(contents + b"\0" * 5) == HELD
        with pytest.raises(Malformed):
            held(contents[:-2])

    def test_the_keys_own_certificate_comes_first(self) -> None:
        others = [one.public_bytes(serialization.Encoding.DER) for one in reversed(chain("ec"))]
        contents = file(safes(plain_safe(*map(certificate, others), bag(KEY, PRIVATE))))
        bundle = certificates.read(contents, in_order=False)
        leaf, lower, middle, root = chain("ec")
        assert bundle.certificates == (leaf, root, middle, lower)

    def test_what_libraries_write(self) -> None:
        bundle = certificates.read(pfx(key("rsa", "leaf"), chain("rsa")))
        assert bundle.certificates == chain("rsa")
        assert certificates.write(bundle, Part.KEY) == pkcs8(key("rsa", "leaf"))


@pytest.mark.parametrize(
    "contents",
    [
        b"", b"0", sequence(), sequence(integer(3)), der(0x31, integer(3)), sequence(integer(3), integer(4)),
        sequence(integer(3), sequence(oid("1.2.840.113549.1.7.2"), explicit(octets(b"")))),
        sequence(integer(3), sequence(oid(DATA))), sequence(integer(3), sequence(oid(DATA), explicit(b""))),
        sequence(integer(3), sequence(oid(DATA), explicit(integer(1)))),
        file(b""), file(b"x"), file(sequence(oid(DATA))), file(safes(sequence(oid(DATA)))), file(safes(b"\x30\x80")),
        file(safes(sequence(oid("1.2.3"), explicit(octets(b""))))),
        file(safes(PLAIN), sequence()), file(safes(PLAIN), sequence(sequence(), octets(b""), integer(1))),
        file(safes(PLAIN), mac(safes(PLAIN), counted=0)),
        file(safes(plain_safe(shrouded(pbes2(0))))), file(safes(plain_safe(shrouded(old(0))))),
        file(safes(plain_safe(shrouded(pbes2(1), b"x" * 15)))), file(safes(plain_safe(shrouded(pbes2(1), b"")))),
        file(safes(plain_safe(shrouded(old(1), b"x" * 9)))),
        file(safes(encrypted_safe(sequence(oid(PBES2)), b"x" * 16))),
        file(safes(encrypted_safe(sequence(oid(PBES2), sequence(pbes2(1), sequence(oid(AES_256)))), b"x" * 16))),
        file(safes(encrypted_safe(old(1, "1.2.840.113549.1.12.1.6"), b"x" * (257 << 10)))),
        file(safes(encrypted_safe(sequence(oid(TRIPLE_DES), sequence(octets(b"s" * 5000), integer(1))), b"x" * 8))),
        file(safes(plain_safe(bag(KEY, PRIVATE), bag("1.2", b"")))),
    ],
)  # fmt: skip
def test_what_is_no_file(contents: bytes) -> None:
    with pytest.raises((Malformed, ObjectUnusable)):
        held(contents)
    with pytest.raises(ObjectUnusable):
        certificates.read(contents)


class TestVectors:
    @pytest.mark.parametrize(
        ("key_text", "plain", "ciphered"),
        [
            ("ffffffffffffffff", "ffffffffffffffff", "278b27e42e2f0d49"),
            ("3000000000000000", "1000000000000001", "30649edf9be7d2c2"),
            ("88bca90e90875a7f0f79c384627bafb2", "0000000000000000", "2269552ab0f85ca6"),
        ],
    )
    def test_rc2(self, key_text: str, plain: str, ciphered: str) -> None:
        """RFC 2268, section 5: those whose key's bits all count."""
        found = decrypt_cbc(bytes.fromhex(key_text), bytes(8), bytes.fromhex(ciphered))
        assert found.hex() == plain

    @pytest.mark.parametrize(
        ("purpose", "word", "salt", "count", "expected"),
        [
            (1, b"smeg", "0a58cf64530d823f", 1, "8aaae6297b6cb04642ab5b077851284eb7128f1a2a7fbca3"),
            (2, b"smeg", "0a58cf64530d823f", 1, "79993dfe048d3b76"),
            (1, b"queeg", "05dec959acff72f7", 1000, "ed2034e36328830ff09df1e1a07dd357185dac0d4f9eb3d4"),
            (2, b"queeg", "05dec959acff72f7", 1000, "11dedad7758d4860"),
        ],
    )
    def test_keys_of_passwords(self, purpose: int, word: bytes, salt: str, count: int, expected: str) -> None:
        """Of the test suites of several libraries, for RFC 7292's derivation."""
        size = len(expected) // 2
        assert derived(purpose, word, bytes.fromhex(salt), count, size, "sha1", Turns()).hex() == expected


class TestPem:
    def test_beginnings_without_an_end_cost_nothing(self) -> None:
        """By a search for each one's end it took ten minutes, in which no other pod was served."""
        for text in (
            b"-----BEGIN A-----" * 60_000,
            b"-----BEGIN CERTIFICATE-----\n" * 37_000,
            b"-----END A-----" * 60_000,
        ):
            with pytest.raises(ObjectUnusable):
                certificates.read(b"-----BEGIN X-----" + text[:1_000_000])

    def test_a_beginning_before_the_block_that_counts(self) -> None:
        text = b"-----BEGIN CERTIFICATE-----\n-----END PRIVATE KEY-----\n" + pem(*chain("ec")) + b"-----BEGIN X-----"
        assert certificates.read(text).certificates == chain("ec")

    def test_numbers_of_a_huge_key_are_not_checked(self) -> None:
        """Testing the primes of 8192 bits takes 6 s, and it grows fast; the key is written as it came."""
        numbers = [0, (1 << 65_536) + 1, 65_537, (1 << 65_535) + 1, *[(1 << 32_767) + 1] * 5]
        text = base64.encodebytes(sequence(*map(integer, numbers)))
        block = b"-----BEGIN RSA PRIVATE KEY-----\n" + text + b"-----END RSA PRIVATE KEY-----\n"
        assert certificates.write(certificates.read(block), Part.KEY).startswith(b"-----BEGIN PRIVATE KEY-----\n")

    def test_more_certificates_than_a_chain_has(self) -> None:
        (one,) = chain("ec", ("leaf",))
        for contents in (pem(one) * 500, file(safes(plain_safe(*[certificate(LEAF)] * 500)))):
            with pytest.raises(ObjectUnusable, match="holds more than 100 certificates"):
                certificates.read(contents)


def test_no_text_of_a_file_is_told() -> None:
    canary = b"canary"
    for contents in (
        file(safes(plain_safe(bag(KEY, octets(canary))))),
        file(safes(plain_safe(certificate(canary)))),
        file(octets(canary)),
        sequence(integer(3), sequence(octets(canary))),
    ):
        with pytest.raises(ObjectUnusable) as caught:
            certificates.read(contents)
        assert "canary" not in json.dumps(str(caught.value))
        assert caught.value.__cause__ is None
