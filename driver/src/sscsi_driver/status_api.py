"""SecretProviderClassPodStatuses at the API server: written when they change, and never deleted.

The API server's garbage collector takes them with their pod. What was written is remembered, so that a publish that
changes nothing asks nobody.
"""

import copy
import threading
from collections.abc import Mapping
from typing import Any, Final, cast

from lightkube.generic_resource import create_namespaced_resource
from lightkube.types import PatchType

from sscsi_driver.kube import Conflict, Kube, KubeError

STATUS: Final = create_namespaced_resource(
    "secrets-store.csi.x-k8s.io", "v1", "SecretProviderClassPodStatus", "secretproviderclasspodstatuses"
)
_STATUSES: Final = "secretproviderclasspodstatuses"


class ApiStatuses:
    """A StatusSink at an API server; needs the rights to create, get and patch secretproviderclasspodstatuses.

    Args:
        kube: the API server.
    """

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._lock = threading.Lock()
        self._written: dict[tuple[str, str], dict[str, Any]] = {}

    def write(self, status: Mapping[str, Any]) -> bool:
        """See StatusSink. Created; where it is there already, merged into it, if it says anything else."""
        metadata = status["metadata"]
        key = metadata["namespace"], metadata["name"]
        with self._lock:
            if self._written.get(key) == status:
                return False
        try:
            wrote = self._create(status) or self._patch(status)
        except KubeError as error:
            raise OSError(error.said) from error
        with self._lock:
            self._written[key] = copy.deepcopy(dict(status))
        return wrote

    def remove(self, target_path: str) -> None:
        """See StatusSink; the object itself goes with its pod."""
        with self._lock:
            gone = [key for key, status in self._written.items() if status["status"]["targetPath"] == target_path]
            for key in gone:
                del self._written[key]

    def _create(self, status: Mapping[str, Any]) -> bool:
        """Whether it was not there before."""
        body = copy.deepcopy(dict(status))
        try:
            self._kube.ask(
                f"create {_STATUSES}",
                lambda client: client.create(STATUS(**body), namespace=body["metadata"]["namespace"]),
            )
        except Conflict:
            return False
        return True

    def _patch(self, status: Mapping[str, Any]) -> bool:
        """Whether it said anything else: it may be of this pod on another node, or of an older driver."""
        metadata = status["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        found = self._kube.ask(f"get {_STATUSES}", lambda client: client.get(STATUS, name, namespace=namespace))
        there: Mapping[str, Any] = found.to_dict()  # type: ignore[no-untyped-call]
        known = there.get("metadata") or {}
        same = (
            there.get("status") == status["status"]
            and (known.get("labels") or {}).items() >= metadata["labels"].items()
            and [_owner(one) for one in known.get("ownerReferences") or ()] == metadata["ownerReferences"]
        )
        if same:
            return False
        patch = {
            "metadata": {"labels": metadata["labels"], "ownerReferences": metadata["ownerReferences"]},
            "status": status["status"],
        }
        self._kube.ask(
            f"patch {_STATUSES}",
            lambda client: client.patch(
                STATUS, name, cast("Any", patch), namespace=namespace, patch_type=PatchType.MERGE
            ),
        )
        return True


def _owner(reference: Mapping[str, Any]) -> dict[str, Any]:
    return {key: reference.get(key) for key in ("apiVersion", "kind", "name", "uid")}
