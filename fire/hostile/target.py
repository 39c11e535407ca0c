"""What is fuzzed: a reader of bytes that strangers write, examples of them, and what it may answer."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PARTING: Final = b"\0"
"""Between the pieces of an input that has several."""
ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Target:
    """One reader.

    Attributes:
        name: as the table has it.
        read: returns where it accepts; raises one of `ours` where it refuses; all else is a finding.
        ours: our own errors.
        seeds: inputs to begin with; most are accepted.
        words: what inputs of this kind are made of: for the dictionary, and to be repeated without end.
        grammar: makes a hypothesis strategy of inputs; None = there is none.
        most: bytes of the largest input that can reach it.
        seconds: of the processor that an input of `most` bytes may take; smaller ones get less, not below a fifth.
        costly: how many times dearer an input is than those of readers of text, so that fewer are tried.
    """

    name: str
    read: Callable[[bytes], object]
    ours: tuple[type[Exception], ...]
    seeds: Sequence[bytes]
    words: Sequence[bytes] = ()
    grammar: Callable[[], Any] | None = None
    most: int = 1 << 20
    seconds: float = 5.0
    costly: int = 1


def text(data: bytes) -> str:
    """As protobuf gives a string: always UTF-8."""
    return data.decode("utf-8", "replace")


def pieces(data: bytes, number: int) -> list[bytes]:
    """The pieces of an input; empty where there are fewer."""
    found = data.split(PARTING, number - 1)
    return found + [b""] * (number - len(found))


def joined(*parts: str | bytes) -> bytes:
    """An input of several pieces."""
    return PARTING.join(part.encode() if isinstance(part, str) else part for part in parts)


def words(line: str) -> tuple[bytes, ...]:
    """Words between blanks."""
    return tuple(word.encode() for word in line.split())


def class_parameters(cloud: str, key: str) -> Iterable[str]:
    """What classes of the examples, of pages and of deployments have under a parameter."""
    import yaml

    for path in sorted((ROOT / "examples").rglob("*.yaml")):
        try:
            documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
        except yaml.YAMLError:  # as printed: typographic quotation marks
            continue
        for document in documents:
            spec = (document or {}).get("spec") or {}
            if spec.get("provider") == cloud and key in (spec.get("parameters") or {}):
                yield spec["parameters"][key]
