"""PURE: what may be told of a refusal by the API server.

Where it finds something wrong with an object it may quote that object, a Secret's content too (422, recording 02; a
500 of an apply, recording 03). So only the texts of refusals by right or name are passed on.
"""

from collections.abc import Mapping
from typing import Any, Final

from sscsi_shared.errors import clip

_MAX_TEXT_BYTES: Final = 512
_MAX_NAMED: Final = 5
_QUOTED: Final = frozenset({401, 403, 404, 409})
"""These name who, what and which right, never content (recordings 02, 03, 07)."""


def told(code: int, status: Mapping[str, Any]) -> str:
    """A refusal in words that hold no object, at most 512 bytes.

    Args:
        code: the HTTP status.
        status: the body, a Status of `meta/v1`; empty where it is none.
    """
    message = status.get("message")
    if code in _QUOTED and isinstance(message, str) and message:
        return clip(message, _MAX_TEXT_BYTES)
    reason = status.get("reason")
    text = f"the API server answered {code} {reason if isinstance(reason, str) else ''}".rstrip()
    fields = ", ".join(list(dict.fromkeys(_fields(status)))[:_MAX_NAMED])
    return clip(f"{text} for {fields}" if fields else text, _MAX_TEXT_BYTES)


def _fields(status: Mapping[str, Any]) -> list[str]:
    """Paths in the object that it names as the causes."""
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, Mapping) else None
    found = [cause.get("field") for cause in causes if isinstance(cause, Mapping)] if isinstance(causes, list) else []
    return [field for field in found if isinstance(field, str) and field]
