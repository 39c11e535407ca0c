"""Files that a class names: only those below the folders that the operator lists, and no link out of them."""

import errno
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from sscsi_shared.errors import InvalidParameters, ObjectUnusable, clip

FLAG: Final = "class-files-dir"
MAX_FILE_BYTES: Final = 1 << 20
_HINT: Final = f"An operator can allow its folder with --{FLAG}."


class ClassFiles:
    """Says which.

    Args:
        folders: below which files may be named; none = no class may name a file.
    """

    def __init__(self, folders: Iterable[Path] = ()) -> None:
        self._folders = tuple(Path(os.path.realpath(folder)) for folder in folders)

    def place(self, text: str, path: str) -> Path:
        """The file or folder that a class names, all links on the way followed.

        Args:
            text: as written; absolute.
            path: where it stands in the class: `parameters.vaultCACertPath`.

        Raises:
            InvalidParameters: it is not below a folder that is allowed.
        """
        if not Path(text).is_absolute() or "\0" in text:
            raise InvalidParameters(f"{clip(text, 200)!r} is no absolute path.", path=path)
        real = Path(os.path.realpath(text))
        if not any(real.is_relative_to(folder) for folder in self._folders):
            raise InvalidParameters(f"the file {clip(text, 200)!r} may not be named by a class.", path=path, hint=_HINT)
        return real

    def below(self, folder: Path, path: str) -> tuple[Path, ...]:
        """Every file below a folder that `place` let through, in order; each is looked at as one that a class names.

        The hidden folders of mounted ConfigMaps are passed over.

        Args:
            folder: a place.
            path: where the folder stands in the class.

        Raises:
            InvalidParameters: one of them leads out of the folders that are allowed.
        """
        return tuple(self.place(str(found), path) for found in files_below(folder))


def files_below(folder: Path) -> tuple[Path, ...]:
    """Every file below a folder, in order; the hidden folders of mounted ConfigMaps are passed over."""
    return tuple(
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith("..") for part in path.relative_to(folder).parts)
    )


def read_file(place: Path) -> bytes:
    """The contents of a file whose links were followed before; at most 1 MiB.

    The last element is opened without following a link: what was looked at is what is read.

    Raises:
        ObjectUnusable: it can't be read.
    """
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            contents = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        word = "a link" if error.errno == errno.ELOOP else os.strerror(error.errno or 0)
        raise ObjectUnusable(f"the file {clip(str(place), 200)} can't be read: {word}.") from error
    if len(contents) > MAX_FILE_BYTES:
        raise ObjectUnusable(f"the file {clip(str(place), 200)} is longer than {MAX_FILE_BYTES} bytes.")
    return contents


def stamp(place: Path) -> tuple[int, int, int]:
    """What changes when the file is replaced or written: inode, size and time of change in ns; zeros if absent."""
    try:
        status = place.stat()
    except OSError:
        return 0, 0, 0
    return status.st_ino, status.st_size, status.st_mtime_ns


def folders(text: str) -> tuple[Path, ...]:
    """Folders in a comma-separated list: the value of the flag."""
    return tuple(Path(word.strip()) for word in text.split(",") if word.strip())
