"""Classes from the API server: read when a pod asks for one, kept for a short while, never watched."""

import time
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from lightkube import Client
from lightkube.generic_resource import create_global_resource, create_namespaced_resource

from sscsi_driver.attributes import DriverObject
from sscsi_driver.classes import SecretProviderClass, class_of, driver_of, not_found
from sscsi_driver.kept import Kept
from sscsi_driver.kube import Absent, Kube, KubeError
from sscsi_shared.deadline import Clock

GROUP: Final = "secrets-store.csi.x-k8s.io"
_MAX_NAMED: Final = 20
_GET: Final = "get secretproviderclasses"
# The stored version first; clusters whose CRD is older serve only the other one.
_VERSIONS: Final = tuple(
    create_namespaced_resource(GROUP, version, "SecretProviderClass", "secretproviderclasses")
    for version in ("v1", "v1alpha1")
)
_DRIVER: Final = create_global_resource("storage.k8s.io", "v1", "CSIDriver", "csidrivers")


class ApiClasses:
    """A Classes at an API server; needs the rights to get and list secretproviderclasses, and to get csidrivers.

    Args:
        kube: the API server.
        clock: seconds that only grow.
    """

    def __init__(self, kube: Kube, clock: Clock = time.monotonic) -> None:
        self._kube = kube
        self._classes: Kept[SecretProviderClass] = Kept(clock)
        self._drivers: Kept[DriverObject | None] = Kept(clock)

    def get(self, namespace: str, name: str) -> SecretProviderClass:
        """See Classes, and Kept for how long one is kept."""
        return self._classes.get(f"class {namespace}/{name}", lambda: self._read(namespace, name))

    def driver_object(self, driver_name: str) -> DriverObject | None:
        """See Classes, and Kept for how long it is kept."""
        return self._drivers.get(f"the CSIDriver object {driver_name}", lambda: self._read_driver(driver_name))

    def _read_driver(self, name: str) -> DriverObject | None:
        try:
            return driver_of(self._kube.ask("get csidrivers", lambda client: client.get(_DRIVER, name)))
        except Absent:
            return None

    def _read(self, namespace: str, name: str) -> SecretProviderClass:
        for version in _VERSIONS:
            try:
                body: Mapping[str, Any] = self._kube.ask(_GET, partial(_get, version, namespace, name))
            except Absent:
                continue
            return class_of(body, namespace, name)
        raise not_found(namespace, name, self._names(namespace), ())

    def _names(self, namespace: str) -> list[str]:
        """Classes of a namespace, for a message; none where we may not list them."""
        try:
            found = self._kube.ask(
                "list secretproviderclasses", lambda client: list(client.list(_VERSIONS[0], namespace=namespace))
            )
        except KubeError:
            return []
        return sorted(one.metadata.name for one in found[:_MAX_NAMED] if one.metadata and one.metadata.name)


def _get(version: Any, namespace: str, name: str, client: Client) -> Mapping[str, Any]:
    found: Mapping[str, Any] = client.get(version, name, namespace=namespace)
    return found
