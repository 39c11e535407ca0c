"""PURE: what of Vault's answer becomes a file, with the bytes that the existing provider writes (Go's json.Marshal)."""

import json
from dataclasses import dataclass
from typing import Any, Final

from sscsi_shared.errors import ObjectUnusable, clip
from sscsi_shared.json_values import available, compact, read_json, scalar_text, utf8

_ESCAPES: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_FIRST: Final = ("request_id", "lease_id", "lease_duration", "renewable", "data", "warnings")
_EMPTY: Final[dict[str, Any]] = {"request_id": "", "lease_id": "", "lease_duration": 0, "renewable": False}
_LAST: Final = ("auth", "wrap_info", "mount_type")


def go_json(value: object) -> str:
    """JSON without blanks, keys in order, and `<`, `>`, `&` and two line separators escaped."""
    text = _numbers(value)
    for letter, escape in _ESCAPES.items():
        text = text.replace(letter, escape)
    return text


def whole_answer(answer: dict[str, Any]) -> bytes:
    """The whole answer, its members in the existing provider's order; empty ones at the end left out.

    An answer without any member that Vault's have is taken for the data itself.
    """
    if answer and not any(key in answer for key in (*_FIRST, *_LAST)):
        answer = {"data": answer}
    members = [f'"{key}":{go_json(answer.get(key, _EMPTY.get(key)))}' for key in _FIRST]
    members += [f'"{key}":{go_json(answer[key])}' for key in _LAST if answer.get(key)]
    return utf8("{" + ",".join(members) + "}")


def data_root(answer: dict[str, Any]) -> dict[str, Any]:
    """Where keys are looked up: `data`, or `data.data` where that is a map (KV v2)."""
    data = answer.get("data")
    if not isinstance(data, dict):
        return {}
    inner = data.get("data")
    return inner if isinstance(inner, dict) else data


@dataclass(frozen=True, slots=True)
class Key:
    """What stands under a key of the data; dots are no path.

    Attributes:
        key: `secretKey`.
        path: `secretPath`, for messages.
    """

    key: str
    path: str

    def apply(self, contents: bytes) -> bytes:
        """A text as it is; anything else as JSON.

        Raises:
            ObjectUnusable: there is no such key.
        """
        values = data_root(read_json(contents))
        if self.key not in values:
            raise ObjectUnusable(
                f'{{{clip(self.path, 200)}}}: {{key "{clip(self.key, 128)}" does not exist at the secret path}}',
                hint=available(values),
            )
        value = values[self.key]
        return utf8(value if isinstance(value, str) else go_json(value))


@dataclass(frozen=True, slots=True)
class Data:
    """The data alone, as JSON: the same bytes as long as nothing changed."""

    def apply(self, contents: bytes) -> bytes:
        """Take it out."""
        return utf8(go_json(data_root(read_json(contents))))


def _numbers(value: object) -> str:
    """`compact`, but numbers with a fraction as they were written."""
    if isinstance(value, dict):
        members = (f"{json.dumps(key, ensure_ascii=False)}:{_numbers(value[key])}" for key in sorted(value))
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_numbers, value)) + "]"
    if isinstance(value, float):
        return scalar_text(value) or ""
    return compact(value)
