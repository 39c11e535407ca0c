"""What Google Cloud's emulator holds: secrets and parameters with their versions, by full name."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

NUMBER: Final = "123456789"
"""The project's number, which real answers name instead of its id."""


class Absent(Exception):
    """There is nothing to give.

    Attributes:
        code: gRPC's.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code: Final = code


@dataclass(slots=True)
class _Holder:
    versions: dict[str, bytes] = field(default_factory=dict)
    disabled: set[str] = field(default_factory=set)
    aliases: dict[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


class GoogleStore:
    """Secrets and parameters.

    Args:
        project: where names without one belong.
    """

    def __init__(self, project: str) -> None:
        self._project = project
        self._holders: dict[str, _Holder] = {}
        self._lock = threading.Lock()

    def full(self, name: str) -> str:
        """A secret's or parameter's full name, without a version; a bare name is a global secret's."""
        return name if name.startswith("projects/") else f"projects/{self._project}/secrets/{name}"

    def put(self, name: str, value: str | bytes, *, version: str = "", labels: Mapping[str, str] | None = None) -> str:
        """Give a secret or parameter a new version; its full name. A parameter's version has a name of its own."""
        contents = value.encode() if isinstance(value, str) else value
        with self._lock:
            holder = self._holders.setdefault(self.full(name), _Holder())
            number = version or str(len(holder.versions) + 1)
            holder.versions[number] = contents
            holder.labels = labels or holder.labels
        return f"{self.full(name)}/versions/{number}"

    def alias(self, name: str, alias: str, version: str) -> None:
        """Let an alias stand for a version."""
        self._holders[self.full(name)].aliases[alias] = version

    def disable(self, name: str, version: str) -> None:
        """Disable a version."""
        self._holders[self.full(name)].disabled.add(version)

    def remove(self, name: str) -> None:
        """Forget a secret or parameter."""
        with self._lock:
            self._holders.pop(self.full(name), None)

    def read(self, name: str) -> tuple[str, bytes]:
        """The version's own name, and its contents.

        Raises:
            Absent: there is none, or it is disabled.
        """
        holder_name, _, wanted = name.partition("/versions/")
        with self._lock:
            holder = self._holders.get(holder_name)
            kind = "Parameter" if "/parameters/" in name else "Secret"
            if holder is None or not holder.versions:
                raise Absent("NOT_FOUND", f"{kind} [{_numbered(holder_name)}] not found or has no versions.")
            version = list(holder.versions)[-1] if wanted == "latest" else holder.aliases.get(wanted, wanted)
            if version not in holder.versions:
                raise Absent("NOT_FOUND", f"{kind} Version [{_numbered(holder_name)}/versions/{wanted}] not found.")
            if version in holder.disabled:
                full = f"{_numbered(holder_name)}/versions/{version}"
                raise Absent("FAILED_PRECONDITION", f"Secret Version [{full}] is in DISABLED state.")
            shown = holder_name if kind == "Parameter" else _numbered(holder_name)
            return f"{shown}/versions/{version}", holder.versions[version]

    def page(self, parent: str, words: str, size: int, token: str) -> tuple[list[str], str]:
        """Full names of a parent's secrets that a filter finds (`name:x AND labels.k="v"`), and the next page."""
        with self._lock:
            names = [
                name
                for name, holder in sorted(self._holders.items())
                if name.startswith(f"{parent}/secrets/") and all(map(_finds(name, holder), words.split(" AND ")))
            ]
        start = int(token or 0)
        end = start + min(size or 25_000, 25_000)
        return names[start:end], str(end) if end < len(names) else ""


def _finds(name: str, holder: _Holder) -> "_Finding":
    return _Finding(name, holder)


@dataclass(frozen=True, slots=True)
class _Finding:
    name: str
    holder: _Holder

    def __call__(self, word: str) -> bool:
        if word.startswith("name:"):
            return word.removeprefix("name:") in self.name
        if word.startswith("labels."):
            key, _, value = word.removeprefix("labels.").partition("=")
            return self.holder.labels.get(key) == value.strip('"')
        return not word


def _numbered(name: str) -> str:
    parts = name.split("/")
    return "/".join([parts[0], NUMBER, *parts[2:]])
