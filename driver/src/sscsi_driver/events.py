"""PURE: what a person reads in `kubectl describe pod` beside kubelet's own events; each when a state changes, once."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from sscsi_shared.deadline import Instant
from sscsi_shared.errors import clip
from sscsi_shared.mount import PodInfo

COMPONENT: Final = "sscsi-driver"
MAX_MESSAGE_BYTES: Final = 1024
"""What events.k8s.io allows (recording 11); the core API takes more, other readers do not."""
_MAX_POD_NAME: Final = 200


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a pod.

    Attributes:
        reason: one word that tools filter by.
        message: a sentence, and what to do; no secret in it.
        warning: whether somebody should do something.
    """

    reason: str
    message: str
    warning: bool = False


class Events(Protocol):
    """Who tells pods."""

    def tell(self, pod: PodInfo, event: Event) -> None:
        """Tell it, soon; never waits, never raises."""


class NoEvents:
    """Outside of a cluster: the log tells."""

    def tell(self, pod: PodInfo, event: Event) -> None:
        """See Events."""


def mounted(of_class: str, provider: str, interval: float | None, rotation_off: str) -> Event:
    """A volume was filled for the first time.

    Args:
        of_class: the class.
        provider: who filled it.
        interval: seconds until it is asked for again; None = never.
        rotation_off: why not, where somebody may not know.
    """
    again = f"asked for again every {interval:g} s" if interval is not None else "not asked for again"
    text = f"SecretProviderClass {of_class} is mounted by provider {provider}, and {again}"
    return Event("Mounted", f"{text}. {rotation_off}".strip() if rotation_off else f"{text}.", bool(rotation_off))


def rotated(of_class: str) -> Event:
    """A filled volume has new content."""
    return Event(
        "Rotated",
        f"SecretProviderClass {of_class} has new content, and so has the volume. A container that mounts it by "
        "subPath, or read it at its start, does not see it until it restarts.",
    )


def rotation_failed(of_class: str, message: str) -> Event:
    """A filled volume could not be asked for again.

    Args:
        of_class: the class.
        message: why, and what to do.
    """
    return Event(
        "RotationFailed",
        f"SecretProviderClass {of_class}: the volume keeps its previous content, and is tried again. {message}",
        warning=True,
    )


def sync_failed(of_class: str, message: str) -> Event:
    """Secrets that a class asks for are not there, or not up to date.

    Args:
        of_class: the class.
        message: which, why, and what to do.
    """
    return Event(
        "SyncFailed",
        f"SecretProviderClass {of_class}: a Secret of its secretObjects is not up to date, and is tried again; the "
        f"volume's files are. {message}",
        warning=True,
    )


def rotation_off(driver_name: str) -> str:
    """Why volumes do not rotate though the operator wants it."""
    return (
        f"Rotation is off: the CSIDriver object {driver_name} has no requiresRepublish, so kubelet sends no newer "
        f'tokens: kubectl patch csidriver {driver_name} --type=merge -p \'{{"spec":{{"requiresRepublish":true}}}}\''
    )


def event_body(pod: PodInfo, event: Event, node: str, unique: str, now: Instant) -> dict[str, Any]:
    """The core v1 Event.

    Args:
        pod: whom it is about.
        event: what happened.
        node: the node's name.
        unique: tells its name from others.
        now: seconds since 1970.
    """
    time = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{pod.name[:_MAX_POD_NAME].rstrip('.-')}.{unique}", "namespace": pod.namespace},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "namespace": pod.namespace,
            "name": pod.name,
            "uid": pod.uid,
        },
        "reason": event.reason,
        "message": clip(event.message, MAX_MESSAGE_BYTES),
        "type": "Warning" if event.warning else "Normal",
        "source": {"component": COMPONENT, "host": node},
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }
