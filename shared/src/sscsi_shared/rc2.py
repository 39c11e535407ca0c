"""PURE: the cipher RC2 in CBC mode (RFC 2268), backwards alone: older programs encrypt PKCS#12 files by it."""

import struct
from typing import Final

_PI: Final = bytes.fromhex(
    "d978f9c419ddb5ed28e9fd794aa0d89dc67e37832b76538e624c6488448bfba2"
    "179a59f587b34f1361456d8d09817d32bd8f40eb86b77b0bf09521225c6b4e82"
    "54d66593ce60b21c7356c014a78cf1dc1275ca1f3bbee4d1423dd430a33cb626"
    "6fbf0eda4669075727f21d9bbc944303f811c7f690ef3ee706c3d52fc8661ed7"
    "08e8eade8052eef784aa72ac354d6a2a961ad2715a1549744b9fd05e0418a4ec"
    "c2e0416e0f51cbcc2491af50a1f47039997c3a8523b8b47afc02365b25559731"
    "2d5dfa98e38a92ae05df2910676cbac9d300e6cfe19ea82c6316013f58e289a9"
    "0d38341bab33ffb0bb480c5fb9b1cd2ec5f3db47e5a59c770aa62068fe7fc1ad"
)
"""Section 2; a permutation made of the digits of pi."""
_ROTATED: Final = (1, 2, 3, 5)


def decrypt_cbc(key: bytes, vector: bytes, contents: bytes) -> bytes:
    """Blocks of 8 octets in plain.

    Args:
        key: 1 to 128 octets, all of whose bits count.
        vector: 8 octets.
        contents: whole blocks.
    """
    words = _expanded(key)
    before, found = vector, []
    for at in range(0, len(contents), 8):
        block = contents[at : at + 8]
        plain = int.from_bytes(_block(words, block), "big") ^ int.from_bytes(before, "big")
        found.append(plain.to_bytes(8, "big"))
        before = block
    return b"".join(found)


def _expanded(key: bytes) -> tuple[int, ...]:
    """Section 2, with as many effective bits as the key has."""
    octets = bytearray(key)
    while len(octets) < 128:
        octets.append(_PI[(octets[-1] + octets[-len(key)]) & 0xFF])
    octets[128 - len(key)] = _PI[octets[128 - len(key)]]
    for at in range(127 - len(key), -1, -1):
        octets[at] = _PI[octets[at + 1] ^ octets[at + len(key)]]
    return struct.unpack("<64H", octets)


def _block(words: tuple[int, ...], block: bytes) -> bytes:
    """Section 4: rounds of mixing, with one of mashing after the fifth and after the eleventh, backwards."""
    r = list(struct.unpack("<4H", block))
    at = 63
    for turn in range(16):
        for i in (3, 2, 1, 0):
            shift = _ROTATED[i]
            value = (r[i] >> shift | r[i] << (16 - shift)) & 0xFFFF
            a, b, c = r[i - 1], r[i - 2], r[i - 3]
            r[i] = (value - words[at] - (a & b) - (~a & c)) & 0xFFFF
            at -= 1
        if turn in {4, 10}:
            for i in (3, 2, 1, 0):
                r[i] = (r[i] - words[r[i - 1] & 63]) & 0xFFFF
    return struct.pack("<4H", *r)
