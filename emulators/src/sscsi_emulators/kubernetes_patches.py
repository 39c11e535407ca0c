"""PURE: the two kinds of patch that the driver sends, as an API server applies them (recordings 02, 05, 12)."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Final

MERGE: Final = "application/merge-patch+json"
JSON: Final = "application/json-patch+json"


class PatchFailed(Exception):
    """A test that fails, or a path that is not there: 422 with a text that does not say which."""


def merged(old: Any, patch: Any) -> Any:
    """RFC 7386: mappings are merged, null removes, all else replaces."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    found = dict(old) if isinstance(old, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), value)
    return found


def patched(old: Mapping[str, Any], operations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """RFC 6902, of its operations test, add, replace and remove; a test for null holds on an absent path.

    Raises:
        PatchFailed: all or nothing.
    """
    found: dict[str, Any] = copy.deepcopy(dict(old))
    for operation in operations:
        *parents, last = (part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:])
        place: Any = found
        try:
            for part in parents:
                place = place[_key(place, part)]
            _apply(place, last, operation)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise PatchFailed(operation["path"]) from error
    return found


def _apply(place: Any, last: str, operation: Mapping[str, Any]) -> None:
    kind, value = operation["op"], copy.deepcopy(operation.get("value"))
    if kind == "add" and isinstance(place, list):
        place.insert(len(place) if last == "-" else int(last), value)
        return
    key = _key(place, last)
    if kind == "test":
        there = place.get(key) if isinstance(place, dict) else place[key]
        if there != value:
            raise ValueError("another value")
    elif kind == "add":
        place[key] = value
    elif kind == "replace":
        place[key], _ = value, place[key]
    elif kind == "remove":
        del place[key]
    else:
        raise ValueError(f"{kind} is not claimed")


def _key(place: Any, part: str) -> Any:
    return int(part) if isinstance(place, list) else part
