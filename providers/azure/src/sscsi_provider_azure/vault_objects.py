"""PURE: what can be read of a vault."""

from dataclasses import dataclass
from typing import Final, TypeAlias

from sscsi_shared.object_fields import Selection


@dataclass(frozen=True, slots=True)
class VaultObject:
    """One object of a vault.

    Attributes:
        vault: its name, as written.
        name: of the object.
        version: empty = the newest.
        history: how many versions, from that one on backwards; 0 = that one alone.
        password: name of the secret with the password of a PKCS#12 file; empty = none.
    """

    vault: str
    name: str
    version: str = ""
    history: int = 0
    password: str = ""


@dataclass(frozen=True, slots=True)
class Secret(VaultObject):
    """A secret."""


@dataclass(frozen=True, slots=True)
class Key(VaultObject):
    """A key's public half."""


@dataclass(frozen=True, slots=True)
class Certificate(VaultObject):
    """A certificate without its private key."""


@dataclass(frozen=True, slots=True)
class Found:
    """Objects by what they have in common.

    Attributes:
        vault: its name, as written.
        kind: of the objects.
        selection: which of them.
    """

    vault: str
    kind: type[VaultObject]
    selection: Selection


AzureObject: TypeAlias = Secret | Key | Certificate | Found
KINDS: Final[dict[str, type[Secret] | type[Key] | type[Certificate]]] = {
    "secret": Secret,
    "key": Key,
    "cert": Certificate,
}
WORDS: Final[dict[type, str]] = {kind: word for word, kind in KINDS.items()}
