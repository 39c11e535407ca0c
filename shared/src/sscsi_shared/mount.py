"""The values that a Mount passes through, from what the driver sent to the files that go back.

    MountInput -> (the provider's request) -> MountPlan -> Read, one for each object -> MountResult

All of them are frozen and compare by value, so that a test can say what a whole step yields.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, NewType, Protocol, TypeVar

from sscsi_shared.deadline import Instant
from sscsi_shared.paths import Naming
from sscsi_shared.secret import SecretBytes, SecretText
from sscsi_shared.tokens import ServiceAccountTokens
from sscsi_shared.transform import WHOLE, Split, Transform

ObjectT = TypeVar("ObjectT")

Place = NewType("Place", str)
"""What needs a login of its own: an AWS region; one for each cloud or server elsewhere."""

CSI_PREFIX: Final = "csi.storage.k8s.io/"
"""Keys of kubelet's own (Kubernetes CSI, podInfoOnMount and tokenRequests)."""


@dataclass(frozen=True, slots=True)
class PodInfo:
    """The pod whose volume is filled, as kubelet says."""

    namespace: str
    name: str
    uid: str
    service_account: str


@dataclass(frozen=True, slots=True)
class MountInput:
    """A MountRequest, read.

    Attributes:
        attributes: the class's parameters overlaid by the pod's; without the keys of kubelet's own.
        secrets: the entries of the Secret named by nodePublishSecretRef; without such keys.
        pod: whose volume it is.
        tokens: the service account's tokens, by audience.
        target_path: the volume's path on the host.
        default_mode: permission bits of a file that names none.
        current_versions: object versions mounted now, by id; not to be trusted for content.
    """

    attributes: Mapping[str, str]
    secrets: Mapping[str, SecretText]
    pod: PodInfo
    tokens: ServiceAccountTokens
    target_path: str
    default_mode: int = 0o644
    current_versions: Mapping[str, str] = field(default_factory=dict)


class Stamp(Protocol):
    """How a file's version is made of its content, where the backend's own is not what is reported."""

    def version(self, contents: bytes) -> str:
        """The version of a file with this content."""


@dataclass(frozen=True, slots=True)
class Output:
    """One file that a read becomes.

    Attributes:
        path: relative to the volume's root.
        mode: permission bits.
        transform: from the object's content to the file's.
        id: the object version's id; several files bear one only where they are made of one object.
        stamp: makes the version; None = it is the backend's.
    """

    path: str
    mode: int
    id: str
    transform: Transform = WHOLE
    stamp: Stamp | None = None


@dataclass(frozen=True, slots=True)
class Spread:
    """As many files as a read turns out to hold: one for each of its items, or for each key of their JSON.

    Attributes:
        naming: from an item's name or a key to a path.
        mode: permission bits.
        split: from an item's content to named ones, whose names follow the item's own; None = each item is one, under
            its own name.
        transform: before that.
        stamp: as of an Output.
        id: the object version's id, with `/` and the item's name where it has one; empty = the file's path.
    """

    naming: Naming
    mode: int
    split: Split | None = None
    transform: Transform = WHOLE
    stamp: Stamp | None = None
    id: str = ""


@dataclass(frozen=True, slots=True)
class PlannedRead(Generic[ObjectT]):
    """One object to be read, and the files that it becomes.

    Attributes:
        name: the object in the author's words, for messages.
        candidates: where to read it; the next is asked only after an outcome that may pass by itself (fail-over), or
            one that says so (HeldElsewhere).
        outputs: at least one.
        optional: whether the mount goes on without it where it does not exist.
        in_turn: whether the next candidate is asked only where one says so (HeldElsewhere), and not where it fails.
        everywhere: whether all candidates are asked each time, and one that lacks the object fails the mount though
            another has it; the first that has it is taken all the same.
    """

    name: str
    candidates: tuple[tuple[Place, ObjectT], ...]
    outputs: tuple[Output | Spread, ...]
    optional: bool = False
    everywhere: bool = False
    in_turn: bool = False


@dataclass(frozen=True, slots=True)
class MountPlan(Generic[ObjectT]):
    """Everything that a mount reads, in the order of the class."""

    reads: tuple[PlannedRead[ObjectT], ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One content.

    Attributes:
        contents: what the backend holds.
        version: that the backend gave it.
        name: by which the backend tells it from the others of its read; empty where it is the only one.
    """

    contents: SecretBytes
    version: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """What there is of one object.

    Attributes:
        items: one; or as many as there are where the object stands for several (a path, a prefix, a history).
        pinned: whether this content can never change under the object's name and version, so that it may be kept for
            longer than others.
        read_at: when the fetch that brought it began; None = nobody has said.
    """

    items: tuple[Item, ...]
    pinned: bool = False
    read_at: Instant | None = field(default=None, compare=False)

    @classmethod
    def of(cls, contents: SecretBytes, version: str, *, pinned: bool = False) -> "Read":
        """The read of an object with one content."""
        return cls((Item(contents, version),), pinned)

    @property
    def only(self) -> Item:
        """The item of an object with one content.

        Raises:
            ValueError: there are none or several.
        """
        (item,) = self.items
        return item


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A file to be written: relative path, permission bits, contents."""

    path: str
    mode: int
    contents: SecretBytes


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """What was read, as reported to the driver."""

    id: str
    version: str


@dataclass(frozen=True, slots=True)
class MountResult:
    """The whole content of a volume, in the order of the class.

    Attributes:
        files: to be written.
        versions: of what was read.
        read_at: when the oldest fetch of what may change began; None = nobody has said.
    """

    files: tuple[SecretFile, ...]
    versions: tuple[ObjectVersion, ...]
    read_at: Instant | None = field(default=None, compare=False)
