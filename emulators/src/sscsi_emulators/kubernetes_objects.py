"""The stand-in's objects: stored by resource, namespace and name, with uid, resourceVersion and creationTimestamp."""

import copy
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sscsi_emulators import kubernetes_secrets
from sscsi_emulators.kubernetes_apply import APPLY, Managers, updated
from sscsi_emulators.kubernetes_applying import apply_secret
from sscsi_emulators.kubernetes_garbage import living
from sscsi_emulators.kubernetes_patches import JSON, MERGE, PatchFailed, merged, patched
from sscsi_emulators.kubernetes_status import failure

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

    def details(self, name: str) -> dict[str, str]:
        """An object of it, as a Status names it."""
        return {"name": name, **({"group": self.group} if self.group else {}), "kind": self.plural}

    @classmethod
    def of_kind(cls, kind: str) -> "Resource":
        """The resource of a kind."""
        return next(resource for resource in RESOURCES.values() if resource.kind == kind)


RESOURCES: Final[Mapping[tuple[str, str], Resource]] = {
    (resource.group, resource.plural): resource
    for resource in (
        Resource("", ("v1",), "configmaps", "ConfigMap"),
        Resource("", ("v1",), "events", "Event"),
        Resource("", ("v1",), "namespaces", "Namespace", namespaced=False),
        Resource("", ("v1",), "nodes", "Node", namespaced=False),
        Resource("", ("v1",), "pods", "Pod"),
        Resource("", ("v1",), "secrets", "Secret"),
        Resource("", ("v1",), "serviceaccounts", "ServiceAccount"),
        Resource("apps", ("v1",), "replicasets", "ReplicaSet"),
        Resource(_GROUP, ("v1", "v1alpha1"), "secretproviderclasses", "SecretProviderClass"),
        Resource(_GROUP, ("v1", "v1alpha1"), "secretproviderclasspodstatuses", "SecretProviderClassPodStatus"),
        Resource("storage.k8s.io", ("v1",), "csidrivers", "CSIDriver", namespaced=False),
        Resource("storage.k8s.io", ("v1",), "csinodes", "CSINode", namespaced=False),
        Resource("authentication.k8s.io", ("v1",), "tokenreviews", "TokenReview", namespaced=False),
    )
}


