"""One NodePublishVolume, from nothing to a filled volume; and its end.

A first publish either fills the volume or leaves nothing behind. A volume that is filled stays so: a publish of it
keeps what kubelet brought, mostly newer tokens, and is answered OK at once (some kubelets remove a running pod's volume
after an error). When it is asked for again is the schedule's decision alone (refreshing.py).
"""

import logging
import time
from pathlib import Path
from typing import Final

import grpc

from sscsi_driver import tmpfs
from sscsi_driver.attributes import CLASS_KEY, pod_of
from sscsi_driver.errors import NON_FINAL, ErrorType, InvalidRequest, PublishError
from sscsi_driver.events import Events, NoEvents, mounted, rotation_off
from sscsi_driver.filling import Filler
from sscsi_driver.memory import Memory, NodeVolumes
from sscsi_driver.metrics import DriverMetrics
from sscsi_driver.preparing import Prepared, PublishRequest
from sscsi_driver.refreshing import Refresher
from sscsi_driver.tmpfs import MountPoint
from sscsi_driver.volume import State, Volume
from sscsi_shared.cancellation import Cancellation
from sscsi_shared.deadline import Clock, Deadline

log = logging.getLogger(__name__)

_NO_EVENTS: Final = NoEvents()


class Publisher:
    """Fills volumes and takes them away.

    Args:
        filler: does the work.
        refresher: is told of every volume that is filled or gone.
        volumes: the state of all volumes.
        metrics: what is counted.
        events: who tells pods.
        now: seconds since 1970.
    """

    def __init__(
        self,
        *,
        filler: Filler,
        refresher: Refresher,
        volumes: NodeVolumes,
        metrics: DriverMetrics,
        events: Events = _NO_EVENTS,
        now: Clock = time.time,
    ) -> None:
        self._filler = filler
        self._refresher = refresher
        self._volumes = volumes
        self._metrics = metrics
        self._events = events
        self._now = now
        self._off_told = False

    def publish(self, request: PublishRequest, deadline: Deadline, cancellation: Cancellation) -> None:
        """Answer a NodePublishVolume: returns if the volume is filled.

        Raises:
            PublishError: it is not. With a final code nothing stands at the target; see errors.NON_FINAL.
        """
        memory = self._volumes.peek(request.target)
        if memory is not None and _stands(request.target):  # a fetch in progress holds it, and is not waited for
            self._refresher.republished(request.target, memory, request)
            self._metrics.published(memory.provider)
            return
        try:
            with self._volumes.hold(request.target, deadline, cancellation) as volume:
                state = volume.look()
                if state is not State.FILLED:
                    self._first(volume, state, request, deadline, cancellation)
                elif volume.memory is None:
                    self._adopt(volume, request)
                else:
                    self._refresher.republished(request.target, volume.memory, request)
                provider = volume.memory.provider if volume.memory is not None else ""
        except PublishError as error:
            self._metrics.publish_failed(self._named_provider(request), error.error_type)
            raise
        self._metrics.published(provider)

    def unpublish(self, target: Path, deadline: Deadline) -> None:
        """Answer a NodeUnpublishVolume: returns if nothing stands at the target any more.

        Raises:
            UnpublishFailed: something does.
        """
        try:
            self._volumes.unpublish(target, deadline)
        except PublishError:
            self._metrics.unpublish_failed()
            raise
        self._refresher.gone(target)
        self._filler.forget(target)
        self._metrics.unpublished()

    def _named_provider(self, request: PublishRequest) -> str:
        """The provider of the class that failed, for the metric; empty where it can't be known."""
        try:
            pod = pod_of(request.context, None)
            return self._filler.class_of(pod.namespace, request.context.get(CLASS_KEY, "")).provider
        except PublishError:
            return ""

    def _adopt(self, volume: Volume[Memory], request: PublishRequest) -> None:
        """A volume that was filled before this process began."""
        volume.memory = Memory(request, "", volume.changed_at())
        self._refresher.adopted(volume.target, volume.memory)
        log.info("the volume %s was filled by an earlier driver; it stays", volume.target)

    def _first(
        self,
        volume: Volume[Memory],
        state: State,
        request: PublishRequest,
        deadline: Deadline,
        cancellation: Cancellation,
    ) -> None:
        """Fill a volume that nobody was told of; or leave nothing of it."""
        if volume.memory is not None:
            log.warning("the volume %s is no longer mounted; filling it anew", volume.target)
            volume.memory = None
            self._refresher.gone(volume.target)
        try:
            prepared = self._filler.prepare(request)
            _check_readonly(request)
            self._filler.check(prepared)
            if state is State.ABSENT:
                volume.open(self._filler.settings.limits)
            self._filler.fill(volume.target, prepared, deadline, cancellation)
            volume.finish()
        except BaseException as error:
            # An uncertain one may be a running pod's: it is left to NodeUnpublishVolume.
            if state is State.ABSENT and volume.abandon():
                raise
            raise _not_final(error, volume.target) from error
        self._remember(volume, request, prepared)

    def _remember(self, volume: Volume[Memory], request: PublishRequest, prepared: Prepared) -> None:
        of_class = prepared.of_class
        volume.memory = Memory(request, of_class.provider, self._now(), prepared.driver, of_class.refresh)
        self._refresher.filled(volume.target, volume.memory, prepared.interval)
        log.info("filled the volume %s of pod %s/%s", volume.target, prepared.pod.namespace, prepared.pod.name)
        off = self._rotation_off(prepared)
        self._events.tell(prepared.pod, mounted(of_class.name, of_class.provider, prepared.interval, off))

    def _rotation_off(self, prepared: Prepared) -> str:
        """Why the volume does not rotate, though the operator wants it; the log has it once."""
        settings = self._filler.settings
        if settings.rotation_interval is None or prepared.driver is None or prepared.driver.republish:
            self._off_told = False
            return ""
        text = rotation_off(settings.driver_name)
        if not self._off_told:
            log.warning("%s", text)
        self._off_told = True
        return text


def _stands(target: Path) -> bool:
    try:
        return tmpfs.look(target) is MountPoint.MOUNTED
    except OSError:
        return False


def _check_readonly(request: PublishRequest) -> None:
    if not request.readonly:
        raise InvalidRequest("Readonly is not true in request: set `readOnly: true` in the pod's csi volume")


def _not_final(error: BaseException, target: Path) -> PublishError:
    """The failure of a volume that still stands: with a code after which kubelet will have it unpublished."""
    if isinstance(error, PublishError):
        return error.saying(error.message, error.code if error.code in NON_FINAL else grpc.StatusCode.ABORTED)
    log.error("publishing %s failed", target, exc_info=error)
    return PublishError(
        f"publishing {target} failed; see the driver's log on this node",
        code=grpc.StatusCode.ABORTED,
        error_type=ErrorType.INTERNAL,
    )
