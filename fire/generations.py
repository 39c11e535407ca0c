"""Contents of a volume that can be told from each other: every file says of which generation it is."""

import random
from dataclasses import dataclass
from functools import lru_cache

from sscsi_shared.mount import SecretFile
from sscsi_shared.secret import SecretBytes

ALWAYS = "always"
"""A file of every generation."""
_SOMETIMES = ("password", "tls/key", "tls/chain/root", "a b", "é", "either")
_SIZES = (0, 16, 4096, 65_537)
_MODES = (0o400, 0o440, 0o444, 0o644)


@dataclass(frozen=True, slots=True)
class Content:
    """What a file must be."""

    mode: int
    contents: bytes


@lru_cache(8)
def generation(seed: int, number: int) -> dict[str, Content]:
    """The files of a generation, by path; `either` is a file in one and a folder in another."""
    dice = random.Random(f"{seed}/{number}")
    paths = [ALWAYS, *(path for path in _SOMETIMES if dice.random() < 0.7)]
    if "either" in paths and dice.random() < 0.5:
        paths[paths.index("either")] = "either/below"
    return {
        path: Content(dice.choice(_MODES), f"{number} {path}\n".encode() + dice.randbytes(dice.choice(_SIZES)))
        for path in paths
    }


def number_of(contents: bytes) -> int:
    """Of which generation a file says that it is.

    Raises:
        ValueError: it says nothing.
    """
    return int(contents[: contents.index(b" ")])


def secret_files(seed: int, number: int) -> list[SecretFile]:
    """A generation as the writer takes it."""
    return [SecretFile(path, one.mode, SecretBytes(one.contents)) for path, one in generation(seed, number).items()]
