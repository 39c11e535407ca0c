"""PURE: a secret that is JSON: reading it, and its values as the text of a file."""

import json
from collections.abc import Iterable
from typing import Any, Final, NoReturn

from sscsi_shared.errors import clip

MAX_SHOWN_KEYS: Final = 10
MAX_SHOWN_KEY_BYTES: Final = 64


class _Number(float):
    """A number with a fraction or an exponent, which knows how it was written."""

    text: str


_Number.__name__ = "float"  # JMESPath's functions tell types by their names


def read_json(contents: bytes) -> Any:
    """The JSON document.

    Raises:
        ValueError: it is none, is no UTF-8, or is nested too deeply. The error holds the content: raise `from None`.
    """
    try:
        return json.loads(contents.decode(), parse_constant=_no_constant, parse_float=_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def scalar_text(value: object) -> str | None:
    """A text as it is, a number and true or false as they were written; None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, _Number):
        return value.text
    return json.dumps(value) if isinstance(value, int | float) else None


def compact(value: object) -> str:
    """A list or an object as JSON without blanks, keys in order (Go's json.Marshal, but `<`, `>` and `&` stay)."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def utf8(text: str) -> bytes:
    """`text` as bytes; half a surrogate pair, which JSON can spell, becomes the replacement character as in Go."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def kind(value: object) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "an object"


def available(keys: Iterable[str]) -> str:
    """A sentence that lists the first keys in order."""
    ordered = sorted(keys)
    if not ordered:
        return "It has no keys."
    shown = ", ".join(clip(key, MAX_SHOWN_KEY_BYTES) for key in ordered[:MAX_SHOWN_KEYS])
    more = len(ordered) - MAX_SHOWN_KEYS
    return f"Available keys: {shown} and {more} more." if more > 0 else f"Available keys: {shown}."


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _number(text: str) -> _Number:
    number = _Number(text)
    number.text = text
    return number
