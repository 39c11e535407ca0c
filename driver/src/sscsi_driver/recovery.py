"""After a restart: whose the mounts are that were here before, which of them are half-made, and which nobody needs.

All there is to go by is the kernel's table of mounts, kubelet's note beside each volume, and the pods of this node.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from sscsi_driver.errors import PublishError
from sscsi_driver.memory import NodeVolumes
from sscsi_driver.mountinfo import driver_of_volume, parse, pod_volume
from sscsi_driver.publishing import Publisher
from sscsi_driver.volume import State
from sscsi_shared.cancellation import Cancellation
from sscsi_shared.deadline import Clock, Deadline

log = logging.getLogger(__name__)

ORPHAN_SECONDS: Final = 300.0
"""How long a pod must have been gone: after a forced deletion its containers run on for a while."""
_LOOK_SECONDS: Final = 60.0
_HOLD_SECONDS: Final = 30.0
_VOLUME_DATA: Final = "vol_data.json"
_MOUNTINFO: Final = Path("/proc/self/mountinfo")


class PodsOfNode(Protocol):
    """Who runs here."""

    def uids(self) -> frozenset[str] | None:
        """The uids of this node's pods, as the API server says now; None if it can't be asked."""


class NobodyKnows:
    """Outside of a cluster: no pod is known to be gone."""

    def uids(self) -> frozenset[str] | None:
        """See PodsOfNode."""
        return None


class Recovery:
    """Looks at the mounts that this process did not make, until each has been published again or swept.

    Args:
        volumes: the state of all volumes.
        publisher: takes away what is swept.
        pods: who runs on this node.
        driver_name: ours, in kubelet's notes.
        mount_table: reads the kernel's table.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        *,
        volumes: NodeVolumes,
        publisher: Publisher,
        pods: PodsOfNode,
        driver_name: str,
        mount_table: Callable[[], str] = lambda: _MOUNTINFO.read_text(encoding="utf-8", errors="surrogateescape"),
        clock: Clock = time.monotonic,
    ) -> None:
        self._volumes = volumes
        self._publisher = publisher
        self._pods = pods
        self._driver_name = driver_name
        self._mount_table = mount_table
        self._clock = clock
        self._seen: set[Path] = set()
        self._doubtful: set[Path] = set()
        self._gone_since: dict[Path, float] = {}

    def start(self, stopping: threading.Event) -> None:
        """Look now and every minute, in a thread of its own."""
        threading.Thread(target=self._run, args=(stopping,), name="recovery", daemon=True).start()

    def look(self) -> None:
        """One look; asks for the node's pods only while nobody knows whether a mount is still needed."""
        found = [target for target in self._ours() if target not in self._seen and self._volumes.peek(target) is None]
        self._seen.update(found)
        for target in found:
            self._repair(target)
        if found:
            log.info("found %d volumes of pods from before; they rotate once kubelet publishes them again", len(found))
        self._doubtful.update(found)
        self._doubtful = {one for one in self._doubtful if one.exists() and self._volumes.peek(one) is None}
        self._sweep()

    def _run(self, stopping: threading.Event) -> None:
        while True:
            try:
                self.look()
            except Exception:
                log.exception("looking for volumes from before failed")
            if stopping.wait(_LOOK_SECONDS):
                return

    def _ours(self) -> list[Path]:
        """The mount points that kubelet noted as this driver's."""
        points = {
            one.point for one in parse(self._mount_table()) if one.file_system == "tmpfs" and pod_volume(one.point)
        }
        return [Path(point) for point in sorted(points) if self._noted(Path(point))]

    def _noted(self, target: Path) -> bool:
        try:
            return driver_of_volume((target.parent / _VOLUME_DATA).read_bytes()) == self._driver_name
        except OSError:
            return False

    def _repair(self, target: Path) -> None:
        """Take down what was never finished; kubelet was told of no success, and publishes it again."""
        with contextlib.suppress(PublishError):
            cancellation = Cancellation()
            with self._volumes.hold(target, Deadline.after(_HOLD_SECONDS), cancellation) as volume:
                if volume.look() is State.ABSENT:
                    log.warning("took the half-made volume %s down", target)

    def _sweep(self) -> None:
        """Take away what belongs to a pod that has been gone for a while; what belongs to a living one is kubelet's."""
        alive = self._pods.uids() if self._doubtful else None
        if alive is None:
            return
        self._doubtful = {target for target in self._doubtful if _uid(target) not in alive}
        self._gone_since = {target: self._gone_since.get(target, self._clock()) for target in self._doubtful}
        for target, since in self._gone_since.items():
            if self._clock() - since >= ORPHAN_SECONDS:
                self._remove(target)

    def _remove(self, target: Path) -> None:
        try:
            self._publisher.unpublish(target, Deadline.after(_HOLD_SECONDS))
        except PublishError as error:
            log.warning("the volume %s of a pod that is gone stays: %s", target, error.message)
            return
        log.warning("swept the volume %s: its pod is gone, and kubelet did not unpublish it", target)
        # Kubelet's own clean-up of the pod's folder fails for ever on what is left here (recorded with 1.36).
        with contextlib.suppress(OSError):
            (target.parent / _VOLUME_DATA).unlink(missing_ok=True)
            target.parent.rmdir()


def _uid(target: Path) -> str:
    volume = pod_volume(str(target))
    return volume.pod_uid if volume is not None else ""
