"""What kubelet sends to a CSI driver for an inline volume, and what the driver would send to a provider."""

import base64
import binascii
import contextlib
import datetime
import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc

from sscsi_driver.attributes import PERMISSION, TOKENS_KEY, OverlayRule, attributes_text
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
        target_path: where to mount instead of the place that kubelet would choose.
        group: the pod's fsGroup; None = it has none.
    """

    namespace: str
    pod: str
    service_account: str
    class_name: str
    volume: str = "secrets-store-inline"
    uid: str = ""
    tokens: Mapping[str, SecretText] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    target_path: Path | None = None
    group: int | None = None

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
        if self.target_path is not None:
            return self.target_path
        return kubelet_root / "pods" / self.pod_uid / "volumes" / "kubernetes.io~csi" / self.volume / "mount"

    def context(self) -> dict[str, str]:
        """The volume context, with the tokens in the clear."""
        context = self.open_context()
        if self.tokens:
            context[TOKENS_KEY] = self.tokens_text().reveal()
        return context

    def open_context(self) -> dict[str, str]:
        """The volume context without the tokens."""
        return dict(self.attributes) | {
            "secretProviderClass": self.class_name,
            f"{_CSI}pod.name": self.pod,
            f"{_CSI}pod.namespace": self.namespace,
            f"{_CSI}pod.uid": self.pod_uid,
            f"{_CSI}serviceAccount.name": self.service_account,
            f"{_CSI}ephemeral": "true",
        }

    def tokens_text(self) -> SecretText:
        """The tokens as kubelet writes them: JSON of audience -> token and its end."""
        return SecretText(json.dumps({audience: _as_status(token) for audience, token in self.tokens.items()}))


def _as_status(token: SecretText) -> dict[str, str]:
    """TokenRequestStatus (authentication.k8s.io/v1); without an end where the token does not tell it."""
    status = {"token": token.reveal()}
    with contextlib.suppress(binascii.Error, ValueError, KeyError, IndexError, TypeError, OverflowError, OSError):
        claims = token.reveal().split(".")[1]
        ends = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"]
        moment = datetime.datetime.fromtimestamp(ends, datetime.UTC)
        status["expirationTimestamp"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return status


class Kubelet:
    """A client of the driver's socket, from `with` to its end."""

    def __init__(self, socket: Path, root: Path, timeout: float = 120.0) -> None:
        self._channel = channel_to(socket)
        self._node: Any = csi_pb2_grpc.NodeStub(self._channel)  # type: ignore[no-untyped-call]  # generated
        self._root = root
        self._timeout = timeout

    def __enter__(self) -> "Kubelet":  # noqa: PYI034
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def publish(self, volume: PodVolume) -> Path:
        """NodePublishVolume; where the volume is.

        Folders above it are made before, as kubelet does, and taken away again if that fails.

        Raises:
            grpc.RpcError: it failed.
            OSError: the folders can't be made.
        """
        target = volume.target(self._root)
        made = _make_folders(target.parent)
        capability = csi_pb2.VolumeCapability(
            mount=csi_pb2.VolumeCapability.MountVolume(
                volume_mount_group="" if volume.group is None else str(volume.group)
            ),
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
        try:
            self._node.NodePublishVolume(request, timeout=self._timeout)
        except BaseException:
            _remove_empty(reversed(made))
            raise
        return target

    def unpublish(self, volume: PodVolume) -> None:
        """NodeUnpublishVolume; then the folders above it go too, where nothing else is in them.

        Raises:
            grpc.RpcError: it failed.
        """
        target = volume.target(self._root)
        self._node.NodeUnpublishVolume(
            csi_pb2.NodeUnpublishVolumeRequest(volume_id=volume.volume_id, target_path=str(target)),
            timeout=self._timeout,
        )
        if volume.target_path is None:
            _remove_empty(parent for parent in target.parents if self._root / "pods" in parent.parents)


def _make_folders(folder: Path) -> list[Path]:
    """Make a folder and those above it, mode 0750 whatever the umask; those that were not there, outermost first."""
    made = []
    for path in reversed([folder, *folder.parents]):
        if not path.is_dir():
            path.mkdir(exist_ok=True)
            path.chmod(_PARENT_MODE)
            made.append(path)
    return made


def _remove_empty(folders: Iterator[Path]) -> None:
    with contextlib.suppress(OSError):  # the first one that is in use ends it
        for folder in folders:
            folder.rmdir()


def mount_request(volume: PodVolume, parameters: Mapping[str, str], kubelet_root: Path) -> provider_pb2.MountRequest:
    """What our driver would send to the provider: made by its own rules, so that a class gets here no further."""
    tokens = volume.tokens_text() if volume.tokens else None
    return provider_pb2.MountRequest(
        attributes=attributes_text(parameters, volume.open_context(), tokens, OverlayRule()).reveal(),
        secrets="null",
        target_path=str(volume.target(kubelet_root)),
        permission=PERMISSION,
    )


def ask_provider(socket: Path, request: provider_pb2.MountRequest, timeout: float) -> provider_pb2.MountResponse:
    """Call Mount on a provider's socket.

    Raises:
        grpc.RpcError: it failed.
    """
    with channel_to(socket) as channel:
        stub: Any = provider_pb2_grpc.CSIDriverProviderStub(channel)  # type: ignore[no-untyped-call]  # generated
        answer: provider_pb2.MountResponse = stub.Mount(request, timeout=timeout)
        return answer


def channel_to(socket: Path) -> grpc.Channel:
    """A channel to a socket, as the driver and kubelet make them."""
    return grpc.insecure_channel(
        f"unix:{socket.absolute()}",
        options=[
            ("grpc.default_authority", "localhost"),
            ("grpc.max_receive_message_length", _MAX_ANSWER),
            ("grpc.enable_retries", 0),
            ("grpc.use_local_subchannel_pool", 1),
        ],
    )
