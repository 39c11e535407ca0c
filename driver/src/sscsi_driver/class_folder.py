"""Classes from a folder of YAML (`--objects`), as one would kubectl-apply it."""

import re
from pathlib import Path
from typing import Final

import grpc

from sscsi_driver.attributes import DriverObject
from sscsi_driver.classes import SecretProviderClass, class_of, driver_of, not_found
from sscsi_driver.errors import ErrorType, PublishError
from sscsi_shared.object_folder import ObjectFolder, Snapshot

_CLASS_KIND: Final = "SecretProviderClass"
_DRIVER_KIND: Final = "CSIDriver"
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
"""What Kubernetes allows as the name of such an object (a DNS subdomain)."""
_MAX_NAMED_FILES: Final = 3


class FolderClasses:
    """Classes from a folder of YAML files; a file that can't be read spoils only itself.

    Args:
        folder: see ObjectFolder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = ObjectFolder(folder)

    def get(self, namespace: str, name: str) -> SecretProviderClass:
        """See Classes."""
        snapshot = self._read()
        manifest = snapshot.find(_CLASS_KIND, namespace, name) if _NAME.fullmatch(name) else None
        if manifest is None:
            raise _not_found(snapshot, namespace, name)
        return class_of(manifest.body, namespace, name, f"file {manifest.source}, line {manifest.line}")

    def driver_object(self, driver_name: str) -> DriverObject | None:
        """See Classes."""
        manifest = self._read().find(_DRIVER_KIND, "", driver_name)
        return driver_of(manifest.body) if manifest is not None else None

    def _read(self) -> Snapshot:
        try:
            return self._folder.read()
        except OSError as error:
            raise PublishError(
                f"the folder of classes {self._folder.path} can't be read: {error.strerror}",
                code=grpc.StatusCode.UNKNOWN,
                error_type=ErrorType.CLASS_NOT_FOUND,
            ) from error


def _not_found(snapshot: Snapshot, namespace: str, name: str) -> PublishError:
    elsewhere = sorted(key[1] for key in snapshot.objects if key[0] == _CLASS_KIND and key[2] == name)
    error = not_found(namespace, name, snapshot.names(_CLASS_KIND, namespace), elsewhere)
    if not snapshot.problems:
        return error
    return PublishError(
        f"{error.message} Not read: {' '.join(snapshot.problems[:_MAX_NAMED_FILES])}",
        code=error.code,
        error_type=error.error_type,
    )
