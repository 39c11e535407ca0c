"""PURE: what an API server says of a Secret that is written (recordings 03, 04, 05)."""

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sscsi_emulators.kubernetes_status import Status, failure

MAX_BYTES: Final = 1 << 20
_MAX_NAME: Final = 253
_KEY: Final = re.compile(r"[-._a-zA-Z0-9]+")
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_KNOWN: Final = frozenset({"apiVersion", "kind", "metadata", "type", "data", "stringData", "immutable"})
_JSON: Final = {"kubernetes.io/dockerconfigjson": ".dockerconfigjson", "kubernetes.io/dockercfg": ".dockercfg"}
_NEEDED: Final = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
_KEY_TEXT: Final = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_NAME_TEXT: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_IMMUTABLE: Final = "field is immutable when `immutable` is set"
_DISALLOWED_OWNER: Final = "Event"


def stored(body: Mapping[str, Any]) -> dict[str, Any]:
    """A Secret as it is kept: stringData is data, nothing is null, the type is Opaque where none is said.

    Raises:
        ValueError: data is no base64, in the words of Go's decoder.
    """
    found = {key: value for key, value in body.items() if key not in {"stringData", "data"} and value is not None}
    data = {key: _base64(value or "") for key, value in (body.get("data") or {}).items()}
    for key, text in (body.get("stringData") or {}).items():
        data[key] = base64.b64encode(text.encode()).decode()
    if data:
        found["data"] = data
    found["type"] = found.get("type") or "Opaque"
    return found


def _base64(value: str) -> str:
    """The same without line breaks."""
    text = value.replace("\n", "").replace("\r", "")
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        at = next((i for i, one in enumerate(text) if not re.match(r"[A-Za-z0-9+/]", one)), len(text) // 4 * 4)
        raise ValueError(f"illegal base64 data at input byte {at}") from None
    return text


def unknown_field(body: Mapping[str, Any]) -> str:
    """A field that no Secret has; empty where there is none."""
    return next((key for key in body if key not in _KNOWN), "")


def check(new: Mapping[str, Any], old: Mapping[str, Any] | None) -> None:
    """See whether a Secret may be written.

    Args:
        new: as it would be kept.
        old: as it is kept; None = it is not.

    Raises:
        Status: 422.
    """
    name = str(new["metadata"].get("name", ""))
    causes = [*_name(name), *_owners(new["metadata"].get("ownerReferences") or ()), *_content(new)]
    if old is not None:
        causes += _changes(new, old)
    if causes:
        raise invalid("Secret", name, causes)


Cause = tuple[str, str, str]
"""Reason, message, field."""


def invalid(kind: str, name: str, causes: Sequence[Cause], group: str = "") -> Status:
    """422, with its causes."""
    texts = [f"{field}: {message}" for _, message, field in causes]
    joined = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    details: dict[str, Any] = {"name": name, "kind": kind}
    if group:
        details = {"group": group, "kind": kind}
    details["causes"] = [{"reason": reason, "message": message, "field": field} for reason, message, field in causes]
    qualified = f"{kind}.{group}" if group else kind
    return failure(422, "Invalid", f'{qualified} "{name}" is invalid: {joined}', details)


def _name(name: str) -> list[Cause]:
    causes = []
    if len(name) > _MAX_NAME:
        causes.append(_bad(name, "must be no more than 253 characters", "metadata.name"))
    if not _NAME.fullmatch(name):
        causes.append(_bad(name, _NAME_TEXT, "metadata.name"))
    return causes


def _owners(owners: Sequence[Mapping[str, Any]]) -> list[Cause]:
    causes: list[Cause] = []
    place = "metadata.ownerReferences"
    for owner in owners:
        version = str(owner.get("apiVersion", ""))
        if not version or version.count("/") > 1:
            causes.append(_bad(version, "version must not be empty", f"{place}.apiVersion"))
        causes += [
            _bad("", "must not be empty", f"{place}.{field}")
            for field in ("kind", "name", "uid")
            if not owner.get(field)
        ]
        if (version, owner.get("kind")) == ("v1", _DISALLOWED_OWNER):
            text = json.dumps({key: owner[key] for key in ("apiVersion", "kind", "name", "uid")}, separators=(",", ":"))
            causes.append(
                (
                    "FieldValueInvalid",
                    f"Invalid value: {text}: /v1, Kind=Event is disallowed from being an owner",
                    place,
                )
            )
    return causes


def _content(new: Mapping[str, Any]) -> list[Cause]:
    data, kind = new.get("data") or {}, new["type"]
    causes: list[Cause] = []
    for key in data:
        if len(key) > _MAX_NAME:
            causes.append(_bad(key, "must be no more than 253 characters", f"data[{key}]"))
        elif key in {".", ".."}:
            causes.append(_bad(key, f"must not be '{key}'", f"data[{key}]"))
        elif key.startswith(".."):
            causes.append(_bad(key, "must not start with '..'", f"data[{key}]"))
        elif not _KEY.fullmatch(key):
            causes.append(_bad(key, _KEY_TEXT, f"data[{key}]"))
    if sum(len(base64.b64decode(value)) for value in data.values()) > MAX_BYTES:
        causes.append(("FieldValueTooLong", f"Too long: may not be more than {MAX_BYTES} bytes", "data"))
    return causes + _by_type(kind, data)


def _by_type(kind: str, data: Mapping[str, str]) -> list[Cause]:
    missing = [key for key in _NEEDED.get(kind, ()) if key not in data or (kind.endswith("ssh-auth") and not data[key])]
    if kind == "kubernetes.io/basic-auth" and not {"username", "password"} & data.keys():
        missing = ["username", "password"]
    if kind in _JSON:
        key = _JSON[kind]
        if key not in data:
            missing = [key]
        elif not _is_object(base64.b64decode(data[key])):
            text = 'Invalid value: "<secret contents redacted>": '
            return [("FieldValueInvalid", text + "it is no JSON object", f"data[{key}]")]
    return [("FieldValueRequired", "Required value", f"data[{key}]") for key in missing]


def _is_object(text: bytes) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _changes(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[Cause]:
    causes: list[Cause] = []
    if (uid := new["metadata"].get("uid")) not in {None, old["metadata"]["uid"]}:
        causes.append(_bad(str(uid), "field is immutable", "metadata.uid"))
    if new["type"] != old["type"]:
        causes.append(_bad(new["type"], "field is immutable", "type"))
    if old.get("immutable") is True:
        if new.get("immutable") is not True:
            causes.append(("FieldValueForbidden", f"Forbidden: {_IMMUTABLE}", "immutable"))
        if (new.get("data") or {}) != (old.get("data") or {}):
            causes.append(("FieldValueForbidden", f"Forbidden: {_IMMUTABLE}", "data"))
    return causes


def _bad(value: str, message: str, field: str) -> Cause:
    return "FieldValueInvalid", f"Invalid value: {json.dumps(value, ensure_ascii=False)}: {message}", field
