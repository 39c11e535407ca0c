"""PURE: what is to be written of a Secret, seen what is there.

Secrets are compared by their values, and nothing is written where they are equal. All nodes write with one field
manager, so that a later one may take out what an earlier one has put in; each write names the resourceVersion that it
has seen, so that nobody overwrites what he did not see. A Secret says when its content was fetched: what was fetched
earlier than that never replaces it.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sscsi_driver.secret_objects import Content, SyncProblem
from sscsi_shared.deadline import Instant
from sscsi_shared.errors import clip

FIELD_MANAGER: Final = "sscsi-driver"
MANAGED_LABEL: Final = "secrets-store.csi.k8s.io/managed"
"""The existing driver's own."""
CLASS_ANNOTATION: Final = "sscsi.dev/class"
FETCHED_ANNOTATION: Final = "sscsi.dev/fetched-at"
SHAPE_ANNOTATION: Final = "sscsi.dev/shape"
NEVER_SEEN: Final = "1"
"""A resourceVersion that no object has: an apply with it makes what is absent, and fails (409) where something is there
(recording 03, steps 33 and 36)."""

Owner = Mapping[str, Any]
"""An entry of ownerReferences: apiVersion, kind, name, uid."""


class OfOtherClass(Exception):
    """The Secret is another class's.

    Attributes:
        name: of that class.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True, slots=True)
class Apply:
    """A server-side apply, by force, of all that we say of the Secret.

    Attributes:
        body: the object; holds secrets.
    """

    body: dict[str, Any]

    def __repr__(self) -> str:
        return "Apply(<redacted>)"


@dataclass(frozen=True, slots=True)
class AddOwners:
    """A merge patch of the owners alone: the content there is newer than ours, but our pod needs it too.

    Attributes:
        body: the patch.
    """

    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A Secret that a volume makes.

    Attributes:
        namespace: the pod's.
        name: the Secret's.
        of_class: the class's name.
        content: what it is to hold.
        owners: who needs it; exact copies, or the garbage collector takes the Secret (recording 06).
        fetched_at: when the fetch of the content began.
    """

    namespace: str
    name: str
    of_class: str
    content: Content
    owners: Sequence[Owner]
    fetched_at: Instant


def write_of(wanted: Wanted, found: Mapping[str, Any] | None, *, take: bool = False) -> Apply | AddOwners | None:
    """What is to be written; None = nothing.

    Args:
        wanted: what a volume makes.
        found: the Secret as it is; None = there is none.
        take: whether it may be another class's.

    Raises:
        OfOtherClass: it is another class's.
        SyncProblem: it may not, or can't, be written.
    """
    if found is None:
        return Apply(_body(wanted, wanted.owners, NEVER_SEEN))
    metadata = found.get("metadata") or {}
    _check_ours(wanted, metadata, take)
    if metadata.get("deletionTimestamp"):
        raise SyncProblem("it is being deleted; it is made anew once it is gone")
    if found.get("type") != wanted.content.type:
        raise SyncProblem(
            f"it has the type {clip(str(found.get('type')), 80)}, the class says {clip(wanted.content.type, 80)}, and "
            f"a Secret's type can't be changed. Delete it: {_delete(wanted)}"
        )
    version = str(metadata.get("resourceVersion", ""))
    there: list[Owner] = list(metadata.get("ownerReferences") or ())
    owners = _with(there, wanted.owners)
    if not _same(wanted, found, metadata) and not _newer(metadata, wanted.fetched_at):
        if found.get("immutable") is True:
            raise SyncProblem(f"it is immutable, and its content has changed. Delete it: {_delete(wanted)}")
        return Apply(_body(wanted, owners, version))
    if owners != there:
        return AddOwners({"metadata": {"resourceVersion": version, "ownerReferences": owners}})
    return None


def _check_ours(wanted: Wanted, metadata: Mapping[str, Any], take: bool) -> None:
    """A Secret with the label alone was made by the existing driver, whose classes we serve."""
    if (metadata.get("labels") or {}).get(MANAGED_LABEL) != "true":
        raise SyncProblem(
            "there is one of that name that no SecretProviderClass made; it stays as it is. Take another secretName, "
            f"or delete it: {_delete(wanted)}"
        )
    of_class = (metadata.get("annotations") or {}).get(CLASS_ANNOTATION, wanted.of_class)
    if of_class != wanted.of_class and not take:
        raise OfOtherClass(of_class)


def _delete(wanted: Wanted) -> str:
    return f"kubectl delete secret -n {wanted.namespace} {wanted.name}"


def _same(wanted: Wanted, found: Mapping[str, Any], metadata: Mapping[str, Any]) -> bool:
    """Whether all that we would write is there; what others have added does not count."""
    data = found.get("data") or {}
    annotations = metadata.get("annotations") or {}
    own = {CLASS_ANNOTATION: wanted.of_class, SHAPE_ANNOTATION: wanted.content.shape}
    return (
        all(_decoded(data.get(key)) == value.reveal() for key, value in wanted.content.data.items())
        and (metadata.get("labels") or {}).items() >= wanted.content.labels.items()
        and annotations.items() >= {**wanted.content.annotations, **own}.items()
    )


def _decoded(value: object) -> bytes | None:
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else None
    except (binascii.Error, ValueError):
        return None


def _newer(metadata: Mapping[str, Any], fetched_at: Instant) -> bool:
    """Whether the content there was fetched later than at `fetched_at`."""
    text = (metadata.get("annotations") or {}).get(FETCHED_ANNOTATION, "")
    try:
        return datetime.fromisoformat(text).timestamp() > fetched_at
    except (TypeError, ValueError, OverflowError):
        return False


def _with(there: Sequence[Owner], ours: Sequence[Owner]) -> list[Owner]:
    """Those that are there, and ours; one that has our uid and says anything else of it is mended.

    Dead ones need no look of ours: the garbage collector takes them out, also when a write has brought one back
    (recording 06).
    """
    by_uid = {owner["uid"]: owner for owner in ours}
    kept = []
    for owner in there:
        own = by_uid.pop(owner.get("uid"), None)
        kept.append(owner if own is None or own.items() <= owner.items() else own)
    return [*kept, *by_uid.values()]


def _body(wanted: Wanted, owners: Sequence[Owner], version: str) -> dict[str, Any]:
    content = wanted.content
    own = {
        CLASS_ANNOTATION: wanted.of_class,
        FETCHED_ANNOTATION: datetime.fromtimestamp(wanted.fetched_at, UTC).isoformat(timespec="microseconds"),
        SHAPE_ANNOTATION: content.shape,
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": wanted.name,
            "namespace": wanted.namespace,
            "resourceVersion": version,
            "labels": {**content.labels, MANAGED_LABEL: "true"},
            "annotations": {**content.annotations, **own},
            "ownerReferences": list(owners),
        },
        "type": content.type,
        "data": {key: base64.b64encode(value.reveal()).decode() for key, value in content.data.items()},
    }
