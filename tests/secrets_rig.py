"""Secrets of a cluster for tests of the driver: the stand-in's objects, asked without HTTP."""

from collections.abc import Callable, Mapping
from typing import Any

from sscsi_driver.classes import SecretProviderClass, not_found
from sscsi_driver.events import Event
from sscsi_driver.kube import Conflict, Forbidden, Invalid, KubeError
from sscsi_driver.secret_writing import FIELD_MANAGER, AddOwners, Apply
from sscsi_emulators.kubernetes_apply import APPLY
from sscsi_emulators.kubernetes_objects import SECRET, Objects, Resource
from sscsi_emulators.kubernetes_patches import MERGE
from sscsi_emulators.kubernetes_status import Status
from sscsi_shared.api_status import told
from sscsi_shared.mount import PodInfo

NAMESPACE = "shop"
_KINDS = {403: Forbidden, 409: Conflict, 422: Invalid}


class ClusterOfObjects:
    """A ClusterSecrets.

    Attributes:
        objects: what is there.
        reads: how often something was asked for.
        writes: how often a Secret was written.
        before: is called before each question.
        refusals: answers in place of the next writes.
    """

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self.reads = 0
        self.writes = 0
        self.before: Callable[[], object] = lambda: None
        self.refusals: list[KubeError] = []

    def pod(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        return self._find("Pod", namespace, name)

    def status_uid(self, namespace: str, name: str) -> str | None:
        found = self._find("SecretProviderClassPodStatus", namespace, name)
        return None if found is None else found["metadata"]["uid"]

    def secret(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        return self._find("Secret", namespace, name)

    def write(self, namespace: str, name: str, write: Apply | AddOwners) -> None:
        self.before()
        if self.refusals:
            raise self.refusals.pop(0)
        whole = isinstance(write, Apply)
        try:
            kind = APPLY if whole else MERGE
            self.objects.patch(SECRET, namespace, name, kind, write.body, FIELD_MANAGER, force=whole)
        except Status as error:
            raise _KINDS.get(error.code, KubeError)("patch secrets", told(error.code, error.body)) from error
        self.writes += 1

    def _find(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        self.before()
        self.reads += 1
        return self.objects.find(Resource.of_kind(kind), namespace, name)


class OneClassEach:
    """A Classes of a dictionary."""

    def __init__(self) -> None:
        self.there: dict[str, SecretProviderClass] = {}

    def add(self, name: str, *entries: Mapping[str, Any]) -> None:
        self.there[name] = SecretProviderClass(NAMESPACE, name, "aws", {"objects": "x"}, secret_objects=entries)

    def get(self, namespace: str, name: str) -> SecretProviderClass:
        if name not in self.there:
            raise not_found(namespace, name, (), ())
        return self.there[name]

    def driver_object(self, driver_name: str) -> None:
        return None


class Told:
    """An Events that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Event]] = []

    def tell(self, pod: PodInfo, event: Event) -> None:
        self.events.append((pod.name, event))


def entry(name: str = "db", kind: str = "Opaque", **keys: str) -> dict[str, Any]:
    """An entry of secretObjects; keys are key=file."""
    data = [{"key": key, "objectName": file} for key, file in (keys or {"password": "password"}).items()]
    return {"secretName": name, "type": kind, "data": data}


def owner(kind: str, name: str, uid: str) -> dict[str, str]:
    """Of a pod."""
    return {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid}
