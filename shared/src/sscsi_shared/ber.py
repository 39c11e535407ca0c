"""PURE: ASN.1 in BER (X.690), as far as PKCS#12 files need it: tags of one octet, any form of length.

What somebody may have made to cost much is refused: more than MAX_ITEMS elements in one, more than MAX_DEPTH of
indefinite length within each other, and octets in pieces of pieces of pieces.
"""

from dataclasses import dataclass
from typing import Final

MAX_ITEMS: Final = 20_000
MAX_DEPTH: Final = 16
_MAX_PIECES_DEPTH: Final = 2
_CONSTRUCTED: Final = 0x20
_HIGH_TAG: Final = 0x1F
_INDEFINITE: Final = 0x80
_MAX_LENGTH_OCTETS: Final = 4
INTEGER: Final = 0x02
OCTETS: Final = 0x04
OID: Final = 0x06
SEQUENCE: Final = 0x30


class Malformed(ValueError):
    """It is no such element; the text says nothing of what was read."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element.

    Attributes:
        tag: its identifier octet.
        contents: without those that end an indefinite length.
        raw: with tag and length, as it was written.
    """

    tag: int
    contents: bytes
    raw: bytes

    def items(self, tag: int = SEQUENCE) -> "tuple[Element, ...]":
        """What it is made of.

        Args:
            tag: that it has to have.

        Raises:
            Malformed: it is something else.
        """
        if self.tag != tag or not tag & _CONSTRUCTED:
            raise Malformed("an element of another kind")
        return elements(self.contents)

    def octets(self, tag: int = OCTETS) -> bytes:
        """An octet string, in one piece or in several.

        Raises:
            Malformed: it is something else.
        """
        return _octets(self, tag, 0)

    def integer(self) -> int:
        """A number that is not negative.

        Raises:
            Malformed: it is none, or has more than 64 bits.
        """
        if self.tag != INTEGER or not 1 <= len(self.contents) <= 8:
            raise Malformed("no number")
        found = int.from_bytes(self.contents, "big", signed=True)
        if found < 0:
            raise Malformed("a number below zero")
        return found

    def oid(self) -> str:
        """An object identifier, with dots.

        Raises:
            Malformed: it is none.
        """
        if self.tag != OID or not 1 <= len(self.contents) <= 32 or self.contents[-1] & 0x80:
            raise Malformed("no object identifier")
        numbers, number = [], 0
        for octet in self.contents:
            number = number << 7 | octet & 0x7F
            if not octet & 0x80:
                numbers.append(number)
                number = 0
        first = min(numbers[0] // 40, 2)
        return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def element(text: bytes) -> Element:
    """The one element that is there; what comes behind it is left alone (a file may be padded).

    Raises:
        Malformed: there is none.
    """
    return _read(text, 0, [MAX_ITEMS], 0)[0]


def elements(text: bytes) -> tuple[Element, ...]:
    """The elements one after another.

    Raises:
        Malformed: they are none.
    """
    found, at, left = [], 0, [MAX_ITEMS]
    while at < len(text):
        one, at = _read(text, at, left, 0)
        found.append(one)
    return tuple(found)


def _read(text: bytes, start: int, left: list[int], depth: int) -> tuple[Element, int]:
    """An element, and where the next one begins; `left` counts down how many there may be."""
    left[0] -= 1
    if left[0] < 0 or depth > MAX_DEPTH or start + 2 > len(text):
        raise Malformed("too many elements, or a broken one")
    tag, length, at = text[start], text[start + 1], start + 2
    if tag & _HIGH_TAG == _HIGH_TAG:
        raise Malformed("a tag of several octets")
    if length == _INDEFINITE:
        if not tag & _CONSTRUCTED:
            raise Malformed("no length")
        end = at
        while text[end : end + 2] != b"\0\0":
            end = _read(text, end, left, depth + 1)[1]
        return Element(tag, text[at:end], text[start : end + 2]), end + 2
    if length & 0x80:
        size = length & 0x7F
        if size > _MAX_LENGTH_OCTETS or at + size > len(text):
            raise Malformed("a broken length")
        length = int.from_bytes(text[at : at + size], "big")
        at += size
    if at + length > len(text):
        raise Malformed("it ends too early")
    return Element(tag, text[at : at + length], text[start : at + length]), at + length


def _octets(one: Element, tag: int, depth: int) -> bytes:
    if depth > _MAX_PIECES_DEPTH:
        raise Malformed("nested too deeply")
    if one.tag == tag:
        return one.contents
    if one.tag != tag | _CONSTRUCTED:
        raise Malformed("no octets")
    return b"".join(_octets(piece, OCTETS, depth + 1) for piece in elements(one.contents))
