"""This node's objects at the API server: its CSINode, its taints, its pods. Asked rarely, and never watched."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar, cast

import grpc
import httpx2
from lightkube import ApiError, Client, KubeConfig
from lightkube.core.exceptions import ConfigError
from lightkube.generic_resource import create_global_resource, create_namespaced_resource
from lightkube.types import PatchType

from sscsi_driver.errors import ErrorType, PublishError

log = logging.getLogger(__name__)

T = TypeVar("T")

# Generic resources are plain JSON: a taint goes back in the patch exactly as it came.
_NODE: Final = create_global_resource("", "v1", "Node", "nodes")
_CSI_NODE: Final = create_global_resource("storage.k8s.io", "v1", "CSINode", "csinodes")
_POD: Final = create_namespaced_resource("", "v1", "Pod", "pods")
_TIMEOUT_SECONDS: Final = 10.0
_NOT_FOUND: Final = 404
_TEST_FAILED: Final = 422
_CHUNK: Final = 500
_STATIC_POD: Final = "kubernetes.io/config.hash"
"""Annotation of a mirror pod: the uid that kubelet itself uses for the static pod."""


def connect(kubeconfig: str) -> Client:
    """A client of the API server: of a kubeconfig file, or of the cluster that this pod runs in.

    Raises:
        OSError: the kubeconfig, or the pod's own token, can't be used.
    """
    try:
        config = KubeConfig.from_file(kubeconfig) if kubeconfig else KubeConfig.from_service_account()
        return Client(config=config, timeout=httpx2.Timeout(_TIMEOUT_SECONDS), trust_env=False)
    except ConfigError as error:
        raise OSError(f"the API server can't be reached: {error}") from error


class ApiNode:
    """A NodeObjects and a PodsOfNode, at an API server.

    Args:
        client: of the API server.
        node: the node's name.
    """

    def __init__(self, client: Client, node: str) -> None:
        self._client = client
        self._node = node
        self._silent = False

    def registered(self) -> frozenset[str]:
        """See NodeObjects; a CSINode that does not exist yet lists nobody."""
        try:
            found = self._ask("read", "csinodes", lambda: self._client.get(_CSI_NODE, self._node))
        except _Absent:
            return frozenset()
        return frozenset(one["name"] for one in _spec(found).get("drivers") or () if "name" in one)

    def taints(self) -> list[dict[str, Any]]:
        """See NodeObjects."""
        found = self._ask("read", "nodes", lambda: self._client.get(_NODE, self._node))
        return [dict(taint) for taint in _spec(found).get("taints") or ()]

    def patch_taints(self, patch: Sequence[Mapping[str, Any]]) -> bool:
        """See NodeObjects."""
        operations = cast("Any", list(patch))
        try:
            self._ask(
                "patch",
                "nodes",
                lambda: self._client.patch(_NODE, self._node, operations, patch_type=PatchType.JSON),
            )
        except _TestFailed:
            return False
        return True

    def uids(self) -> frozenset[str] | None:
        """See PodsOfNode; a static pod is known by the uid that kubelet gave it too."""
        try:
            pods = self._ask(
                "list",
                "pods",
                lambda: list(
                    self._client.list(_POD, namespace="*", fields={"spec.nodeName": self._node}, chunk_size=_CHUNK)
                ),
            )
        except PublishError as error:
            if not self._silent:
                log.warning("nobody knows whose volumes are on this node; they stay: %s", error.message)
            self._silent = True
            return None
        self._silent = False
        metadata = [pod.metadata for pod in pods]
        own = {one.uid for one in metadata if one is not None and one.uid}
        static = {(one.annotations or {}).get(_STATIC_POD) for one in metadata if one is not None}
        return frozenset(own | {uid for uid in static if uid})

    def _ask(self, verb: str, resource: str, ask: Callable[[], T]) -> T:
        """Ask, and say failures as ours; the API server's words are a Status's message, never a body."""
        try:
            return ask()
        except ApiError as error:
            code, message = error.status.code, error.status.message or ""
            kind = {_NOT_FOUND: _Absent, _TEST_FAILED: _TestFailed}.get(code or 0, PublishError)
            raise kind(
                f"failed to {verb} {resource} for node {self._node}: {message[:512]}",
                code=grpc.StatusCode.UNAVAILABLE,
                error_type=ErrorType.INTERNAL,
            ) from error
        except (httpx2.HTTPError, ConfigError, OSError, ValueError) as error:
            raise PublishError(
                f"failed to {verb} {resource} for node {self._node}: the API server did not answer "
                f"({type(error).__name__})",
                code=grpc.StatusCode.UNAVAILABLE,
                error_type=ErrorType.INTERNAL,
            ) from error


class _Absent(PublishError):
    """404."""


class _TestFailed(PublishError):
    """422: in a JSON patch, mostly its test (recording 12)."""


def _spec(found: Mapping[str, Any]) -> Mapping[str, Any]:
    spec = found.get("spec")
    return spec if isinstance(spec, Mapping) else {}
