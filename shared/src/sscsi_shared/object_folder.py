"""A folder of YAML files that stands for the cluster's objects, read again when a file changes."""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sscsi_shared.errors import InvalidParameters
from sscsi_shared.manifests import Manifest, parse_manifests

log = logging.getLogger(__name__)

_SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
_MAX_FILE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The folder's content at one moment.

    Attributes:
        objects: by (kind, namespace, name).
        problems: a sentence for each file that could not be read.
        signature: what tells it from another moment's.
    """

    objects: Mapping[tuple[str, str, str], Manifest]
    problems: tuple[str, ...] = ()
    signature: tuple[tuple[str, int, int, int], ...] = ()

    def find(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """The object, or None."""
        return self.objects.get((kind, namespace, name))

    def names(self, kind: str, namespace: str) -> list[str]:
        """The names of one kind in one namespace, sorted."""
        return sorted(key[2] for key in self.objects if key[:2] == (kind, namespace))


class ObjectFolder:
    """Reads the files `*.yaml`, `*.yml` and `*.json` of one folder; a bad file spoils only itself.

    Args:
        folder: not those in folders below.
    """

    def __init__(self, folder: Path) -> None:
        self.path: Final = folder
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None

    def read(self) -> Snapshot:
        """The content now; parsed anew if a name, size, time or inode differs.

        Raises:
            OSError: the folder can't be read.
        """
        with self._lock:
            files = _files(self.path)
            signature = tuple(files.values())
            if self._snapshot is None or self._snapshot.signature != signature:
                self._snapshot = _parse(list(files), signature)
            return self._snapshot


def _files(folder: Path) -> dict[Path, tuple[str, int, int, int]]:
    files = {}
    for path in sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES):
        try:
            status = path.stat()
        except OSError:  # removed meanwhile, or a link that points nowhere
            continue
        files[path] = (path.name, status.st_ino, status.st_size, status.st_mtime_ns)
    return files


def _parse(files: list[Path], signature: tuple[tuple[str, int, int, int], ...]) -> Snapshot:
    objects: dict[tuple[str, str, str], Manifest] = {}
    problems: list[str] = []
    for path in files:
        try:
            if path.stat().st_size > _MAX_FILE_BYTES:
                problems.append(f"{path.name}: larger than {_MAX_FILE_BYTES} bytes.")
                continue
            manifests = parse_manifests(path.read_text(encoding="utf-8"), path.name)
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{path.name}: {type(error).__name__}.")
        except InvalidParameters as error:
            problems.append(str(error))
        else:
            objects |= {(one.kind, one.namespace, one.name): one for one in manifests}
    for problem in problems:
        log.warning("a file of the folder of objects was not read: %s", problem)
    return Snapshot(objects, tuple(problems), signature)
