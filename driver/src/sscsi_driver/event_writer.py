"""Events at the API server: written by one thread, out of the way of every mount; some may get lost, none holds up."""

import logging
import queue
import secrets
import threading
import time
from typing import Any, Final

from lightkube.generic_resource import create_namespaced_resource

from sscsi_driver.events import Event, event_body
from sscsi_driver.kube import Kube, KubeError
from sscsi_shared.deadline import Clock
from sscsi_shared.mount import PodInfo

log = logging.getLogger(__name__)

_EVENT: Final = create_namespaced_resource("", "v1", "Event", "events")
_MAX_WAITING: Final = 512
_STOP_LOOK_SECONDS: Final = 1.0


class ApiEvents:
    """An Events at an API server; needs the right to create events.

    Args:
        kube: the API server.
        node: the node's name.
        now: seconds since 1970.
    """

    def __init__(self, kube: Kube, node: str, now: Clock = time.time) -> None:
        self._kube = kube
        self._node = node
        self._now = now
        self._waiting: queue.Queue[dict[str, Any]] = queue.Queue(_MAX_WAITING)
        self._trouble = ""

    def start(self, stopping: threading.Event) -> None:
        """Write what is told, in a thread of its own."""
        threading.Thread(target=self._run, args=(stopping,), name="events", daemon=True).start()

    def tell(self, pod: PodInfo, event: Event) -> None:
        """See Events; where too many wait, this one is left out."""
        body = event_body(pod, event, self._node, secrets.token_hex(8), self._now())
        try:
            self._waiting.put_nowait(body)
        except queue.Full:
            self._told("too many of them wait")

    def write_one(self, timeout: float) -> bool:
        """Write the next one; False if none came within `timeout` seconds."""
        try:
            body = self._waiting.get(timeout=timeout)
        except queue.Empty:
            return False
        try:
            self._kube.ask(
                "create events",
                lambda client: client.create(_EVENT(**body), namespace=body["metadata"]["namespace"]),
            )
        except KubeError as error:
            self._told(error.said)
        else:
            self._trouble = ""
        return True

    def _run(self, stopping: threading.Event) -> None:
        while not stopping.is_set():
            try:
                self.write_one(_STOP_LOOK_SECONDS)
            except Exception:
                log.exception("writing an event failed")

    def _told(self, trouble: str) -> None:
        """Say it once."""
        if not self._trouble:
            log.warning("events of pods are not written: %s", trouble)
        self._trouble = trouble
