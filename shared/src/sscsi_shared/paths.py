"""Where a file may lie in a volume, and with which permission bits.

The rules are those of the Secrets Store CSI driver's atomic writer, which refuses the whole mount at the first bad
path. To them we add what that writer notices late or never: two outputs at one path, a file under a file, NUL.
Lengths are bytes of UTF-8. A backslash is a common character.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from sscsi_shared.errors import InvalidParameters, clip

MAX_PATH_BYTES: Final = 4096
MAX_ELEMENT_BYTES: Final = 255
MAX_MODE: Final = 0o777

_OCTAL_MODE: Final = re.compile(r"[0-7]{4}")


def _shown(path: str) -> str:
    """A path as a message shows it: on one line, short, whatever it holds."""
    return f"`{_plain(path)}`"


def _plain(text: str) -> str:
    return clip(text if text.isprintable() else ascii(text)[1:-1], 120)


def check_path(path: str) -> str:
    """Give back `path` if a file may lie there.

    Args:
        path: relative to the volume's root, elements parted by `/`.

    Raises:
        InvalidParameters: it is empty, absolute, unclean, too long, climbs out, or is reserved for the writer.
    """
    if not path:
        raise InvalidParameters("invalid path: must not be empty.")
    if "\0" in path:
        raise InvalidParameters(f"invalid path: must not contain a NUL character: {_shown(path)}.")
    try:
        size = len(path.encode())
    except UnicodeEncodeError as error:
        raise InvalidParameters(f"invalid path: must be text that UTF-8 can encode: {_shown(path)}.") from error
    if size > MAX_PATH_BYTES:
        raise InvalidParameters(
            f"invalid path: must be at most {MAX_PATH_BYTES} bytes long, but has {size}: {_shown(path)}."
        )
    if path.startswith("/"):
        raise InvalidParameters(
            f"invalid path: must not be absolute: {_shown(path)}.", hint="Paths are relative to the volume's root."
        )
    elements = path.split("/")
    if ".." in elements:
        raise InvalidParameters(
            f"invalid path: must not contain '..' as an element: {_shown(path)}.",
            hint="Paths are relative to the volume's root, and stay in it.",
        )
    if elements[0].startswith(".."):
        raise InvalidParameters(
            f"invalid path: must not start with '..': {_shown(path)}.",
            hint="Such names belong to the writer, which swaps the files by the link `..data`: write another one.",
        )
    if "" in elements or "." in elements:
        clean = "/".join(element for element in elements if element not in {"", "."})
        raise InvalidParameters(
            f"invalid filepath: must be in its shortest form: {_shown(path)}.",
            hint=f"Write {_shown(clean)}." if clean else "It names no file.",
        )
    for element in elements:
        if len(element.encode()) > MAX_ELEMENT_BYTES:
            raise InvalidParameters(
                f"invalid path: each element must be at most {MAX_ELEMENT_BYTES} bytes long: {_shown(path)}."
            )
    return path


@dataclass(frozen=True, slots=True)
class Naming:
    """How a name in a backend becomes a path in the volume.

    Attributes:
        slash: what takes the place of each slash; empty = slashes stay, and make directories; those in front go.
        prefix: comes before the name.
        strip: is taken away from the name's beginning first, with the slashes after it.
    """

    slash: str = ""
    prefix: str = ""
    strip: str = ""

    def path(self, name: str) -> str:
        """The path; `check_path` says whether a file may lie there."""
        whole = self.prefix + (name.removeprefix(self.strip).lstrip("/") if self.strip else name)
        return whole.replace("/", self.slash) if self.slash else whole.lstrip("/")


def climbs(path: str) -> bool:
    """Whether an element of the path is `..`."""
    return ".." in path.split("/")


def check_layout(paths: Sequence[str]) -> None:
    """Check that all of `paths` can stand in one volume.

    Raises:
        InvalidParameters: one of them is bad, two are the same, or one lies under another that is a file.
    """
    for path in paths:
        check_path(path)
    # NUL is in no path and comes before every other character: sorted so, a file stands right before what is under it.
    ordered = sorted(path.replace("/", "\0") for path in paths)
    for upper, lower in pairwise(ordered):
        file, other = _shown(upper.replace("\0", "/")), _shown(lower.replace("\0", "/"))
        if upper == lower:
            raise InvalidParameters(
                f"invalid path: two outputs would be written to one file: {file}.",
                hint="Give one of them a name of its own.",
            )
        if lower.startswith(upper + "\0"):
            raise InvalidParameters(
                f"invalid path: {other} would lie under {file}, which is a file.", hint="Rename one of them."
            )


def check_mode(mode: int) -> int:
    """Give back `mode` if it is permission bits from 0 to 0o777.

    Raises:
        InvalidParameters: it is outside; set-uid, set-gid and sticky bits have no place in a volume of secrets.
    """
    if not 0 <= mode <= MAX_MODE:
        shown = f"{mode:04o}" if 0 < mode < 1 << 32 else str(mode) if abs(mode) < 1 << 64 else "a number too large"
        raise InvalidParameters(
            f"invalid file permission {shown}: must be from 0000 to 0777 (octal).", hint="Write it like 0400 or 0644."
        )
    return mode


def octal_mode(text: str) -> int:
    """The permission bits that exactly four octal digits mean: `0644` is 420.

    Raises:
        InvalidParameters: `text` is something else (AWS provider: `^[0-7]{4}$`), or is above 0777.
    """
    if not _OCTAL_MODE.fullmatch(text):
        hint = 'Write four octal digits in quotation marks, like "0400".'
        if text.isdecimal() and text.isascii() and 0 < int(text[:9]) <= MAX_MODE and len(text) <= 3:
            hint += f" {text} may come from an unquoted 0{int(text):03o}, which YAML reads as an octal number."
        raise InvalidParameters(f"Invalid File Permission: {_plain(text)}.", hint=hint)
    mode = int(text, 8)
    if mode > MAX_MODE:
        raise InvalidParameters(
            f"Invalid File Permission: {text}.", hint="Set-uid, set-gid and sticky bits are refused; use 0000 to 0777."
        )
    return mode
