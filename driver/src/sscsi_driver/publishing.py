"""One NodePublishVolume, from the class to a filled volume; and the same again for rotation.

A first publish either fills the volume or leaves nothing behind. A volume that is filled stays so: whatever goes wrong
when it is asked for again is logged and counted, the files stay, and kubelet hears OK (as of the existing driver: some
kubelets remove a running pod's volume after an error).
"""

import errno
import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

import grpc

from sscsi_driver.attributes import CLASS_KEY, OverlayRule, pod_of
from sscsi_driver.classes import Classes
from sscsi_driver.dispatch import Providers
from sscsi_driver.errors import NON_FINAL, ErrorType, InvalidRequest, PublishError
from sscsi_driver.metrics import DriverMetrics
from sscsi_driver.preparing import Prepared, PublishRequest, prepare
from sscsi_driver.status import pod_status
from sscsi_driver.status_folder import StatusSink
from sscsi_driver.tmpfs import TmpfsLimits
from sscsi_driver.volume import State, Volume, Volumes
from sscsi_shared.cancellation import Cancellation
from sscsi_shared.deadline import Clock, Deadline
from sscsi_shared.errors import InvalidParameters
from sscsi_shared.file_access import FileAccess, give_all
from sscsi_shared.mount import MountResult, PodInfo
from sscsi_shared.publish import publish

log = logging.getLogger(__name__)

_JITTER: Final = 0.1
"""How much later than the interval a rotation may come, as a share of it, so that pods don't come all at once."""


@dataclass(slots=True)
class Memory:
    """What the driver keeps of a filled volume.

    Attributes:
        request: the last one, with the newest tokens.
        provider: who filled it; empty until it is known.
        next_fetch: when it is to be asked for again, in seconds of the publisher's clock.
    """

    request: PublishRequest
    provider: str
    next_fetch: float


@dataclass(frozen=True, slots=True)
class PublishSettings:
    """What an operator decides.

    Attributes:
        driver_name: of the CSIDriver object.
        node: the node's name.
        limits: of each volume.
        overlay: which parameters a pod may override.
        rotation_interval: seconds between two fetches of one volume; None = a filled volume is never asked for again.
    """

    driver_name: str
    node: str
    limits: TmpfsLimits
    overlay: OverlayRule = field(default_factory=OverlayRule)
    rotation_interval: float | None = None


NodeVolumes: TypeAlias = Volumes[Memory]