def rfc3339(moment: float) -> str:
    """A time as Kubernetes writes it."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


SECRET: Final = RESOURCES["", "secrets"]


class Objects:
    """All objects.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.RLock()
        self._version = 0
        self._objects: dict[tuple[Resource, str, str], dict[str, Any]] = {}
        self._managers: dict[str, Managers] = {}

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

    def create(
        self, resource: Resource, namespace: str, body: Mapping[str, Any], manager: str = "client"
    ) -> dict[str, Any]:
        """Create an object.

        Raises:
            Status: 409 if there is one of that name; what kubernetes_secrets.py says of a Secret.
        """
        name = str((body.get("metadata") or {}).get("name", ""))
        with self._lock:
            if self.find(resource, namespace, name) is not None:
                raise failure(
                    409, "AlreadyExists", f'{resource.qualified} "{name}" already exists', resource.details(name)
                )
            if (body.get("metadata") or {}).get("resourceVersion"):
                raise failure(500, "", "resourceVersion should not be set on objects to be created")
            new = _kept(resource, body)
            if resource == SECRET:
                kubernetes_secrets.check(new, None)
            stored = self._store(resource, namespace, new, "")
            self._managers[stored["metadata"]["uid"]] = updated({}, new, {}, manager)
            return stored

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
            raise failure(404, "NotFound", f'{resource.qualified} "{name}" not found', resource.details(name))
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

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        kind: str,
        patch: Any,
        manager: str = "client",
        *,
        force: bool = False,
    ) -> dict[str, Any]:
        """Change an object, or make one by an apply; what changes nothing leaves its resourceVersion alone.

        Args:
            resource: of what.
            namespace: where.
            name: of the object.
            kind: the patch's content type.
            patch: its body.
            manager: who patches.
            force: whether an apply takes fields of others.

        Raises:
            Status: 404; 415 for another kind of patch; 422 if a test fails or a path is not there; 409 if it names a
                resourceVersion that is no longer; what kubernetes_secrets.py says of a Secret.
        """
        with self._lock:
            if kind == APPLY and resource == SECRET:
                return self._apply(namespace, name, patch, manager, force=force)
            old = self.require(resource, namespace, name)
            new = _kept(resource, _patched(old, kind, patch))
            self._check_version(resource, new, old)
            if resource == SECRET:
                kubernetes_secrets.check(new, old)
            uid = old["metadata"]["uid"]
            self._managers[uid] = updated(old, new, self._managers.get(uid, {}), manager)
            return self._replace(resource, namespace, new, old)

    def _apply(self, namespace: str, name: str, body: Any, manager: str, *, force: bool) -> dict[str, Any]:
        old = self.find(SECRET, namespace, name)
        uid = old["metadata"]["uid"] if old is not None else ""
        managers = self._managers.get(uid, {})
        new, after = apply_secret(old, managers, body, (namespace, name, manager), force=force)
        if old is None:
            stored = self._store(SECRET, namespace, new, "")
        else:
            self._check_version(SECRET, {"metadata": body.get("metadata") or {}}, old)
            kubernetes_secrets.check(new, old)
            stored = self._replace(SECRET, namespace, new, old, touched=after != managers)
        self._managers[stored["metadata"]["uid"]] = after
        return stored

    def _check_version(self, resource: Resource, new: Mapping[str, Any], old: Mapping[str, Any]) -> None:
        named = new["metadata"].get("resourceVersion")
        if named not in {None, old["metadata"]["resourceVersion"]}:
            name = old["metadata"]["name"]
            raise failure(
                409,
                "Conflict",
                f'Operation cannot be fulfilled on {resource.qualified} "{name}": the object has been modified; please '
                "apply your changes to the latest version and try again",
                resource.details(name),
            )

    def _replace(
        self, resource: Resource, namespace: str, new: dict[str, Any], old: dict[str, Any], *, touched: bool = False
    ) -> dict[str, Any]:
        if new == old and not touched:
            return old
        return self._store(resource, namespace, new, old["metadata"]["uid"], old["metadata"]["creationTimestamp"])

    def collect(self) -> None:
        """Let the garbage collector look at everything, until it finds nothing more to take."""
        while self._collect_once():
            pass

    def _collect_once(self) -> bool:
        with self._lock:
            for (resource, namespace, name), body in list(self._objects.items()):
                left = living(body, self._uid)
                if left is None:
                    continue
                if left:
                    body["metadata"]["ownerReferences"] = copy.deepcopy(left)
                    self._version += 1
                    body["metadata"]["resourceVersion"] = str(self._version)
                else:
                    del self._objects[(resource, namespace, name)]
                return True
        return False

    def _uid(self, api_version: str, kind: str, namespace: str, name: str) -> str | None:
        group, _, version = api_version.rpartition("/")
        for resource in RESOURCES.values():
            if (resource.group, resource.kind) == (group, kind) and version in resource.versions:
                found = self._objects.get((resource, namespace if resource.namespaced else "", name))
                return found["metadata"]["uid"] if found is not None else ""
        return None

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


def _kept(resource: Resource, body: Mapping[str, Any]) -> dict[str, Any]:
    """As it is kept; of a Secret what kubernetes_secrets.stored makes of it."""
    new = copy.deepcopy(dict(body))
    if owners := (new.get("metadata") or {}).get("ownerReferences"):
        by_uid = {owner.get("uid"): owner for owner in reversed(owners)}
        new["metadata"]["ownerReferences"] = [one for one in owners if by_uid.pop(one.get("uid"), None) is not None]
    elif isinstance(new.get("metadata"), dict):
        new["metadata"].pop("ownerReferences", None)
    if resource != SECRET:
        return new
    try:
        return kubernetes_secrets.stored(new)
    except ValueError as error:
        raise failure(400, "BadRequest", f'Secret in version "v1" cannot be handled as a Secret: {error}') from error


def _patched(old: Mapping[str, Any], kind: str, patch: Any) -> dict[str, Any]:
    try:
        if kind == MERGE:
            found: dict[str, Any] = merged(old, patch)
            return found
        if kind == JSON:
            return patched(old, patch)
    except PatchFailed as error:
        text = "the server rejected our request due to an error in our request"
        raise failure(422, "Invalid", text, {}) from error
    raise failure(415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {kind}")
