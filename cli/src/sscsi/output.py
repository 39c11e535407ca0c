"""What a person sees: numbered steps, aligned, in colour on a terminal only (no-color.org)."""

import os
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_BOLD, _DIM, _GREEN, _RED, _YELLOW = "1", "2", "32", "31", "33"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, as it is shown.

    Attributes:
        path: relative to the volume's root.
        mode: permission bits.
        size: bytes.
        text: its content, where that may be shown; None = not.
    """

    path: str
    mode: int
    size: int
    text: str | None = None


class Console:
    """Writes to standard output."""

    def __init__(self) -> None:
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._steps = 0

    def title(self, text: str) -> None:
        """What all of it is about."""
        print(f"\n{self._paint(_BOLD, text)}\n", flush=True)

    def step(self, text: str) -> None:
        """Begin a numbered step."""
        self._steps += 1
        print(f"{self._paint(_BOLD, f'{self._steps:>2}')}  {text}", flush=True)

    def done(self, text: str) -> None:
        """Something was shown to be so."""
        print(f"    {self._paint(_GREEN, '✓')} {text}", flush=True)

    def failed(self, text: str) -> None:
        """Something was not so."""
        print(f"    {self._paint(_RED, '✗')} {text}", flush=True)

    def skipped(self, text: str) -> None:
        """Something could not be shown here, and why."""
        print(f"    {self._paint(_YELLOW, '–')} skipped: {text}", flush=True)

    def note(self, text: str) -> None:
        """A line below a step."""
        for line in text.splitlines():
            print(f"      {self._paint(_DIM, line)}", flush=True)

    def line(self, text: str = "") -> None:
        """A line as it is."""
        print(text, flush=True)

    def _paint(self, colour: str, text: str) -> str:
        return f"\033[{colour}m{text}\033[0m" if self._colour else text


def printable(text: str) -> str:
    """Text of others, such that it can't steer a terminal: control characters and the like as escapes, lines kept."""
    return "".join(
        one if one == "\n" or unicodedata.category(one) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} else ascii(one)[1:-1]
        for one in text
    )


def tree(entries: Iterable[Entry], versions: Mapping[str, str]) -> str:
    """The files, a line each: mode, size, path; then the object versions.

    Args:
        entries: the files.
        versions: object version by id.
    """
    files = [(_one_line(entry.path), entry) for entry in sorted(entries, key=lambda entry: entry.path)]
    width = max((len(path) for path, _ in files), default=0)
    lines = []
    for path, entry in files:
        shown = "" if entry.text is None else f"   {entry.text!r}"
        lines.append(f"{entry.mode:04o}  {entry.size:>7} B  {path:<{width}}{shown}".rstrip())
    if not files:
        lines.append("(no files)")
    if versions:
        lines.append("object versions:")
        named = {_one_line(name): _one_line(version) for name, version in versions.items()}
        wide = max(len(name) for name in named)
        lines += [f"  {name:<{wide}}  {version}" for name, version in sorted(named.items())]
    return "\n".join(lines)


def _one_line(text: str) -> str:
    return printable(text).replace("\n", "\\n")
