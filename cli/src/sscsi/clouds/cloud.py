"""What the demo needs to know of a cloud."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, Protocol, Self

from sscsi_emulators.kubernetes import KubernetesEmulator

NAMESPACE: Final = "application-one"
ACCOUNT: Final = "csi-provider-user"
CLASS: Final = "application-one-spc"
POD: Final = "nginx-secrets-store-inline"
VALUE: Final = "h+7Q?D7ydVXrzCXn"
"""The article's sample value, public as it is."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What all clouds of a stage stand on.

    Attributes:
        kubernetes: who signs the pods' tokens.
        folder: temporary, for a backend's own files; nobody else may read it.
    """

    kubernetes: KubernetesEmulator
    folder: Path


class Cloud(Protocol):
    """A backend on this machine, from `with` to its end, which holds the secret of the article's class.

    Attributes:
        name: `spec.provider`, the socket's stem, and the folder of its manifests in examples/.
        title: for people.
        audience: of the pod's token.
        rights: (verb, resource) of Kubernetes that its provider needs.
        file: where the article's class puts the secret, relative to the volume's root.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    audience: ClassVar[str]
    rights: ClassVar[tuple[tuple[str, str], ...]]
    file: ClassVar[str]

    def __init__(self, ground: Ground) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @property
    def calls(self) -> Counter[str]:
        """How often each operation of the backend was asked for."""

    def put(self, value: str) -> None:
        """Give the secret of the article's class this value."""

    def flags(self) -> list[str]:
        """Of the provider: where its backend is."""

    def environ(self) -> Mapping[str, str]:
        """Of the provider: variables, where a flag does not do."""

    def parameters(self, printed: Mapping[str, str]) -> Mapping[str, str]:
        """The article's parameters, with the addresses of this machine in place of those that it prints."""

    def handed_out(self) -> Iterable[str]:
        """Tokens and keys that the backend gave out: nothing may print them."""
