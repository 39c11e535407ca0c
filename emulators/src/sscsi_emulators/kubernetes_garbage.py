"""PURE: what the garbage collector takes (recording 06): an object none of whose owners exists.

An owner exists if an object of its kind has its name and its uid, in the same namespace or in none. A kind or version
that is not served keeps what it owns.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Exists: TypeAlias = Callable[[str, str, str, str], str | None]
"""Of (apiVersion, kind, namespace, name) the uid; empty = there is none; None = the kind is not served."""


def living(body: Mapping[str, Any], exists: Exists) -> list[Mapping[str, Any]] | None:
    """The owners that exist; None where all named ones do, or none is named."""
    metadata = body["metadata"]
    owners: list[Mapping[str, Any]] = list(metadata.get("ownerReferences") or ())
    found = [owner for owner in owners if _lives(owner, metadata.get("namespace", ""), exists)]
    return None if len(found) == len(owners) else found


def _lives(owner: Mapping[str, Any], namespace: str, exists: Exists) -> bool:
    uid = exists(owner["apiVersion"], owner["kind"], namespace, owner["name"])
    return uid is None or uid == owner["uid"]
