"""The stand-in's objects: stored by resource, namespace and name, with uid, resourceVersion and creationTimestamp."""

import copy
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sscsi_emulators.kubernetes_patches import JSON, MERGE, PatchFailed, merged, patched

_GROUP: Final = "secrets-store.csi.x-k8s.io"


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource that is served.

    Attributes:
        group: API group; empty for the core.
        versions: that are served; the first is stored.
        plural: as in the path.
        kind: as in the object.
        namespaced: whether its objects live in namespaces.
    """

    group: str
    versions: tuple[str, ...]
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def qualified(self) -> str:
        """Plural and group, as messages name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @classmethod
    def of_kind(cls, kind: str) -> "Resource":
        """The resource of a kind."""
        return next(resource for resource in RESOURCES.values() if resource.kind == kind)


RESOURCES: Final[Mapping[tuple[str, str], Resource]] = {
    (resource.group, resource.plural): resource
    for resource in (
        Resource("", ("v1",), "events", "Event"),
        Resource("", ("v1",), "namespaces", "Namespace", namespaced=False),
        Resource("", ("v1",), "nodes", "Node", namespaced=False),
        Resource("", ("v1",), "pods", "Pod"),
        Resource("", ("v1",), "secrets", "Secret"),
        Resource("", ("v1",), "serviceaccounts", "ServiceAccount"),
        Resource(_GROUP, ("v1", "v1alpha1"), "secretproviderclasses", "SecretProviderClass"),
        Resource(_GROUP, ("v1", "v1alpha1"), "secretproviderclasspodstatuses", "SecretProviderClassPodStatus"),
        Resource("storage.k8s.io", ("v1",), "csidrivers", "CSIDriver", namespaced=False),
        Resource("storage.k8s.io", ("v1",), "csinodes", "CSINode", namespaced=False),
        Resource("authentication.k8s.io", ("v1",), "tokenreviews", "TokenReview", namespaced=False),
    )
}


class Status(Exception):
    """A request that is not answered with its object.

    Attributes:
        code: the HTTP status.
        body: the Status object.
    """

    def __init__(self, code: int, body: dict[str, Any]) -> None:
        super().__init__(body["message"])
        self.code = code
        self.body = body


def failure(code: int, reason: str, message: str, details: Mapping[str, Any] | None = None) -> Status:
    """A Status of the kind Failure."""
    body: dict[str, Any] = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
    }
    if details is not None or reason in {"MethodNotAllowed", "NotAcceptable"}:
        body["details"] = dict(details or {})
    return Status(code, body | {"code": code})


def rfc3339(moment: float) -> str:
    """A time as Kubernetes writes it."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Objects:
    """All objects.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._version = 0
        self._objects: dict[tuple[Resource, str, str], dict[str, Any]] = {}

    def apply(self, body: Mapping[str, Any]) -> None:
        """Create or replace an object; one of a kind that we don't serve is left out."""
        group = str(body["apiVersion"]).rpartition("/")[0]
        for resource in RESOURCES.values():
            if (resource.group, resource.kind) == (group, body["kind"]):
                metadata = body["metadata"]
                namespace = metadata.get("namespace", "default") if resource.namespaced else ""
                old = self.find(resource, namespace, metadata["name"])
                uid = metadata.get("uid") or (old["metadata"]["uid"] if old else "")
                self._store(resource, namespace, body, uid)

    def create(self, resource: Resource, namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object.

        Raises:
            Status: 409 if there is one of that name.
        """
        name = str((body.get("metadata") or {}).get("name", ""))
        if self.find(resource, namespace, name) is not None:
            raise failure(
                409,
                "AlreadyExists",
                f'{resource.qualified} "{name}" already exists',
                {"name": name, **({"group": resource.group} if resource.group else {}), "kind": resource.plural},
            )
        return self._store(resource, namespace, body, "")

    def find(self, resource: Resource, namespace: str, name: str) -> dict[str, Any] | None:
        """The object, or None."""
        with self._lock:
            return copy.deepcopy(self._objects.get((resource, namespace, name)))

    def require(self, resource: Resource, namespace: str, name: str) -> dict[str, Any]:
        """The object.

        Raises:
            Status: 404.
        """
        found = self.find(resource, namespace, name)
        if found is None:
            details = {"name": name, **({"group": resource.group} if resource.group else {}), "kind": resource.plural}
            raise failure(404, "NotFound", f'{resource.qualified} "{name}" not found', details)
        return found

    def list(self, resource: Resource, namespace: str) -> dict[str, Any]:
        """The objects of a namespace, or of all where none is named."""
        with self._lock:
            items = [
                copy.deepcopy(body)
                for (kind, where, _), body in sorted(self._objects.items(), key=lambda item: item[0][1:])
                if kind == resource and namespace in {"", where}
            ]
            version = self._version
        for item in items:
            item.pop("kind"), item.pop("apiVersion")
        api = f"{resource.group}/{resource.versions[0]}".removeprefix("/")
        return {
            "kind": f"{resource.kind}List",
            "apiVersion": api,
            "metadata": {"resourceVersion": str(version)},
            "items": items,
        }

    def patch(self, resource: Resource, namespace: str, name: str, kind: str, patch: Any) -> dict[str, Any]:
        """Change an object; a patch that changes nothing leaves its resourceVersion alone.

        Args:
            resource: of what.
            namespace: where.
            name: of the object.
            kind: the patch's content type.
            patch: its body.

        Raises:
            Status: 404, 415 for another kind of patch, 422 if a test fails or a path is not there.
        """
        old = self.require(resource, namespace, name)
        try:
            if kind == MERGE:
                new = merged(old, patch)
            elif kind == JSON:
                new = patched(old, patch)
            else:
                raise failure(415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {kind}")
        except PatchFailed as error:
            text = "the server rejected our request due to an error in our request"
            raise failure(422, "Invalid", text, {}) from error
        if new == old:
            return old
        return self._store(resource, namespace, new, old["metadata"]["uid"], old["metadata"]["creationTimestamp"])

    def delete(self, resource: Resource, namespace: str, name: str) -> dict[str, Any]:
        """Remove an object; what it was.

        Raises:
            Status: 404.
        """
        found = self.require(resource, namespace, name)
        with self._lock:
            self._objects.pop((resource, namespace, name), None)
        return found

    def _store(
        self, resource: Resource, namespace: str, body: Mapping[str, Any], uid: str, created: str = ""
    ) -> dict[str, Any]:
        stored = copy.deepcopy(dict(body))
        with self._lock:
            self._version += 1
            metadata = {**(body.get("metadata") or {})}
            name = metadata.pop("name")
            metadata.pop("namespace", None)
            stored["metadata"] = {
                "name": name,
                **({"namespace": namespace} if namespace else {}),
                **metadata,
                "uid": uid or str(uuid.uuid4()),
                "resourceVersion": str(self._version),
                "creationTimestamp": created or rfc3339(self._now()),
            }
            stored = {"kind": body["kind"], "apiVersion": body["apiVersion"], **stored}
            self._objects[(resource, namespace, name)] = stored
        return copy.deepcopy(stored)
