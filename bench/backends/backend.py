"""What the bench needs to know of a cloud."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Protocol, Self


@dataclass(frozen=True, slots=True)
class Promises:
    """The most that each figure may be; CONTRIBUTING.md says where they come from.

    Attributes:
        first_calls: calls of the backend for the first mount of ten secrets.
        crowd_calls: for 50 pods of one service account at once, ten secrets each.
        round_trips: median of a cold mount, in the backend's latencies.
        warm_ms: median of a mount of what is known, milliseconds.
        crowd_seconds: until the last of 100 pods of one service account has its volume, at 20 ms.
        idle_mib: resident memory 10 s after the first mount.
    """

    first_calls: int
    crowd_calls: int
    round_trips: float
    idle_mib: float
    warm_ms: float = 5.0
    crowd_seconds: float = 1.0


class Backend(Protocol):
    """A fast stand-in on this machine that counts and waits, from `with` to its end; whatever is asked for exists.

    Attributes:
        name: `spec.provider`, and the socket's stem.
        audience: of the pods' tokens.
        promises: what its provider is held to.
    """

    name: ClassVar[str]
    audience: ClassVar[str]
    promises: ClassVar[Promises]

    def __init__(self, latency: float, folder: Path) -> None:
        """With seconds that each answer is held back, and a folder for its own files."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @property
    def calls(self) -> Counter[str]:
        """How often each operation was asked for."""

    def flags(self) -> list[str]:
        """Of the provider: where its backend is."""

    def environ(self) -> Mapping[str, str]:
        """Of the provider: variables, where a flag does not do."""

    def annotations(self, account: str) -> Mapping[str, str]:
        """Of a service account, which says who it is for the backend."""

    def parameters(self, secrets: int) -> Mapping[str, str]:
        """Of a class with so many secrets."""
