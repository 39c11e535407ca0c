"""Secrets at the API server, and what says who owns them. Secrets are got by name, never listed, never watched."""

from collections.abc import Mapping
from typing import Any, Final, Protocol, cast

from lightkube.generic_resource import create_namespaced_resource
from lightkube.types import PatchType

from sscsi_driver.kube import Absent, Kube
from sscsi_driver.node_objects import POD
from sscsi_driver.secret_writing import FIELD_MANAGER, AddOwners, Apply
from sscsi_driver.status_api import STATUS

_SECRET: Final = create_namespaced_resource("", "v1", "Secret", "secrets")


class ClusterSecrets(Protocol):
    """Where Secrets go."""

    def pod(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """The pod of that name; None if there is none.

        Raises:
            KubeError: it can't be known.
        """

    def status_uid(self, namespace: str, name: str) -> str | None:
        """The uid of a SecretProviderClassPodStatus; None if there is none.

        Raises:
            KubeError: it can't be known.
        """

    def secret(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """The Secret of that name; None if there is none.

        Raises:
            KubeError: it can't be known.
        """

    def write(self, namespace: str, name: str, write: Apply | AddOwners) -> None:
        """Write to a Secret.

        Raises:
            Conflict: somebody else has written since it was read.
            KubeError: it could not be written; the text quotes no content.
        """


class ApiSecrets:
    """A ClusterSecrets at an API server; needs the rights to get, create and patch secrets, and to get pods.

    Args:
        kube: the API server.
    """

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    def pod(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """See ClusterSecrets."""
        return self._get("pods", POD, namespace, name)

    def status_uid(self, namespace: str, name: str) -> str | None:
        """See ClusterSecrets."""
        found = self._get("secretproviderclasspodstatuses", STATUS, namespace, name)
        return None if found is None else str(found["metadata"]["uid"])

    def secret(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """See ClusterSecrets."""
        return self._get("secrets", _SECRET, namespace, name)

    def write(self, namespace: str, name: str, write: Apply | AddOwners) -> None:
        """See ClusterSecrets."""
        body, whole = cast("Any", write.body), isinstance(write, Apply)
        self._kube.ask(
            "patch secrets",
            lambda client: client.patch(
                _SECRET,
                name,
                body,
                namespace=namespace,
                patch_type=PatchType.APPLY if whole else PatchType.MERGE,
                field_manager=FIELD_MANAGER,
                force=whole,
            ),
        )

    def _get(self, plural: str, resource: Any, namespace: str, name: str) -> Mapping[str, Any] | None:
        try:
            found: Mapping[str, Any] = self._kube.ask(
                f"get {plural}", lambda client: client.get(resource, name, namespace=namespace).to_dict()
            )
        except Absent:
            return None
        return found
