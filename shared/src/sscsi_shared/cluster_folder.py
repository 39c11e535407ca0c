"""The cluster's facts from a folder of YAML: for a laptop, for tests."""

import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NoReturn

from sscsi_shared.cluster import REGION_LABELS, SecretEntry, ServiceAccount, TokenRequest
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import AuthenticationFailed, BackendUnavailable
from sscsi_shared.manifests import Manifest
from sscsi_shared.object_folder import ObjectFolder, Snapshot
from sscsi_shared.secret import SecretBytes, SecretText

_UIDS: Final = uuid.UUID("9f1d5f0e-6d0c-5a57-9b4e-1f6f5d1c3a10")
_MAX_NAMED: Final = 10


class FolderCluster:
    """A Cluster made of ServiceAccounts, Pods and Nodes in files.

    Args:
        folder: see ObjectFolder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = ObjectFolder(folder)
        self._lock = threading.Lock()
        self._made: dict[SecretEntry, SecretBytes] = {}

    def service_account(self, namespace: str, name: str, deadline: Deadline) -> ServiceAccount:
        """See Cluster. An account without a uid has one made of its name, so that it stays the same."""
        del deadline
        snapshot = self._read()
        manifest = snapshot.find("ServiceAccount", namespace, name)
        if manifest is None:
            self._absent(snapshot, f"failed to get service account {namespace}/{name}", "ServiceAccount", namespace)
        metadata = _mapping(manifest, "metadata")
        uid = str(metadata.get("uid") or uuid.uuid5(_UIDS, f"{namespace}/{name}"))
        annotations = metadata.get("annotations")
        return ServiceAccount(
            namespace, name, uid, {str(k): str(v) for k, v in annotations.items()} if annotations else {}
        )

    def node_region(self, namespace: str, pod: str, deadline: Deadline) -> str:
        """See Cluster."""
        del deadline
        snapshot = self._read()
        manifest = snapshot.find("Pod", namespace, pod)
        if manifest is None:
            self._absent(snapshot, f"failed to get pod {namespace}/{pod}", "Pod", namespace)
        node_name = str(_mapping(manifest, "spec").get("nodeName", ""))
        node = snapshot.find("Node", "", node_name)
        if node is None:
            self._absent(snapshot, f"failed to get node {node_name or '(none)'} of pod {namespace}/{pod}", "Node", "")
        labels = _mapping(node, "metadata").get("labels") or {}
        return next((str(labels[label]) for label in REGION_LABELS if labels.get(label)), "")

    def create_token(self, request: TokenRequest, deadline: Deadline) -> SecretText:
        """See Cluster; a folder can't sign."""
        del deadline
        raise AuthenticationFailed(
            f"failed to create {request}: a folder can't sign.",
            hint="Let whoever plays kubelet bring the token, or use an API server.",
        )

    def read_or_create_secret(self, entry: SecretEntry, new: Callable[[], bytes], deadline: Deadline) -> SecretBytes:
        """See Cluster; a folder is not written to: what was made holds for this process."""
        del deadline
        with self._lock:
            return self._made.setdefault(entry, SecretBytes(new()))

    def _read(self) -> Snapshot:
        try:
            return self._folder.read()
        except OSError as error:
            raise BackendUnavailable(
                f"The folder of objects {self._folder.path} can't be read: {error.strerror}."
            ) from error

    def _absent(self, snapshot: Snapshot, what: str, kind: str, namespace: str) -> NoReturn:
        names = snapshot.names(kind, namespace)
        there = ", ".join(names[:_MAX_NAMED]) or "none"
        problems = f" Not read: {' '.join(snapshot.problems[:3])}" if snapshot.problems else ""
        raise AuthenticationFailed(
            f"{what}: not found.", hint=f"The folder {self._folder.path} has of this kind there: {there}.{problems}"
        )


def _mapping(manifest: Manifest, key: str) -> dict[str, Any]:
    value = manifest.body.get(key)
    return value if isinstance(value, dict) else {}
