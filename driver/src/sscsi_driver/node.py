"""CSI Node: what kubelet asks of this node's driver. Reads the messages, checks them, and says errors as statuses."""

# ruff: noqa: N802, ARG002 -- names and arguments are the wire's

import logging
import secrets
from pathlib import Path
from typing import Final

import grpc

from sscsi_driver import tmpfs
from sscsi_driver.attributes import split_context
from sscsi_driver.csi import csi_pb2, csi_pb2_grpc
from sscsi_driver.errors import ErrorType, InvalidRequest, PublishError
from sscsi_driver.metrics import DriverMetrics
from sscsi_driver.mountinfo import pod_volume
from sscsi_driver.preparing import PublishRequest
from sscsi_driver.publishing import Publisher
from sscsi_driver.said import Said
from sscsi_shared.cancellation import Cancellation
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import clip
from sscsi_shared.secret import SecretText

log = logging.getLogger(__name__)

MARGIN_SECONDS: Final = 3.0
"""How long before the caller's deadline ours ends, so that our text arrives first."""
CEILING_SECONDS: Final = 100.0
_MAX_GID: Final = (1 << 32) - 2
"""-1 means "no change" to chown(2)."""
_MAX_TEXT_BYTES: Final = 2600
"""A provider's 2 KiB and our words around it."""


class NodeServicer(csi_pb2_grpc.NodeServicer):
    """Publishes and unpublishes volumes; other calls of the service answer UNIMPLEMENTED.

    Args:
        publisher: does the work.
        node: the node's name.
        metrics: what is counted of requests that never reach the publisher.
        any_target: whether target paths may be others than those of pods' volumes.
    """

    def __init__(self, publisher: Publisher, node: str, metrics: DriverMetrics, *, any_target: bool = False) -> None:
        self._publisher = publisher
        self._node = node
        self._metrics = metrics
        self._any_target = any_target
        self._said = Said()

    def NodePublishVolume(
        self, request: csi_pb2.NodePublishVolumeRequest, context: grpc.ServicerContext
    ) -> csi_pb2.NodePublishVolumeResponse:
        """OK for a filled volume only."""
        cancellation = Cancellation()
        if not context.add_callback(lambda: cancellation.cancel("its caller has gone")):
            cancellation.cancel("its caller has gone")
        try:
            try:
                publish = _read_publish(request, any_target=self._any_target)
            except InvalidRequest as error:
                self._metrics.publish_failed("", error.error_type)
                raise
            self._publisher.publish(publish, _deadline(context), cancellation)
            self._said.over(request.target_path)
        except PublishError as error:
            level = logging.WARNING if self._said.is_news(request.target_path, error.message) else logging.DEBUG
            log.log(
                level,
                "NodePublishVolume of %s failed (%s): %s",
                request.target_path,
                error.error_type,
                error.message,
            )
            context.abort(error.code, clip(error.message, _MAX_TEXT_BYTES))
        except Exception as error:  # noqa: BLE001  # one request can't end the process
            self._metrics.publish_failed("", ErrorType.INTERNAL)
            _internal(context, f"NodePublishVolume of {request.target_path}", error)
        return csi_pb2.NodePublishVolumeResponse()

    def NodeUnpublishVolume(
        self, request: csi_pb2.NodeUnpublishVolumeRequest, context: grpc.ServicerContext
    ) -> csi_pb2.NodeUnpublishVolumeResponse:
        """OK where nothing stands at the target any more, or nothing ever did."""
        try:
            try:
                target = _target(request.volume_id, request.target_path, any_target=self._any_target)
            except InvalidRequest:
                self._metrics.unpublish_failed()
                raise
            self._publisher.unpublish(target, _deadline(context))
            self._said.over(request.target_path)
        except PublishError as error:
            log.warning("NodeUnpublishVolume of %s failed: %s", request.target_path, error.message)
            context.abort(error.code, clip(error.message, _MAX_TEXT_BYTES))
        except Exception as error:  # noqa: BLE001
            self._metrics.unpublish_failed()
            _internal(context, f"NodeUnpublishVolume of {request.target_path}", error)
        return csi_pb2.NodeUnpublishVolumeResponse()

    def NodeGetCapabilities(
        self, request: csi_pb2.NodeGetCapabilitiesRequest, context: grpc.ServicerContext
    ) -> csi_pb2.NodeGetCapabilitiesResponse:
        """Volume statistics and the pod's fsGroup; inline volumes are not staged."""
        capability = csi_pb2.NodeServiceCapability
        return csi_pb2.NodeGetCapabilitiesResponse(
            capabilities=[
                capability(rpc=capability.RPC(type=kind))
                for kind in (capability.RPC.GET_VOLUME_STATS, capability.RPC.VOLUME_MOUNT_GROUP)
            ]
        )

    def NodeGetVolumeStats(
        self, request: csi_pb2.NodeGetVolumeStatsRequest, context: grpc.ServicerContext
    ) -> csi_pb2.NodeGetVolumeStatsResponse:
        """Bytes and inodes of the volume's tmpfs."""
        if not request.volume_id:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "Volume ID missing in request")
        if not request.volume_path:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "Volume path missing in request")
        try:
            usage = tmpfs.usage(Path(request.volume_path))
        except (OSError, ValueError):
            context.abort(grpc.StatusCode.NOT_FOUND, f"no volume is mounted on {clip(request.volume_path, 256)}")
        kinds = ((csi_pb2.VolumeUsage.BYTES, usage.size), (csi_pb2.VolumeUsage.INODES, usage.inodes))
        return csi_pb2.NodeGetVolumeStatsResponse(
            usage=[
                csi_pb2.VolumeUsage(unit=unit, total=one.total, used=one.used, available=one.total - one.used)
                for unit, one in kinds
            ]
        )

    def NodeGetInfo(
        self, request: csi_pb2.NodeGetInfoRequest, context: grpc.ServicerContext
    ) -> csi_pb2.NodeGetInfoResponse:
        """The node's name; no limit of volumes."""
        return csi_pb2.NodeGetInfoResponse(node_id=self._node)


