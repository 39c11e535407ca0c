"""Classes from a folder of YAML (`--objects`), as one would kubectl-apply it."""

import logging
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
from sscsi_shared.manifests import Manifest, parse_manifests

from sscsi_driver.attributes import DriverObject
from sscsi_driver.classes import SecretProviderClass, class_of, driver_of, not_found
from sscsi_driver.errors import ErrorType, PublishError
from sscsi_shared.errors import MountError

log = logging.getLogger(__name__)

_CLASS_KIND: Final = "SecretProviderClass"
_DRIVER_KIND: Final = "CSIDriver"
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
"""What Kubernetes allows as the name of such an object (a DNS subdomain)."""
_SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
_MAX_FILE_BYTES: Final = 4 * 1024 * 1024
_MAX_NAMED_FILES: Final = 3


@dataclass(frozen=True, slots=True)
class _Snapshot:
    signature: tuple[tuple[str, int, int, int], ...]
    objects: Mapping[tuple[str, str, str], Manifest]
    problems: tuple[str, ...]


class FolderClasses:
    """Classes from a folder of YAML files; read again when a file changes. A bad file spoils only itself.

    Args:
        folder: its files `*.yaml`, `*.yml` and `*.json`, not those in folders below.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._snapshot: _Snapshot | None = None

    def get(self, namespace: str, name: str) -> SecretProviderClass:
        """See Classes."""
        snapshot = self._read()
        manifest = snapshot.objects.get((_CLASS_KIND, namespace, name)) if _NAME.fullmatch(name) else None
        if manifest is None:
            raise self._not_found(snapshot, namespace, name)
        return class_of(manifest.body, namespace, name, f"file {manifest.source}, line {manifest.line}")

    def driver_object(self, driver_name: str) -> DriverObject | None:
        """See Classes."""
        for (kind, _, name), manifest in self._read().objects.items():
            if kind == _DRIVER_KIND and name == driver_name:
                return driver_of(manifest.body)
        return None

    def _not_found(self, snapshot: _Snapshot, namespace: str, name: str) -> PublishError:
        present = sorted(key[2] for key in snapshot.objects if key[:2] == (_CLASS_KIND, namespace))
        elsewhere = sorted(key[1] for key in snapshot.objects if key[0] == _CLASS_KIND and key[2] == name)
        error = not_found(namespace, name, present, elsewhere)
        if snapshot.problems:
            error = PublishError(
                f"{error.message} Not read: {' '.join(snapshot.problems[:_MAX_NAMED_FILES])}",
                code=error.code,
                error_type=error.error_type,
            )
        return error

    def _read(self) -> _Snapshot:
        """The folder's content, parsed anew if a name, size, time or inode differs."""
        with self._lock:
            files, signature = self._files()
            if self._snapshot is None or self._snapshot.signature != signature:
                self._snapshot = self._parse(files, signature)
            return self._snapshot

    def _files(self) -> tuple[list[Path], tuple[tuple[str, int, int, int], ...]]:
        files, signature = [], []
        try:
            paths = sorted(path for path in self._folder.iterdir() if path.suffix in _SUFFIXES)
        except OSError as error:
            raise PublishError(
                f"the folder of classes {self._folder} can't be read: {error.strerror}",
                code=grpc.StatusCode.UNKNOWN,
                error_type=ErrorType.CLASS_NOT_FOUND,
            ) from error
        for path in paths:
            try:
                status = path.stat()
            except OSError:  # removed meanwhile, or a link that points nowhere
                continue
            files.append(path)
            signature.append((path.name, status.st_ino, status.st_size, status.st_mtime_ns))
        return files, tuple(signature)

    def _parse(self, files: list[Path], signature: tuple[tuple[str, int, int, int], ...]) -> _Snapshot:
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
            except MountError as error:
                problems.append(str(error) if path.name in str(error) else f"{path.name}: {error}")
            else:
                for manifest in manifests:
                    objects[(manifest.kind, manifest.namespace, manifest.name)] = manifest
        for problem in problems:
            log.warning("a file of the folder of classes was not read: %s", problem)
        return _Snapshot(signature, objects, tuple(problems))
