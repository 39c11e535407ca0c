"""PURE: the SecretProviderClassPodStatus of a volume, as every tool around the driver knows it."""

from collections.abc import Iterable
from typing import Any, Final

from sscsi_shared.mount import ObjectVersion, PodInfo

API_VERSION: Final = "secrets-store.csi.x-k8s.io/v1"
KIND: Final = "SecretProviderClassPodStatus"
NODE_LABEL: Final = "internal.secrets-store.csi.k8s.io/node-name"


def status_name(pod: PodInfo, class_name: str) -> str:
    """The object's name; two volumes of one pod on the same class share one object."""
    return f"{pod.name}-{pod.namespace}-{class_name}"


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
            "labels": {NODE_LABEL: node},
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
