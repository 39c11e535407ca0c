"""Filled volumes are asked for again when the schedule says so; whatever goes wrong, their files stay."""

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import grpc

from sscsi_driver.errors import ErrorType, PublishError, Unpublished
from sscsi_driver.events import Events, NoEvents, rotated, rotation_failed
from sscsi_driver.filling import Filler
from sscsi_driver.memory import Memory, NodeVolumes
from sscsi_driver.metrics import ContentAge, DriverMetrics
from sscsi_driver.preparing import PublishRequest
from sscsi_driver.schedule import Ended, Group, Outcome, Schedule
from sscsi_driver.schedule import State as Waits
from sscsi_driver.volume import State, Volume
from sscsi_shared.cancellation import Cancellation
from sscsi_shared.deadline import Clock, Deadline

log = logging.getLogger(__name__)

_NO_EVENTS: Final = NoEvents()

_PROVIDER_TROUBLE: Final = frozenset({ErrorType.PROVIDER_NOT_FOUND, ErrorType.PROVIDER_UNREACHABLE})
_TRANSIENT_REASONS: Final = frozenset({"BackendThrottled", "BackendUnavailable", "OutOfTime", "Overloaded"})
"""What our providers say in `sscsi-reason` (design, section 5)."""
_TRANSIENT_CODES: Final = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED}
)


class Refresher:
    """Knows which filled volumes are due, and fetches them.

    Args:
        filler: does the work.
        volumes: the state of all volumes.
        metrics: what is counted.
        events: who tells pods.
        clock: seconds that only grow.
        now: seconds since 1970.
        jitter: from 0 to 1, for each round anew.
    """

    def __init__(
        self,
        *,
        filler: Filler,
        volumes: NodeVolumes,
        metrics: DriverMetrics,
        events: Events = _NO_EVENTS,
        clock: Clock = time.monotonic,
        now: Clock = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._filler = filler
        self._volumes = volumes
        self._metrics = metrics
        self._events = events
        self._clock = clock
        self._now = now
        self._lock = threading.Lock()
        self._schedule = Schedule(clock, now, jitter)

    def filled(self, target: Path, memory: Memory, interval: float | None) -> None:
        """A volume was filled for the first time."""
        with self._lock:
            self._schedule.add(
                target, memory.group, memory.provider, interval=interval, tokens_until=memory.tokens_until
            )

    def adopted(self, target: Path, memory: Memory) -> None:
        """Kubelet published a volume again that an earlier process filled: it is due at once, where volumes rotate."""
        interval = self._filler.settings.rotation_interval
        with self._lock:
            self._schedule.add(
                target,
                memory.group,
                memory.provider,
                interval=interval,
                tokens_until=memory.tokens_until,
                due=interval is not None,
            )

    def republished(self, target: Path, memory: Memory, request: PublishRequest) -> None:
        """Kubelet published a filled volume again: what it brought is kept, nothing is asked."""
        memory.request = request
        with self._lock:
            if target in self._schedule and not self._schedule.republished(target, memory.tokens_until):
                self._metrics.skipped("not_due", 1)

    def gone(self, target: Path) -> None:
        """The volume is no more."""
        with self._lock:
            self._schedule.remove(target)

    def force(self, wanted: Callable[[Path, Group], bool]) -> int:
        """Let volumes be fetched now; how many."""
        with self._lock:
            return self._schedule.force(wanted)

    def due(self) -> tuple[Path, ...]:
        """The volumes to be fetched now; each is to be given to `refresh`."""
        with self._lock:
            taken = self._schedule.take()
        for state, number in taken.skipped.items():
            self._metrics.skipped(state.name.lower(), number)
        return taken.targets

    def states(self) -> Mapping[str, int]:
        """How many volumes wait for what, by the names of schedule.State."""
        with self._lock:
            counted = self._schedule.states()
        return {state.name.lower(): counted[state] for state in Waits}

    def ages(self) -> list[ContentAge]:
        """How long ago the content of each class's volumes was confirmed; the oldest counts."""
        oldest: dict[tuple[str, str], float] = {}
        for memory in self._volumes.memories():
            key = memory.pod.namespace, memory.of_class
            oldest[key] = min(memory.filled_at, oldest.get(key, memory.filled_at))
        now = self._now()
        return [ContentAge(*key, max(0.0, now - at)) for key, at in sorted(oldest.items())]

    def refresh(self, target: Path, deadline: Deadline, cancellation: Cancellation) -> None:
        """Ask again for a volume that `due` named, with the last known request; never raises PublishError."""
        try:
            with self._volumes.hold(target, deadline, cancellation) as volume:
                if volume.look() is State.FILLED and volume.memory is not None:
                    self._refresh(volume, volume.memory, deadline, cancellation)
                else:
                    self.gone(target)
        except PublishError as error:
            log.info("the volume %s was not rotated: %s", target, error.message)
            self._done(target, Outcome(Ended.FAILED))

    def _refresh(self, volume: Volume[Memory], memory: Memory, deadline: Deadline, cancellation: Cancellation) -> None:
        began = self._clock()
        request = memory.request
        try:
            prepared = self._filler.prepare(request)
            memory.provider, memory.driver = prepared.of_class.provider, prepared.driver
            memory.refresh = prepared.of_class.refresh
            changed = self._filler.fill(volume.target, prepared, deadline, cancellation)
        except Unpublished:
            raise
        except PublishError as error:
            self._failed(volume.target, memory, error)
        except Exception as error:
            log.exception("the volume %s keeps its previous files", volume.target)
            self._failed(
                volume.target,
                memory,
                PublishError(type(error).__name__, code=grpc.StatusCode.INTERNAL, error_type=ErrorType.INTERNAL),
            )
        else:
            self._succeeded(volume.target, memory, changed)
            self._metrics.rotated(memory.provider, self._clock() - began)
            self._done(volume.target, Outcome(Ended.FILLED, memory.provider, prepared.interval))

    def _succeeded(self, target: Path, memory: Memory, changed: bool) -> None:
        memory.filled_at = self._now()
        if changed:
            log.info("the volume %s has new content", target)
            self._events.tell(memory.pod, rotated(memory.of_class))
        elif memory.trouble:
            log.info("the volume %s is up to date again", target)
        memory.trouble = ""

    def _failed(self, target: Path, memory: Memory, error: PublishError) -> None:
        self._metrics.rotation_failed(memory.provider, error.error_type)
        if error.message != memory.trouble:  # once, not every two minutes
            log.warning("the volume %s keeps its previous files: %s", target, error.message)
            self._events.tell(memory.pod, rotation_failed(memory.of_class, error.message))
        memory.trouble = error.message
        self._done(target, Outcome(ended_of(error), memory.provider, retry_after=error.retry_after))

    def _done(self, target: Path, outcome: Outcome) -> None:
        with self._lock:
            self._schedule.done(target, outcome)


def ended_of(error: PublishError) -> Ended:
    """What a failure means for the next try."""
    if error.error_type in _PROVIDER_TROUBLE:
        return Ended.PROVIDER_TROUBLE
    if error.error_type in _TRANSIENT_REASONS or error.code in _TRANSIENT_CODES:
        return Ended.BACKEND_TROUBLE
    return Ended.FAILED
