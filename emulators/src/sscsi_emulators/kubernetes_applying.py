"""An apply of a Secret as a request: what an API server refuses, and with which words (recording 03)."""

from collections.abc import Mapping
from typing import Any, Final

from sscsi_emulators import kubernetes_secrets
from sscsi_emulators.kubernetes_apply import ApplyConflict, Managers, applied, field_text
from sscsi_emulators.kubernetes_status import Status, failure

_MAX_MANAGER: Final = 128
_OPTIONS: Final = "PatchOptions"
_META: Final = "meta.k8s.io"


def apply_secret(
    old: Mapping[str, Any] | None, managers: Managers, body: Any, who: tuple[str, str, str], *, force: bool
) -> tuple[dict[str, Any], Managers]:
    """The Secret after an apply, and who manages what then; its resourceVersion is not looked at.

    Args:
        old: as it is; None = there is none.
        managers: who manages what of it.
        body: what is applied.
        who: namespace and name of the path, and the field manager.
        force: whether it takes what others manage.

    Raises:
        Status: it is refused.
    """
    _, name, manager = who
    _check_manager(manager)
    _check_body(body, name)
    live = old if old is not None else {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}
    try:
        new, after = applied(live, managers, _whole(body), manager, force=force)
    except ApplyConflict as error:
        raise _conflict(error) from error
    try:
        new = kubernetes_secrets.stored(new)
    except ValueError as error:
        raise _broken(
            f"failed to convert new object (/{name}; /v1, Kind=Secret) to proper version: unable to convert "
            f"unstructured object to /v1, Kind=Secret: error decoding from json: {error}"
        ) from error
    if (uid := (body.get("metadata") or {}).get("uid")) is not None:
        if old is None:
            text = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            details = {"name": name, "kind": "secrets"}
            raise failure(409, "Conflict", f'Operation cannot be fulfilled on secrets "{name}": {text}', details)
        new["metadata"]["uid"] = uid
    if old is None:
        kubernetes_secrets.check(new, None)
    return new, after


def _whole(body: Mapping[str, Any]) -> dict[str, Any]:
    """With null values of data as the empty ones that they are stored as."""
    data = body.get("data")
    return {**body, **({"data": {key: value or "" for key, value in data.items()}} if data else {})}


def _check_manager(manager: str) -> None:
    cause = None
    if not manager:
        cause = ("FieldValueRequired", "Required value: is required for apply patch", "fieldManager")
    elif len(manager) > _MAX_MANAGER:
        cause = ("FieldValueTooLong", f"Too long: may not be more than {_MAX_MANAGER} bytes", "fieldManager")
    if cause is not None:
        raise kubernetes_secrets.invalid(_OPTIONS, "", [cause], _META)


def _check_body(body: Any, name: str) -> None:
    if not isinstance(body, Mapping) or not body.get("apiVersion") or not body.get("kind"):
        raise failure(400, "BadRequest", "invalid object type: /, Kind=")
    metadata = body.get("metadata") or {}
    if "managedFields" in metadata:
        raise failure(400, "BadRequest", "metadata.managedFields must be nil")
    wrong = f"failed to create typed patch object (/{name}; /v1, Kind=Secret): "
    for key, value in (body.get("data") or {}).items():
        if not isinstance(value, str | None):
            raise _broken(f"{wrong}.data.{key}: expected string, got &value.valueUnstructured{{Value:{value}}}")
    if unknown := kubernetes_secrets.unknown_field(body):
        raise _broken(f"{wrong}.{unknown}: field not declared in schema")
    uids = [owner.get("uid") for owner in metadata.get("ownerReferences") or ()]
    if twice := next((uid for uid in uids if uid and uids.count(uid) > 1), None):
        raise _broken(f'{wrong}.metadata.ownerReferences: duplicate entries for key [uid="{twice}"]')


def _broken(message: str) -> Status:
    return failure(500, "", message)


def _conflict(error: ApplyConflict) -> Status:
    causes = []
    for (manager, operation), field in error.conflicts:
        version = " using v1" if operation == "Update" else ""
        text = f'conflict with "{manager}"{version}'
        causes.append({"reason": "FieldManagerConflict", "message": text, "field": field_text(field)})
    told = "; ".join(f"{cause['message']}: {cause['field']}" for cause in causes)
    number = f"{len(causes)} conflict{'s' if len(causes) > 1 else ''}"
    return failure(409, "Conflict", f"Apply failed with {number}: {told}", {"causes": causes})
