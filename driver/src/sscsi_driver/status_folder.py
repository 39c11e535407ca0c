"""The folder that stands for the API server's SecretProviderClassPodStatuses (`--status-dir`).

One YAML file for each object, `<namespace>.<name>.yaml`, written when it changes and removed at unpublish: a folder has
no garbage collector.
"""

import contextlib
import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import yaml

log = logging.getLogger(__name__)

_Dumper: Final = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""The C library's takes a tenth of the time; it may be missing where PyYAML was built without it."""
_UNFINISHED: Final = re.compile(r"\..+\.yaml\.\d+")
"""A file that is being written: its final name, and the writer's process."""


class StatusSink(Protocol):
    """Where pod statuses go."""

    def write(self, status: Mapping[str, Any]) -> bool:
        """Create or update the object; whether anything had to be written.

        Raises:
            OSError: it could not be written.
        """

    def remove(self, target_path: str) -> None:
        """Remove the object whose volume is at `target_path`, if there is one."""


class NoStatus:
    """No place for statuses was named."""

    def write(self, status: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Nothing is written."""
        return False

    def remove(self, target_path: str) -> None:
        """Nothing is there."""


class StatusFolder:
    """Statuses as files of a folder; it is made when needed. What a driver that was killed did not finish goes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for path in folder.glob(".*"):
            if _UNFINISHED.fullmatch(path.name):
                with contextlib.suppress(OSError):
                    path.unlink()

    def write(self, status: Mapping[str, Any]) -> bool:
        """See StatusSink; readers see the old file or the new one, whole."""
        path = self._folder / _file_name(status)
        text = yaml.dump(dict(status), Dumper=_Dumper, sort_keys=False, allow_unicode=True)
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if path.read_text(encoding="utf-8") == text:
                return False
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            unfinished.write_text(text, encoding="utf-8")
            unfinished.replace(path)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        return True

    def remove(self, target_path: str) -> None:
        """See StatusSink. The file is found by what it says, so that a driver that was restarted finds it too."""
        for path in self._folder.glob("*.yaml"):
            try:
                status = yaml.safe_load(path.read_text(encoding="utf-8"))
                if status["status"]["targetPath"] == target_path:
                    path.unlink(missing_ok=True)
            except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, KeyError):
                log.warning("the pod status %s can't be read or removed", path)


def _file_name(status: Mapping[str, Any]) -> str:
    """`<namespace>.<name>.yaml`; a name too long for a file is the writer's error."""
    metadata = status["metadata"]
    name = f"{metadata['namespace']}.{metadata['name']}.yaml"
    if "/" in name:
        raise OSError(f"{name!r} is no file name")
    return name
