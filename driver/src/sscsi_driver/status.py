"""PURE: the SecretProviderClassPodStatus of a volume, as every tool around the driver knows it."""

import hashlib
from collections.abc import Iterable
from typing import Any, Final

from sscsi_shared.mount import ObjectVersion, PodInfo

API_VERSION: Final = "secrets-store.csi.x-k8s.io/v1"
KIND: Final = "SecretProviderClassPodStatus"
_MAX_NAME: Final = 253
_MAX_LABEL: Final = 63
_HASH: Final = 10
NODE_LABEL: Final = "internal.secrets-store.csi.k8s.io/node-name"


def status_name(pod: PodInfo, class_name: str) -> str:
    """The object's name; two volumes of one pod on the same class share one object.

    A name that would be too long for Kubernetes is cut, and ends in a part of its hash.
    """
    return _cut(f"{pod.name}-{pod.namespace}-{class_name}", _MAX_NAME)


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:_HASH]
    return f"{text[: limit - _HASH - 1].rstrip('.-')}-{digest}"


def pod_status(
    pod: PodInfo, class_name: str, target_path: str, versions: Iterable[ObjectVersion], node: str
) -> dict[str, Any]:
    """The object, ready to be written: label of the node, the pod as its one owner, objects sorted by id.

    Args:
        pod: whose volume it is.
        class_name: of the SecretProviderClass in the pod's namespace.
        target_path: the volume's path on the host.
        versions: unique by id.
        node: the node's name.
    """
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": status_name(pod, class_name),
            "namespace": pod.namespace,
            "labels": {NODE_LABEL: _cut(node, _MAX_LABEL)},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": pod.name, "uid": pod.uid}],
        },
        "status": {
            "podName": pod.name,
            "secretProviderClassName": class_name,
            "targetPath": target_path,
            "mounted": True,
            "objects": [
                {"id": version.id, "version": version.version}
                for version in sorted(versions, key=lambda version: version.id)
            ],
        },
    }
