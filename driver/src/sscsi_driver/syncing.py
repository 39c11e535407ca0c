"""Kubernetes Secrets of a volume's content: made before the pod starts, and again whenever the content changes.

Nothing that goes wrong here fails a mount: the pod is told by an event, and the Secret is tried again.
"""

import hashlib
import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sscsi_driver.classes import Classes
from sscsi_driver.errors import PublishError
from sscsi_driver.events import Events, sync_failed
from sscsi_driver.metrics import DriverMetrics
from sscsi_driver.said import Said
from sscsi_driver.secret_objects import Content, SyncProblem, contents_of
from sscsi_driver.secret_sink import Filled
from sscsi_driver.secret_writer import SecretWriter
from sscsi_driver.secret_writing import Wanted
from sscsi_shared.deadline import Clock, Deadline

log = logging.getLogger(__name__)

RECHECK_SECONDS: Final = 300.0
"""How long a Secret that was seen to be right is not looked at again, while its volume's content stays the same."""
_FIRST_PAUSE_SECONDS: Final = 5.0
_MAX_PAUSE_SECONDS: Final = 300.0
_DOUBLINGS: Final = 10
_LEAST_SECONDS: Final = 3.0
"""Of a mount's time; with less left, the Secret is left to the next try, and the pod starts."""
_RETRY_SECONDS: Final = 60.0
_TICK_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Waiting:
    filled: Filled
    failures: int
    at: float


class Syncer:
    """A SecretSink in a cluster.

    Args:
        writer: brings each up to date.
        classes: where classes come from.
        events: who tells pods.
        metrics: what is counted.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        *,
        writer: SecretWriter,
        classes: Classes,
        events: Events,
        metrics: DriverMetrics,
        clock: Clock = time.monotonic,
    ) -> None:
        self._writer = writer
        self._classes = classes
        self._events = events
        self._metrics = metrics
        self._clock = clock
        self._key = os.urandom(32)
        self._said = Said()
        self._lock = threading.Lock()
        self._right: dict[Path, dict[str, tuple[bytes, float]]] = {}
        self._waiting: dict[Path, _Waiting] = {}

    def start(self, stopping: threading.Event) -> None:
        """Try again what failed, in a thread of its own."""
        threading.Thread(target=self._run, args=(stopping,), name="secrets", daemon=True).start()

    def write(self, filled: Filled, entries: Sequence[Mapping[str, Any]], deadline: Deadline) -> None:
        """See SecretSink."""
        with self._lock:
            waited = self._waiting.pop(filled.target, None)
            if not entries:
                self._right.pop(filled.target, None)
                return
            self._right.setdefault(filled.target, {})
        self._attempt(filled, entries, deadline, waited.failures if waited is not None else 0)

    def forget(self, target: Path) -> None:
        """See SecretSink."""
        with self._lock:
            self._waiting.pop(target, None)
            self._right.pop(target, None)
        self._said.over(str(target))

    def retry(self) -> None:
        """Try again whose time has come."""
        now = self._clock()
        with self._lock:
            due = [one for one in self._waiting.values() if one.at <= now]
            for one in due:
                del self._waiting[one.filled.target]
        for one in due:
            try:
                of_class = self._classes.get(one.filled.pod.namespace, one.filled.of_class)
            except PublishError as error:
                self._failed(one.filled, [error.message], one.failures)
            else:
                self._attempt(one.filled, of_class.secret_objects, Deadline.after(_RETRY_SECONDS), one.failures)

    def _run(self, stopping: threading.Event) -> None:
        while not stopping.wait(_TICK_SECONDS):
            try:
                self.retry()
            except Exception:
                log.exception("trying Secrets again failed")

    def _attempt(self, filled: Filled, entries: Sequence[Mapping[str, Any]], deadline: Deadline, failures: int) -> None:
        began = self._clock()
        problems: list[str] = []
        try:
            written = self._all(filled, entries, deadline, problems)
        except Exception:
            log.exception("the Secrets of the volume %s are not up to date", filled.target)
            problems, written = ["see the driver's log on this node"], 0
        if problems:
            self._failed(filled, problems, failures)
        else:
            self._said.over(str(filled.target))
        if written:
            self._metrics.synced(filled.provider, written)
            self._metrics.sync_took(self._clock() - began)

    def _all(
        self, filled: Filled, entries: Sequence[Mapping[str, Any]], deadline: Deadline, problems: list[str]
    ) -> int:
        """Bring them up to date, each for itself; how many were written."""
        contents = contents_of(entries, filled.files, problems)
        due = {name: one for name, one in contents.items() if not self._is_right(filled.target, name, one)}
        written = 0
        try:
            owners = self._writer.owners(filled) if due else None
        except SyncProblem as error:
            problems.append(error.message)
            return 0
        for name, content in due.items() if owners is not None else ():
            wanted = Wanted(filled.pod.namespace, name, filled.of_class, content, owners or (), filled.fetched_at)
            try:
                written += self._write(wanted, deadline)
                self._remember(filled.target, name, content)
            except SyncProblem as error:
                problems.append(f"Secret {name}: {error.message}")
        return written

    def _write(self, wanted: Wanted, deadline: Deadline) -> bool:
        if deadline.remaining() < _LEAST_SECONDS:
            raise SyncProblem("there was no time left for it")
        return self._writer.write(wanted)

    def _failed(self, filled: Filled, problems: Sequence[str], failures: int) -> None:
        message = "; ".join(dict.fromkeys(problems))
        self._metrics.sync_failed(filled.provider)
        if self._said.is_news(str(filled.target), message):
            log.warning("Secrets of class %s for the volume %s: %s", filled.of_class, filled.target, message)
            self._events.tell(filled.pod, sync_failed(filled.of_class, message))
        pause = min(_FIRST_PAUSE_SECONDS * 2 ** min(failures, _DOUBLINGS), _MAX_PAUSE_SECONDS)
        with self._lock:
            if filled.target in self._right and filled.target not in self._waiting:
                self._waiting[filled.target] = _Waiting(filled, failures + 1, self._clock() + pause)

    def _is_right(self, target: Path, name: str, content: Content) -> bool:
        with self._lock:
            known = self._right.get(target, {}).get(name)
        return (
            known is not None and self._clock() - known[1] < RECHECK_SECONDS and known[0] == self._fingerprint(content)
        )

    def _remember(self, target: Path, name: str, content: Content) -> None:
        with self._lock:
            if target in self._right:
                self._right[target][name] = self._fingerprint(content), self._clock()

    def _fingerprint(self, content: Content) -> bytes:
        """Of what a Secret holds, in this process only: its key is nobody else's."""
        digest = hashlib.blake2b(content.shape.encode(), key=self._key)
        for key in sorted(content.data):
            digest.update(hashlib.blake2b(content.data[key].reveal(), key=self._key).digest())
        return digest.digest()
