"""Where a volume's content goes beside its files: the Kubernetes Secrets that its class asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sscsi_shared.deadline import Deadline, Instant
from sscsi_shared.mount import PodInfo
from sscsi_shared.secret import SecretBytes


@dataclass(frozen=True, slots=True)
class Filled:
    """A volume's content, as it was fetched.

    Attributes:
        target: the volume.
        pod: whose it is.
        of_class: the class's name.
        provider: who fetched it.
        files: path -> contents.
        fetched_at: when the fetch began.
    """

    target: Path
    pod: PodInfo
    of_class: str
    provider: str
    files: Mapping[str, SecretBytes]
    fetched_at: Instant


class SecretSink(Protocol):
    """What makes Secrets of content."""

    def write(self, filled: Filled, entries: Sequence[Mapping[str, Any]], deadline: Deadline) -> None:
        """Bring the Secrets of a volume up to date; never raises."""

    def forget(self, target: Path) -> None:
        """The volume is gone."""


class NoSecrets:
    """Outside of a cluster there are none."""

    def write(self, filled: Filled, entries: Sequence[Mapping[str, Any]], deadline: Deadline) -> None:
        """See SecretSink."""

    def forget(self, target: Path) -> None:
        """See SecretSink."""
