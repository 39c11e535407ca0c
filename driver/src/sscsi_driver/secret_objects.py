"""PURE: a class's secretObjects and a volume's files -> the Kubernetes Secrets that they make.

The rules are those of the existing driver's release 1.6, so that a class which worked works on; what went wrong there
without a word is said here. No text of this module quotes what a file holds.
"""

import hashlib
import json
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sscsi_driver import tls
from sscsi_shared.errors import ObjectUnusable, clip
from sscsi_shared.secret import SecretBytes

MAX_BYTES: Final = 1 << 20
"""Of a Secret's data, decoded (recording 04)."""
_KEY: Final = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_MAX_NAME: Final = 253
_MAX_NAMED: Final = 5


class SyncProblem(Exception):
    """A Secret that is not made, or not brought up to date.

    Attributes:
        message: why, and what to do; no secret in it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class SecretObject:
    """An entry of secretObjects.

    Attributes:
        name: the Secret's.
        type: the Secret's.
        items: key of the Secret -> path of a file in the volume.
        labels: that the class asks for.
        annotations: that the class asks for.
    """

    name: str
    type: str
    items: Mapping[str, str]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Content:
    """What a Secret is to hold.

    Attributes:
        type: its type.
        data: key -> value.
        labels: that the class asks for.
        annotations: that the class asks for.
    """

    type: str
    data: Mapping[str, SecretBytes]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @property
    def shape(self) -> str:
        """A digest of all but the values: who may read annotations, but no data, could guess a short value by one."""
        parts = [self.type, sorted(self.data), sorted(self.labels.items()), sorted(self.annotations.items())]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def secret_name(entry: Mapping[str, Any]) -> str:
    """The Secret that an entry of secretObjects names; empty where it names none."""
    return _text(entry.get("secretName"))


def file_names(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """The files that entries of secretObjects name."""
    items = [item for entry in entries for item in _list(entry.get("data"))]
    names = [_text(item.get("objectName")) for item in items if isinstance(item, Mapping)]
    return list(dict.fromkeys(filter(None, names)))


def contents_of(
    entries: Sequence[Mapping[str, Any]], files: Mapping[str, SecretBytes], problems: list[str]
) -> dict[str, Content]:
    """What each Secret of a class is to hold, by name; one that is wrong holds up no other.

    Args:
        entries: of secretObjects.
        files: the volume's, by path.
        problems: gets a text for each entry that is wrong.
    """
    found: dict[str, Content] = {}
    for number, entry in enumerate(entries):
        try:
            wanted = read_entry(entry, found)
            found[wanted.name] = content_of(wanted, files)
        except SyncProblem as error:
            problems.append(
                f"Secret {clip(secret_name(entry), _MAX_NAME) or f'secretObjects[{number}]'}: {error.message}"
            )
    return found


def read_entry(entry: Mapping[str, Any], others: Container[str] = ()) -> SecretObject:
    """Read an entry of secretObjects.

    Args:
        entry: as the API server gave it; secretName, type, objectName and key may stand between blanks.
        others: names that the class has given away before.

    Raises:
        SyncProblem: something is missing, or can't be part of a Secret.
    """
    name = secret_name(entry)
    if not name:
        raise SyncProblem("secret name is empty: set secretName")
    shown = clip(name, _MAX_NAME)
    if len(name) > _MAX_NAME or not _NAME.fullmatch(name):
        raise SyncProblem(f"{shown!r} can't be a Secret's name: lower-case letters, digits, - and . are allowed")
    if name in others:
        raise SyncProblem("the class names it twice: put all keys into one entry")
    kind = _text(entry.get("type"))
    if not kind:
        raise SyncProblem("secret type is empty: set type, for example `type: Opaque`")
    data = _list(entry.get("data"))
    if not data:
        raise SyncProblem("secret data is empty: list an objectName and a key for each value")
    return SecretObject(name, kind, _items(data, kind), _texts(entry, "labels"), _texts(entry, "annotations"))


def _items(data: Sequence[Any], kind: str) -> dict[str, str]:
    items: dict[str, str] = {}
    for number, one in enumerate(data):
        item = one if isinstance(one, Mapping) else {}
        file, key = _text(item.get("objectName")), _text(item.get("key"))
        if not file:
            raise SyncProblem(f"data[{number}]: object name is empty: set objectName")
        if not key:
            raise SyncProblem(f"data[{number}]: key is empty: set key")
        if not _KEY.fullmatch(key):
            raise SyncProblem(
                f"data[{number}]: {clip(key, 253)!r} can't be a key: letters, digits, -, _ and . are allowed"
            )
        if kind == tls.TYPE and key not in tls.KEYS:
            raise SyncProblem(f"data[{number}]: a Secret of type {kind} has the keys {' and '.join(tls.KEYS)} only")
        if key in items:
            raise SyncProblem(f"data[{number}]: key {key} is there twice")
        items[key] = file
    return items


def content_of(wanted: SecretObject, files: Mapping[str, SecretBytes]) -> Content:
    """What the Secret is to hold.

    Args:
        wanted: the entry.
        files: the volume's, by path.

    Raises:
        SyncProblem: a file is not there, is no certificate or key where one is needed, or there is too much.
    """
    data: dict[str, SecretBytes] = {}
    for key, path in wanted.items.items():
        contents = files.get(path)
        if contents is None:
            raise SyncProblem(
                f"file matching objectName {clip(path, 120)} not found in the pod; the volume has: {_some(files)}"
            )
        data[key] = _value(wanted.type, key, path, contents)
    if sum(len(value.reveal()) for value in data.values()) > MAX_BYTES:
        raise SyncProblem(f"its data is larger than the {MAX_BYTES} bytes that a Secret may hold")
    return Content(wanted.type, data, wanted.labels, wanted.annotations)


def _value(kind: str, key: str, path: str, contents: SecretBytes) -> SecretBytes:
    if kind != tls.TYPE:
        return contents
    try:
        return SecretBytes(tls.value(key, contents.reveal()))
    except ObjectUnusable as error:
        raise SyncProblem(f"{key} can't be made of the file {clip(path, 120)}: {error}") from error


def _texts(entry: Mapping[str, Any], field: str) -> dict[str, str]:
    found = entry.get(field)
    if not isinstance(found, Mapping):
        return {}
    return {key: value for key, value in found.items() if isinstance(key, str) and isinstance(value, str)}


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _some(files: Mapping[str, SecretBytes]) -> str:
    names = sorted(files)
    text = ", ".join(clip(name, 80) for name in names[:_MAX_NAMED]) or "nothing"
    return f"{text} and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else text