class Publisher:
    """Fills volumes and takes them away.

    Args:
        classes: where classes come from.
        providers: who is asked.
        volumes: the state of all volumes.
        statuses: where pod statuses go.
        metrics: what is counted.
        settings: what the operator decided.
        clock: seconds that only grow.
        jitter: from 0 to 1, for each fetch anew.
    """

    def __init__(
        self,
        *,
        classes: Classes,
        providers: Providers,
        volumes: NodeVolumes,
        statuses: StatusSink,
        metrics: DriverMetrics,
        settings: PublishSettings,
        clock: Clock = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._classes = classes
        self._providers = providers
        self._volumes = volumes
        self._statuses = statuses
        self._metrics = metrics
        self._settings = settings
        self._clock = clock
        self._jitter = jitter

    def publish(self, request: PublishRequest, deadline: Deadline, cancellation: Cancellation) -> None:
        """Answer a NodePublishVolume: returns if the volume is filled.

        Raises:
            PublishError: it is not. With a final code nothing stands at the target; see errors.NON_FINAL.
        """
        provider = ""
        try:
            with self._volumes.hold(request.target, deadline, cancellation) as volume:
                state = volume.look()
                if state is State.FILLED:
                    self._republish(volume, request, deadline, cancellation)
                else:
                    self._first(volume, state, request, deadline, cancellation)
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
        self._statuses.remove(str(target))
        self._metrics.unpublished()

    def due(self) -> list[Path]:
        """The filled volumes whose next fetch has come."""
        now = self._clock()
        known = ((target, self._volumes.peek(target)) for target in self._volumes.filled())
        return [target for target, memory in known if memory is not None and memory.next_fetch <= now]

    def rotate(self, target: Path, deadline: Deadline, cancellation: Cancellation) -> None:
        """Ask again for a filled volume whose time has come, with the last known request; never raises PublishError."""
        try:
            with self._volumes.hold(target, deadline, cancellation) as volume:
                memory = volume.memory
                if volume.look() is State.FILLED and memory is not None and memory.next_fetch <= self._clock():
                    self._refresh(volume, memory, deadline, cancellation)
        except PublishError as error:
            log.info("the volume %s was not rotated: %s", target, error.message)

    def _named_provider(self, request: PublishRequest) -> str:
        """The provider of the class that failed, for the metric; empty where it can't be known."""
        try:
            pod = pod_of(request.context, None)
            return self._classes.get(pod.namespace, request.context.get(CLASS_KEY, "")).provider
        except PublishError:
            return ""

    def _republish(
        self, volume: Volume[Memory], request: PublishRequest, deadline: Deadline, cancellation: Cancellation
    ) -> None:
        """A filled volume, published again: newer tokens are remembered, and it is fetched again if it is time."""
        if volume.memory is None:  # filled before this process began
            volume.memory = Memory(request, "", self._clock())
        volume.memory.request = request
        if self._settings.rotation_interval is not None and volume.memory.next_fetch <= self._clock():
            self._refresh(volume, volume.memory, deadline, cancellation)

    def _refresh(self, volume: Volume[Memory], memory: Memory, deadline: Deadline, cancellation: Cancellation) -> None:
        """Fetch a filled volume again; errors leave it as it is."""
        began = self._clock()
        memory.next_fetch = self._next_fetch()
        try:
            prepared = self._prepare(memory.request)
            memory.provider = prepared.of_class.provider
            changed = self._fill(volume, prepared, deadline, cancellation)
        except PublishError as error:
            self._metrics.rotation_failed(memory.provider, error.error_type)
            log.warning("the volume %s keeps its previous files: %s", volume.target, error.message)
        except Exception:
            self._metrics.rotation_failed(memory.provider, ErrorType.INTERNAL)
            log.exception("the volume %s keeps its previous files", volume.target)
        else:
            self._metrics.rotated(memory.provider, self._clock() - began)
            if changed:
                log.info("the volume %s has new content", volume.target)

    def _next_fetch(self) -> float:
        interval = self._settings.rotation_interval or 0.0
        return self._clock() + interval * (1 + _JITTER * self._jitter())

    def _first(
        self,
        volume: Volume[Memory],
        state: State,
        request: PublishRequest,
        deadline: Deadline,
        cancellation: Cancellation,
    ) -> None:
        """Fill a volume that nobody was told of; or leave nothing of it."""
        try:
            prepared = self._prepare(request)
            _check_readonly(request)
            with _naming(prepared.pod):
                self._providers.check(prepared.of_class.provider)
            if state is State.ABSENT:
                volume.open(self._settings.limits)
            self._fill(volume, prepared, deadline, cancellation)
            volume.finish()
        except BaseException as error:
            # An uncertain one may be a running pod's: it is left to NodeUnpublishVolume.
            if state is State.ABSENT and volume.abandon():
                raise
            raise _not_final(error, volume.target) from error
        volume.memory = Memory(request, prepared.of_class.provider, self._next_fetch())
        log.info("filled the volume %s of pod %s/%s", volume.target, prepared.pod.namespace, prepared.pod.name)

    def _prepare(self, request: PublishRequest) -> Prepared:
        return prepare(request, self._classes, self._settings.driver_name, self._settings.overlay)

    def _fill(self, volume: Volume[Memory], prepared: Prepared, deadline: Deadline, cancellation: Cancellation) -> bool:
        """Ask the provider, swap its files in, report the versions; whether the files changed.

        Raises:
            PublishError: with the pod's name; files published before are in place.
        """
        with _naming(prepared.pod):
            result = self._providers.mount(prepared.of_class.provider, prepared.request, deadline, cancellation)
            changed = _write(volume.target, result, prepared.access)
        status = pod_status(
            prepared.pod, prepared.of_class.name, str(volume.target), result.versions, self._settings.node
        )
        try:
            self._statuses.write(status)
        except OSError as error:
            raise PublishError(
                f"failed to create secret provider class pod status for pod {prepared.pod.namespace}/"
                f"{prepared.pod.name}, err: {error.strerror or error}",
                code=grpc.StatusCode.INTERNAL,
                error_type=ErrorType.STATUS_WRITE_ERROR,
            ) from error
        return changed


def _check_readonly(request: PublishRequest) -> None:
    if not request.readonly:
        raise InvalidRequest("Readonly is not true in request: set `readOnly: true` in the pod's csi volume")


def _not_final(error: BaseException, target: Path) -> PublishError:
    """The failure of a volume that still stands: with a code after which kubelet will have it unpublished."""
    if isinstance(error, PublishError):
        code = error.code if error.code in NON_FINAL else grpc.StatusCode.ABORTED
        return PublishError(error.message, code=code, error_type=error.error_type)
    log.error("publishing %s failed", target, exc_info=error)
    return PublishError(
        f"publishing {target} failed; see the driver's log on this node",
        code=grpc.StatusCode.ABORTED,
        error_type=ErrorType.INTERNAL,
    )


@contextmanager
def _naming(pod: PodInfo) -> Iterator[None]:
    """Put the pod's name before what a provider, or the way to it, made of the mount."""
    try:
        yield
    except PublishError as error:
        raise PublishError(
            f"failed to mount secrets store objects for pod {pod.namespace}/{pod.name}, err: {error.message}",
            code=error.code,
            error_type=error.error_type,
        ) from error


def _write(target: Path, result: MountResult, access: FileAccess) -> bool:
    """Swap the provider's files in; where it wrote them itself, only give them to the pod's group."""
    try:
        if not result.files:
            give_all(target, access)
            return False
        return publish(target, result.files, access=access)
    except InvalidParameters as error:
        raise PublishError(
            f"the provider answered a file that can't be in a volume: {error}",
            code=grpc.StatusCode.INTERNAL,
            error_type=ErrorType.FILE_WRITE_ERROR,
        ) from error
    except OSError as error:
        hint = ". The volume is full: raise --volume-size or --volume-inodes" if error.errno == errno.ENOSPC else ""
        raise PublishError(
            f"the volume's files can't be written: {error.strerror}{hint}",
            code=grpc.StatusCode.INTERNAL,
            error_type=ErrorType.FILE_WRITE_ERROR,
        ) from error
