"""The node's startup taint: taken off once this node can really mount secrets.

A cluster's autoscaler adds nodes with the taint `<driver>/agent-not-ready:NoExecute`, so that no pod meets a node whose
driver or providers are still starting. Taken off too early it is worth nothing: CSINode must list the driver, and the
providers that the operator counts on must answer.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from sscsi_driver.dispatch import Providers
from sscsi_driver.errors import PublishError
from sscsi_shared.deadline import Deadline

log = logging.getLogger(__name__)

_VERSION_SECONDS: Final = 5.0
_PAUSES: Final = (1.0, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""Between two looks; the last one stays."""
TAINT_SUFFIX: Final = "agent-not-ready"


class NodeObjects(Protocol):
    """The API server's objects of this node."""

    def registered(self) -> frozenset[str]:
        """The drivers that CSINode lists.

        Raises:
            PublishError: it can't be read.
        """

    def taints(self) -> list[dict[str, Any]] | None:
        """The Node's taints; None where we have no right to see them: the role for it is optional.

        Raises:
            PublishError: it can't be read.
        """

    def patch_taints(self, patch: Sequence[Mapping[str, Any]]) -> bool:
        """Send a JSON patch of the Node; False if its test failed, for somebody else changed the taints meanwhile.

        Raises:
            PublishError: it was refused.
        """


def removal(taints: Sequence[Mapping[str, Any]], key: str) -> list[dict[str, Any]]:
    """PURE: the JSON patch that takes the taint off and touches no other; empty if it is not there.

    Taints have no merge key: any other kind of patch would replace those that somebody adds meanwhile. So the patch
    tests that the list is still the one that was read.
    """
    kept = [taint for taint in taints if taint.get("key") != key]
    if len(kept) == len(taints):
        return []
    change = (
        {"op": "replace", "path": "/spec/taints", "value": kept} if kept else {"op": "remove", "path": "/spec/taints"}
    )
    return [{"op": "test", "path": "/spec/taints", "value": list(taints)}, change]


class StartUp:
    """Waits until this node can mount secrets, and then takes the taint off.

    Args:
        providers: who is asked for a Version.
        required: the providers that must answer.
        driver_name: as CSINode lists it.
        node: the node's objects; None = outside of a cluster, only the log tells.
        taint: its key.
    """

    def __init__(
        self, *, providers: Providers, required: Sequence[str], driver_name: str, node: NodeObjects | None, taint: str
    ) -> None:
        self._providers = providers
        self._required = required
        self._driver_name = driver_name
        self._node = node
        self._taint = taint
        self._missing = ""

    def start(self, stopping: threading.Event) -> None:
        """Look until it is done, in a thread of its own."""
        threading.Thread(target=self._run, args=(stopping,), name="startup", daemon=True).start()

    def look(self) -> bool:
        """One look; whether nothing is left to do."""
        missing = self._look()
        if missing and missing != self._missing:  # one line for a change of state
            log.info("this node is not ready for secrets yet: %s", missing)
        self._missing = missing
        return not missing

    def _run(self, stopping: threading.Event) -> None:
        for number in range(1 << 30):
            try:
                if self.look():
                    return
            except Exception:
                log.exception("looking whether this node is ready failed")
            if stopping.wait(_PAUSES[min(number, len(_PAUSES) - 1)]):
                return

    def _look(self) -> str:
        """What is missing; empty if nothing is."""
        for provider in self._required:
            try:
                self._providers.version(provider, Deadline.after(_VERSION_SECONDS))
            except PublishError as error:
                return error.message
        if self._node is None:
            return ""
        try:
            return self._untaint(self._node)
        except PublishError as error:
            return error.message

    def _untaint(self, node: NodeObjects) -> str:
        taints = node.taints()
        if taints is None:
            log.info("this driver may not read nodes, and takes no startup taint off")
            return ""
        patch = removal(taints, self._taint)
        if not patch:
            return ""
        if self._driver_name not in node.registered():
            return f"kubelet has not registered {self._driver_name} yet (CSINode)"
        if not node.patch_taints(patch):
            return "the node's taints changed in between; reading them again"
        log.info(
            "took the taint %s off this node: the driver and %d required providers answer",
            self._taint,
            len(self._required),
        )
        return ""
