"""Fresh content is wanted now: the annotation sscsi.dev/refresh of a class, for all nodes, or of a pod, for itself.

Neither classes nor pods are watched. Once a minute each class in use is read (once for the node), and this node's pods
are listed with one request (docs/adr/0018-annotations-are-looked-at-once-a-minute.md).
"""

import logging
import random
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

from sscsi_driver.errors import PublishError
from sscsi_driver.filling import Filler
from sscsi_driver.memory import Memory, NodeVolumes
from sscsi_driver.schedule import Group

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 60.0


class PodWords(Protocol):
    """What this node's pods say."""

    def refresh_words(self) -> Mapping[str, str] | None:
        """The annotation sscsi.dev/refresh of each pod, by its uid, empty where it has none; None: nobody can say."""


class NobodySays:
    """Outside of a cluster."""

    def refresh_words(self) -> Mapping[str, str] | None:
        """See PodWords."""
        return None


class Annotations:
    """Looks whether an annotation has changed, and lets the volumes be fetched now.

    Args:
        filler: reads classes.
        pods: what the pods say.
        volumes: what is remembered of volumes.
        force: lets those be fetched now that are wanted; how many.
        interval: seconds between two looks; 0 = never.
        jitter: from 0 to 1: when the first look comes, so that nodes that start together don't ask together.
    """

    def __init__(
        self,
        *,
        filler: Filler,
        pods: PodWords,
        volumes: NodeVolumes,
        force: Callable[[Callable[[Path, Group], bool]], int],
        interval: float = LOOK_SECONDS,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._filler = filler
        self._pods = pods
        self._volumes = volumes
        self._force = force
        self._interval = interval
        self._jitter = jitter

    def start(self, stopping: threading.Event) -> None:
        """Look again and again, in a thread of its own: a silent API server holds up no rotation."""
        if self._interval > 0:
            threading.Thread(target=self._run, args=(stopping,), name="annotations", daemon=True).start()

    def look(self) -> None:
        """One look; a node without volumes asks nobody."""
        memories = self._volumes.memories()
        if memories:
            self._look_at_classes(memories)
            self._look_at_pods(memories)

    def _run(self, stopping: threading.Event) -> None:
        pause = self._interval * (1 + self._jitter())
        while not stopping.wait(pause):
            pause = self._interval
            try:
                self.look()
            except Exception:
                log.exception("looking at annotations failed")

    def _look_at_classes(self, memories: list[Memory]) -> None:
        words: dict[tuple[str, str], set[str]] = {}
        for memory in memories:
            if memory.refresh is not None:
                words.setdefault((memory.pod.namespace, memory.of_class), set()).add(memory.refresh)
        for (namespace, name), known in words.items():
            try:
                word = self._filler.class_of(namespace, name).refresh
            except PublishError:  # the next fetch says why
                continue
            if known != {word}:
                number = self._force(lambda _, group: (group.namespace, group.of_class) == (namespace, name))  # noqa: B023
                log.info("class %s/%s asks for a refresh: fetching %d volumes", namespace, name, number)
                for memory in memories:
                    if (memory.pod.namespace, memory.of_class) == (namespace, name):
                        memory.refresh = word

    def _look_at_pods(self, memories: list[Memory]) -> None:
        """A word that was there at the first look counts too: it may be younger than the volume."""
        words = self._pods.refresh_words() or {}
        for memory in memories:
            word = words.get(memory.pod.uid, memory.pod_refresh)
            if word and word != memory.pod_refresh:
                target = memory.request.target
                self._force(lambda one, _: one == target)  # noqa: B023
                log.info("pod %s/%s asks for a refresh of %s", memory.pod.namespace, memory.pod.name, target)
            memory.pod_refresh = word
