"""This node's objects at the API server: its CSINode, its taints, its pods. Asked for rarely, and never watched."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from lightkube.generic_resource import create_global_resource, create_namespaced_resource
from lightkube.types import PatchType

from sscsi_driver.classes import REFRESH_ANNOTATION
from sscsi_driver.kube import Absent, Forbidden, Invalid, Kube, KubeError
from sscsi_driver.said import Said

log = logging.getLogger(__name__)

# Generic resources are plain JSON: a taint goes back in the patch exactly as it came.
_NODE: Final = create_global_resource("", "v1", "Node", "nodes")
_CSI_NODE: Final = create_global_resource("storage.k8s.io", "v1", "CSINode", "csinodes")
POD: Final = create_namespaced_resource("", "v1", "Pod", "pods")
_CHUNK: Final = 500
_METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
_STATIC_POD: Final = "kubernetes.io/config.hash"
"""Annotation of a mirror pod: the uid that kubelet itself uses for the static pod."""


class ApiNode:
    """A NodeObjects, a PodsOfNode and a PodWords, at an API server.

    Args:
        kube: the API server.
        node: the node's name.
    """

    def __init__(self, kube: Kube, node: str) -> None:
        self._kube = kube
        self._node = node
        self._said = Said()

    def registered(self) -> frozenset[str]:
        """See NodeObjects; a CSINode that does not exist yet lists nobody."""
        try:
            found = self._kube.ask(
                f"read csinodes for node {self._node}", lambda client: client.get(_CSI_NODE, self._node)
            )
        except Absent:
            return frozenset()
        return frozenset(one["name"] for one in _spec(found).get("drivers") or () if "name" in one)

    def taints(self) -> list[dict[str, Any]] | None:
        """See NodeObjects."""
        try:
            found = self._kube.ask(f"read nodes for node {self._node}", lambda client: client.get(_NODE, self._node))
        except Forbidden:
            return None
        return [dict(taint) for taint in _spec(found).get("taints") or ()]

    def patch_taints(self, patch: Sequence[Mapping[str, Any]]) -> bool:
        """See NodeObjects."""
        operations = cast("Any", list(patch))
        try:
            self._kube.ask(
                f"patch nodes for node {self._node}",
                lambda client: client.patch(_NODE, self._node, operations, patch_type=PatchType.JSON),
            )
        except Invalid:  # in a JSON patch mostly its test (recording 12)
            return False
        return True

    def uids(self) -> frozenset[str] | None:
        """See PodsOfNode; a static pod is known by the uid that kubelet gave it too."""
        try:
            pods = self._kube.ask(
                f"list pods for node {self._node}",
                lambda client: list(
                    client.list(POD, namespace="*", fields={"spec.nodeName": self._node}, chunk_size=_CHUNK)
                ),
            )
        except KubeError as error:
            if self._said.is_news("uids", "silent"):
                log.warning("nobody knows whose volumes are on this node; they stay: %s", error.message)
            return None
        self._said.over("uids")
        metadata = [pod.metadata for pod in pods if pod.metadata is not None]
        return frozenset(uid for one in metadata for uid in _uids(one.uid, one.annotations))

    def refresh_words(self) -> Mapping[str, str] | None:
        """See PodWords: one request for the pods' metadata alone, answered from the API server's memory.

        A resourceVersion of 0 says that an older state will do; what that misses comes with the next look.
        """
        try:
            found = self._kube.read(
                f"list pods for node {self._node}",
                "/api/v1/pods",
                {"fieldSelector": f"spec.nodeName={self._node}", "resourceVersion": "0"},
                _METADATA_ONLY,
            )
        except KubeError as error:
            if self._said.is_news("words", error.said):
                log.warning("the annotation %s of pods is not seen: %s", REFRESH_ANNOTATION, error.message)
            return None
        self._said.over("words")
        words: dict[str, str] = {}
        for pod in found.get("items") or ():
            metadata = pod.get("metadata") or {}
            annotations = metadata.get("annotations") or {}
            word = annotations.get(REFRESH_ANNOTATION) or ""
            words.update(dict.fromkeys(_uids(metadata.get("uid"), annotations), word))
        return words


def _uids(uid: str | None, annotations: Mapping[str, str] | None) -> Iterator[str]:
    """By what kubelet may know a pod: a static one by the hash of its configuration."""
    yield from filter(None, (uid, (annotations or {}).get(_STATIC_POD)))


def _spec(found: Mapping[str, Any]) -> Mapping[str, Any]:
    spec = found.get("spec")
    return spec if isinstance(spec, Mapping) else {}