def _read_publish(request: csi_pb2.NodePublishVolumeRequest, *, any_target: bool) -> PublishRequest:
    """Check the arguments in the existing driver's order, with its texts."""
    if not request.HasField("volume_capability"):
        raise InvalidRequest("Volume capability missing in request")
    target = _target(request.volume_id, request.target_path, any_target=any_target)
    if not request.volume_context:
        raise InvalidRequest("Volume attributes missing in request")
    if request.volume_capability.WhichOneof("access_type") == "block":
        raise InvalidRequest("Block volumes are not supported: secrets are files")
    context, tokens = split_context(request.volume_context)
    return PublishRequest(
        target=target,
        context=context,
        tokens=tokens,
        secrets={key: SecretText(value) for key, value in request.secrets.items()},
        readonly=request.readonly,
        group=_group(request.volume_capability.mount.volume_mount_group),
    )


def _group(text: str) -> int | None:
    """The pod's fsGroup, which kubelet writes as a decimal number."""
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 10 or int(text) > _MAX_GID:
        raise InvalidRequest("Volume mount group in request is not a group's number")
    return int(text)


def _target(volume_id: str, target_path: str, *, any_target: bool) -> Path:
    """The target, absolute and clean, so that one volume has one name; and a pod's, so that nothing else is removed."""
    if not volume_id:
        raise InvalidRequest("Volume ID missing in request")
    if not target_path:
        raise InvalidRequest("Target path missing in request")
    target = Path(target_path)
    if not target.is_absolute() or ".." in target.parts or "\0" in target_path or len(target.parts) < 3:
        raise InvalidRequest("Target path in request is not an absolute, clean path of a volume")
    if not any_target and pod_volume(str(target)) is None:
        raise InvalidRequest(
            "Target path in request is not where kubelet has the volume of a pod: "
            ".../pods/<uid>/volumes/kubernetes.io~csi/<name>/mount"
        )
    return target


def _deadline(context: grpc.ServicerContext) -> Deadline:
    """Ours: a little before the caller's, and never later than our own ceiling."""
    left: float | None = context.time_remaining()  # None if the caller set no deadline, whatever the stubs say
    return Deadline.after(min(CEILING_SECONDS, max(0.0, CEILING_SECONDS if left is None else left - MARGIN_SECONDS)))


def _internal(context: grpc.ServicerContext, what: str, error: Exception) -> None:
    """A bug: the traceback goes to the log only, an id to the caller."""
    incident = secrets.token_hex(4)
    log.error("%s failed, incident %s", what, incident, exc_info=error)
    context.abort(grpc.StatusCode.INTERNAL, f"{what} failed; see incident {incident} in the driver's log on this node")
