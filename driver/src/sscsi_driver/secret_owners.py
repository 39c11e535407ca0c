"""PURE: who keeps a synced Secret alive: what owns the pod, or the pod's own status object where nothing does.

So a Deployment's Secret lives as long as one of its ReplicaSets, a bare pod's as long as the pod. Each entry is an
exact copy: the garbage collector takes an object whose owner has the right uid and another name (recording 06).
"""

from collections.abc import Mapping
from typing import Any, Final

from sscsi_driver.secret_writing import Owner
from sscsi_driver.status import API_VERSION, KIND

_STATIC_POD: Final = "kubernetes.io/config.hash"
"""Annotation of a mirror pod: the uid that kubelet itself uses for the static pod."""
_FIELDS: Final = ("apiVersion", "kind", "name", "uid")
_ENDED: Final = frozenset({"Succeeded", "Failed"})


def is_pod(body: Mapping[str, Any], uid: str) -> bool:
    """Whether the object is the pod that kubelet means, and no later one of the same name."""
    metadata = body.get("metadata") or {}
    return uid in {metadata.get("uid"), (metadata.get("annotations") or {}).get(_STATIC_POD)}


def needs_secrets(body: Mapping[str, Any]) -> bool:
    """Whether the pod has not come to its end."""
    ended = (body.get("status") or {}).get("phase") in _ENDED
    return not ended and not (body.get("metadata") or {}).get("deletionTimestamp")


def owners_of(body: Mapping[str, Any]) -> list[Owner]:
    """What owns the pod; empty for a bare one. controller and blockOwnerDeletion are the pod's matter."""
    found = (body.get("metadata") or {}).get("ownerReferences") or ()
    return [{field: str(one.get(field, "")) for field in _FIELDS} for one in found]


def status_owner(name: str, uid: str) -> Owner:
    """The SecretProviderClassPodStatus as an owner."""
    return {"apiVersion": API_VERSION, "kind": KIND, "name": name, "uid": uid}
