"""What Google Cloud's emulator holds: secrets and parameters with their versions, by full name."""

import re
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

    Attributes:
        most_listed: of a page.
        finds_all: whether filters are not looked at.

    Args:
        project: where names without one belong.
    """

    def __init__(self, project: str) -> None:
        self.most_listed = 25_000
        self.finds_all = False
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

    def page(self, parent: str, words: str, size: int, token: str) -> tuple[dict[str, Mapping[str, str]], str]:
        """Labels of a parent's secrets that a filter finds (`name:"x" AND labels.k="v"`), by full name; the next page.

        Raises:
            Absent: the filter is none.
        """
        terms = [] if self.finds_all else _terms(words)
        with self._lock:
            found = [
                (name, holder.labels)
                for name, holder in sorted(self._holders.items())
                if name.startswith(f"{parent}/secrets/") and all(term.finds(name, holder) for term in terms)
            ]
        start = int(token or 0)
        end = start + min(size or 25_000, self.most_listed)
        return dict(found[start:end]), str(end) if end < len(found) else ""


@dataclass(frozen=True, slots=True)
class _Term:
    """`name:"x"` or `labels.k="v"`."""

    name: bool
    key: str
    value: str

    def finds(self, name: str, holder: _Holder) -> bool:
        return self.value in name if self.name else holder.labels.get(self.key) == self.value


_TERM: Final = re.compile(r'(?:(name):|labels\.([\w-]+)=)("(?:[^"\\]|\\.)*"|[\w-]+)(?: AND |$)')


def _terms(words: str) -> list[_Term]:
    """The terms of a filter (AIP-160), all of which must hold; a real server knows more than these.

    Raises:
        Absent: INVALID_ARGUMENT.
    """
    terms = []
    at = 0
    while at < len(words):
        found = _TERM.match(words, at)
        if found is None:
            raise Absent("INVALID_ARGUMENT", f"Invalid filter: {words}")
        value = re.sub(r"\\(.)", r"\1", found[3][1:-1]) if found[3].startswith('"') else found[3]
        terms.append(_Term(found[1] is not None, found[2] or "", value))
        at = found.end()
    return terms


def _numbered(name: str) -> str:
    parts = name.split("/")
    return "/".join([parts[0], NUMBER, *parts[2:]])
