"""What kubelet sends to a CSI driver for an inline volume, and what the driver would send to a provider."""

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc

from sscsi_driver.csi import csi_pb2, csi_pb2_grpc
from sscsi_shared.secret import SecretText
from sscsi_shared.v1alpha1 import provider_pb2, provider_pb2_grpc

_CSI: Final = "csi.storage.k8s.io/"
_PODS: Final = uuid.UUID("3c1f3f0f-9d4b-5b0a-8d0e-0d9a0f6d7c11")
_MAX_ANSWER: Final = 64 << 20
_PARENT_MODE: Final = 0o750


@dataclass(frozen=True, slots=True)
class PodVolume:
    """One inline volume of one pod.

    Attributes:
        namespace: of the pod.
        pod: its name.
        service_account: its service account.
        class_name: `secretProviderClass` of the volume.
        volume: the volume's name in the pod.
        uid: the pod's; by default one made of namespace and name, so that it stays the same.
        tokens: by audience.
        attributes: other volumeAttributes.
    """

    namespace: str
    pod: str
    service_account: str
    class_name: str
    volume: str = "secrets-store-inline"
    uid: str = ""
    tokens: Mapping[str, SecretText] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def pod_uid(self) -> str:
        """The pod's uid."""
        return self.uid or str(uuid.uuid5(_PODS, f"{self.namespace}/{self.pod}"))

    @property
    def volume_id(self) -> str:
        """As kubelet makes it of pod and volume."""
        return "csi-" + hashlib.sha256(f"{self.pod_uid}{self.volume}".encode()).hexdigest()

    def target(self, kubelet_root: Path) -> Path:
        """The volume's path on the host."""
        return kubelet_root / "pods" / self.pod_uid / "volumes" / "kubernetes.io~csi" / self.volume / "mount"

    def context(self) -> dict[str, str]:
        """The volume context, with the tokens in the clear."""
        context = dict(self.attributes) | {
            "secretProviderClass": self.class_name,
            f"{_CSI}pod.name": self.pod,
            f"{_CSI}pod.namespace": self.namespace,
            f"{_CSI}pod.uid": self.pod_uid,
            f"{_CSI}serviceAccount.name": self.service_account,
            f"{_CSI}ephemeral": "true",
        }
        if self.tokens:
            context[f"{_CSI}serviceAccount.tokens"] = json.dumps(
                {audience: {"token": token.reveal()} for audience, token in self.tokens.items()}
            )
        return context


class Kubelet:
    """A client of the driver's socket, from `with` to its end."""

    def __init__(self, socket: Path, root: Path, timeout: float = 120.0) -> None:
        self._channel = _channel(socket)
        self._node: Any = csi_pb2_grpc.NodeStub(self._channel)  # type: ignore[no-untyped-call]  # generated
        self._root = root
        self._timeout = timeout

    def __enter__(self) -> "Kubelet":  # noqa: PYI034
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def publish(self, volume: PodVolume) -> Path:
        """NodePublishVolume; where the volume is.

        Raises:
            grpc.RpcError: it failed.
        """
        target = volume.target(self._root)
        target.parent.mkdir(parents=True, exist_ok=True, mode=_PARENT_MODE)
        capability = csi_pb2.VolumeCapability(
            mount=csi_pb2.VolumeCapability.MountVolume(),
            access_mode=csi_pb2.VolumeCapability.AccessMode(
                mode=csi_pb2.VolumeCapability.AccessMode.Mode.SINGLE_NODE_WRITER
            ),
        )
        request = csi_pb2.NodePublishVolumeRequest(
            volume_id=volume.volume_id,
            target_path=str(target),
            volume_capability=capability,
            readonly=True,
            volume_context=volume.context(),
        )
        self._node.NodePublishVolume(request, timeout=self._timeout)
        return target

    def unpublish(self, volume: PodVolume) -> None:
        """NodeUnpublishVolume.

        Raises:
            grpc.RpcError: it failed.
        """
        target = volume.target(self._root)
        self._node.NodeUnpublishVolume(
            csi_pb2.NodeUnpublishVolumeRequest(volume_id=volume.volume_id, target_path=str(target)),
            timeout=self._timeout,
        )


def mount_request(volume: PodVolume, parameters: Mapping[str, str], kubelet_root: Path) -> provider_pb2.MountRequest:
    """What the driver would send to the provider."""
    return provider_pb2.MountRequest(
        attributes=json.dumps(dict(parameters) | volume.context()),
        secrets="null",
        target_path=str(volume.target(kubelet_root)),
        permission="420",
    )


def ask_provider(socket: Path, request: provider_pb2.MountRequest, timeout: float) -> provider_pb2.MountResponse:
    """Call Mount on a provider's socket.

    Raises:
        grpc.RpcError: it failed.
    """
    with _channel(socket) as channel:
        stub: Any = provider_pb2_grpc.CSIDriverProviderStub(channel)  # type: ignore[no-untyped-call]  # generated
        answer: provider_pb2.MountResponse = stub.Mount(request, timeout=timeout)
        return answer


def _channel(socket: Path) -> grpc.Channel:
    return grpc.insecure_channel(
        f"unix:{socket.absolute()}",
        options=[
            ("grpc.default_authority", "localhost"),
            ("grpc.max_receive_message_length", _MAX_ANSWER),
            ("grpc.enable_retries", 0),
            ("grpc.use_local_subchannel_pool", 1),
        ],
    )
