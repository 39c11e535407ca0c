"""Bytes that are almost gRPC: random ones, HTTP/2 with a frame changed, protobuf with some bytes changed."""

import random
import struct
from collections.abc import Sequence
from typing import Any, Final

from google.protobuf.message import Message

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_SETTINGS, _HEADERS, _CONTINUATION, _DATA, _PING, _WINDOW, _PRIORITY, _RESET, _GOAWAY = 4, 1, 9, 0, 6, 8, 2, 3, 7
_KINDS: Final = (_SETTINGS, _HEADERS, _CONTINUATION, _DATA, _PING, _WINDOW, _PRIORITY, _RESET, _GOAWAY, 5, 0xFE)
_ODD: Final = (b"\x00", b"\xff", b"\x80" * 10, b"\x0a\xff\xff\xff\xff\x0f", b"\x08", b"{", b'"', b"../", b"\xc3\x28")


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """A frame of HTTP/2 (RFC 9113, 4.1)."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def conversation(path: str, message: bytes, dice: random.Random) -> bytes:
    """What a client sends for one call, with something in it that should not be."""
    fields = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost")]
    fields += [("te", "trailers"), ("content-type", "application/grpc")]
    head = b"".join(_field(name, value) for name, value in fields)
    body = b"\0" + struct.pack(">I", len(message)) + message
    frames = [frame(_SETTINGS, 0, 0, b""), frame(_HEADERS, 4, 1, head), frame(_DATA, 1, 1, body)]
    kind = dice.randrange(6)
    if kind == 0:
        at = dice.randrange(len(frames))
        frames[at] = mutated(frames[at], dice)
    elif kind == 1:
        frames.insert(
            dice.randrange(4), frame(dice.choice(_KINDS), dice.randrange(256), dice.randrange(4), dice.randbytes(9))
        )
    elif kind == 2:  # headers that never end
        frames = [
            frames[0],
            frame(_HEADERS, 0, 1, head),
            *(frame(_CONTINUATION, 0, 1, _field("a", "b" * 40) * 100) for _ in range(60)),
        ]
    elif kind == 3:  # begun and taken back, over and over
        frames += [
            one for n in range(3, 400, 2) for one in (frame(_HEADERS, 4, n, head), frame(_RESET, 0, n, b"\0\0\0\x08"))
        ]
    elif kind == 4:  # a length that is not so
        frames[2] = frame(_DATA, 1, 1, b"\0" + struct.pack(">I", dice.choice((1 << 31, 0xFFFFFFFF, 5 << 20))) + message)
    else:
        frames += [frame(dice.choice((_SETTINGS, _PING)), 0, 0, b"\0" * 8 if dice.random() < 0.5 else b"\0" * 6)] * 500
    return PREFACE + b"".join(frames)


def mutated(seed: bytes, dice: random.Random) -> bytes:
    """Some bytes changed, taken away, doubled or put in."""
    data = bytearray(seed)
    for _ in range(dice.randint(1, 6)):
        at = dice.randrange(len(data) + 1)
        kind = dice.randrange(5)
        if kind == 0 and at < len(data):
            data[at] = dice.randrange(256)
        elif kind == 1:
            del data[at : at + dice.randint(1, 16)]
        elif kind == 2:
            data[at:at] = data[at : at + dice.randint(1, 64)]
        elif kind == 3:
            data[at:at] = dice.choice(_ODD)
        else:
            data[at:at] = dice.randbytes(dice.randint(1, 8))
    return bytes(data)


def reworded(message: Message, dice: random.Random) -> bytes:
    """A message that can be read, with some of its texts, maps and numbers changed."""
    copy = type(message)()
    copy.CopyFrom(message)
    for _ in range(dice.randint(1, 3)):
        fields = [field for field, _ in copy.ListFields()]
        if fields:
            _reword(copy, dice.choice(fields), dice)
    return copy.SerializeToString()


def _reword(message: Any, field: Any, dice: random.Random) -> None:
    value = getattr(message, field.name)
    if isinstance(value, str):
        setattr(message, field.name, mutated(value.encode(), dice).decode("utf-8", "replace"))
    elif isinstance(value, bool | int):
        setattr(message, field.name, type(value)(dice.choice((0, 1))))
    elif hasattr(value, "items"):
        key = dice.choice(sorted(value))
        text = mutated(value[key].encode(), dice).decode("utf-8", "replace")
        value[dice.choice((key, text))] = text
    elif dice.random() < 0.2:
        message.ClearField(field.name)


def several(seeds: Sequence[bytes], dice: random.Random, number: int) -> list[bytes]:
    """Mutations of some of the seeds."""
    return [mutated(dice.choice(seeds), dice) for _ in range(number)]


def _field(name: str, value: str) -> bytes:
    """A field of HPACK, never indexed, with a new name, without Huffman's code (RFC 7541, 6.2.3)."""
    texts = (name.encode(), value.encode())
    return b"\x10" + b"".join(bytes([len(text)]) + text for text in texts)
