"""As much of HTTP/1.1 (RFC 9112) and HTTP/2 (RFC 9113) as it takes to break an answer off, or to answer nonsense."""

import re
import socket
from collections.abc import Callable
from typing import Final

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PREFACE: Final = len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
_HEAD: Final = 9
_DATA, _HEADERS, _SETTINGS = 0, 1, 4
_END_HEADERS, _END_STREAM = 4, 1


def length_of_request(taken: bytes) -> int | None:
    """Bytes of the first request in `taken`, with its body; None where its head has not come whole."""
    head, end, _ = taken.partition(b"\r\n\r\n")
    if not end:
        return None
    found = _LENGTH.search(head)
    return len(head) + len(end) + (int(found[1]) if found else 0)


class Halver:
    """Cuts an answer in the middle of its content.

    Args:
        http2: whether it comes in HTTP/2's frames.
    """

    def __init__(self, *, http2: bool) -> None:
        self._http2 = http2
        self._waiting = b""

    def half(self, chunk: bytes) -> tuple[bytes, bool]:
        """What of the next bytes is to be sent, and whether there is more to come."""
        return self._of_frames(chunk) if self._http2 else self._of_message(chunk)

    def _of_message(self, chunk: bytes) -> tuple[bytes, bool]:
        self._waiting += chunk
        head, end, body = self._waiting.partition(b"\r\n\r\n")
        if not end or not body:
            return b"", True
        return head + end + body[: max(1, len(body) // 2)], False

    def _of_frames(self, chunk: bytes) -> tuple[bytes, bool]:
        self._waiting += chunk
        sent = b""
        while len(self._waiting) >= _HEAD:
            length, kind = int.from_bytes(self._waiting[:3], "big"), self._waiting[3]
            if len(self._waiting) < _HEAD + length:
                break
            if kind == _DATA and length:
                return sent + self._waiting[: _HEAD + length // 2], False
            sent += self._waiting[: _HEAD + length]
            self._waiting = self._waiting[_HEAD + length :]
        return sent, True


def html_over_http2(client: socket.socket, page: bytes, goes_on: Callable[[], bool]) -> None:
    """Answer every request on a connection with a page, as long as that goes on, or until the client leaves."""
    client.sendall(_frame(_SETTINGS, 0, 0, b""))
    taken = b""
    preface = True
    while (chunk := client.recv(65536)) and goes_on():
        taken += chunk
        if preface:
            if len(taken) < _PREFACE:
                continue
            taken, preface = taken[_PREFACE:], False
        while len(taken) >= _HEAD and len(taken) >= _HEAD + int.from_bytes(taken[:3], "big"):
            length, kind, stream = int.from_bytes(taken[:3], "big"), taken[3], int.from_bytes(taken[5:9], "big")
            flags = taken[4]
            taken = taken[_HEAD + length :]
            if kind == _SETTINGS and not flags & 1:
                client.sendall(_frame(_SETTINGS, 1, 0, b""))
            if kind == _HEADERS:
                # RFC 7541: 0x88 is `:status: 200`; 0x0f 0x10 a literal for `content-type` (31), not indexed.
                headers = b"\x88\x0f\x10" + bytes([len(b"text/html")]) + b"text/html"
                client.sendall(
                    _frame(_HEADERS, _END_HEADERS, stream, headers) + _frame(_DATA, _END_STREAM, stream, page)
                )


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
