"""Reading a volume as pods do, and what the writer promises them.

1. Through one opened `..data` a reader sees files of one generation alone, with their modes. They are all there, unless
   `..data` leads elsewhere by then: the version that was opened is being removed, and the reader opens it again.
2. A file that is opened by its path (`volume/name`) is whole, old or new; one that is in both is there.
3. Nobody sees an older generation after a newer one.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fire.case import Broken, expect
from fire.generations import ALWAYS, Content, generation, number_of

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY
_TRIES = 1000


@dataclass(slots=True)
class Reader:
    """Reads one volume again and again.

    Attributes:
        target: its root.
        seed: of its generations.
        newest: the newest generation seen.
        whole: how often the volume was read as a whole.
        files: how many files were read by their paths.
        moved: how often a version was being removed while it was read.
        vanished: how often a path led to a file that is not in the next version.
    """

    target: Path
    seed: int
    newest: int = -1
    whole: int = 0
    files: int = 0
    moved: int = 0
    vanished: int = 0
    seen: set[int] = field(default_factory=set)

    def read(self) -> int:
        """Read the volume in both ways; its generation.

        Raises:
            Broken: a promise does not hold.
        """
        for _ in range(_TRIES):
            number = self._read_whole()
            if number is not None:
                self._read_paths()
                return number
            self.moved += 1
        raise Broken(f"the volume was not seen whole in {_TRIES} reads")

    def _read_whole(self) -> int | None:
        """The generation; None if the version is being removed."""
        directory = os.open(self.target / "..data", _DIRECTORY)
        try:
            found = dict(_walk(directory, ""))
            if not found or None in found.values():
                self._check_moved(directory, f"files are missing: {sorted(found)}")
                return None
            whole = {path: one for path, one in found.items() if one is not None}
            numbers = {number_of(one.contents) for one in whole.values()}
            expect(len(numbers) == 1, f"files of several generations in one version: {sorted(numbers)}")
            number = numbers.pop()
            if whole != generation(self.seed, number):
                expect(
                    all(generation(self.seed, number).get(path) == one for path, one in whole.items()),
                    f"generation {number} has other files, contents or modes than it should",
                )
                self._check_moved(directory, f"generation {number} is not complete: {sorted(whole)}")
                return None
        finally:
            os.close(directory)
        self._not_older(number)
        self.whole += 1
        self.seen.add(number)
        return number

    def _check_moved(self, directory: int, seen: str) -> None:
        now = os.stat(self.target / "..data")
        expect(now.st_ino != os.fstat(directory).st_ino, f"{seen}, and ..data still leads there")

    def _read_paths(self) -> None:
        for name in os.listdir(self.target):
            if name.startswith(".."):
                continue
            for path in _paths(self.target, name):
                try:
                    contents = (self.target / path).read_bytes()
                except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                    expect(path != ALWAYS, f"{path} was not there for a moment")
                    self.vanished += 1
                    continue
                number = number_of(contents) if b" " in contents else -1
                expected = generation(self.seed, number).get(path) if number >= 0 else None
                expect(expected is not None and contents == expected.contents, f"{path} is neither old nor new")
                self._not_older(number)
                self.files += 1

    def _not_older(self, number: int) -> None:
        expect(number >= self.newest, f"generation {number} was seen after {self.newest}")
        self.newest = number


def _paths(target: Path, name: str) -> Iterator[str]:
    """The files at and below a published name."""
    if not (target / name).is_dir():
        yield name
        return
    for folder, _, files in os.walk(target / name):
        yield from (os.path.relpath(os.path.join(folder, one), target) for one in files)


def _walk(directory: int, prefix: str) -> Iterator[tuple[str, Content | None]]:
    """Path and content of each file; None for one that vanishes."""
    for name in os.listdir(directory):
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=directory)
        except FileNotFoundError:
            yield prefix + name, None
            continue
        try:
            status = os.fstat(descriptor)
            if stat.S_ISDIR(status.st_mode):
                yield from _walk(descriptor, f"{prefix}{name}/")
                continue
            with os.fdopen(os.dup(descriptor), "rb") as stream:
                yield prefix + name, Content(stat.S_IMODE(status.st_mode), stream.read())
        finally:
            os.close(descriptor)


def exact(target: Path, seed: int, number: int, *, beside: frozenset[str] = frozenset()) -> None:
    """Expect that a volume is a generation, and that nothing else is in it.

    Args:
        target: its root.
        seed: of its generations.
        number: the generation.
        beside: other names that may be there.

    Raises:
        Broken: it is not so.
    """
    wanted = generation(seed, number)
    version = os.readlink(target / "..data")
    tops = {path.partition("/")[0] for path in wanted}
    names = set(os.listdir(target)) - beside
    expect(names == tops | {"..data", version}, f"litter or something missing: {sorted(names ^ tops)}")
    for top in tops:
        expect(os.readlink(target / top) == f"..data/{top}", f"{top} is not the link that it should be")
    directory = os.open(target / version, _DIRECTORY | os.O_NOFOLLOW)
    try:
        expect(dict(_walk(directory, "")) == wanted, f"generation {number} is not what it should be")
        expect(stat.S_IMODE(os.fstat(directory).st_mode) == 0o755, "the version's folder is not 0755")
    finally:
        os.close(directory)
