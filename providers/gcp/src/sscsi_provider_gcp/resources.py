"""PURE: names of secrets and parameters (`projects/...`), as Google Cloud's APIs spell them.

A location becomes part of a host's name, so nothing but a location's letters may stand there.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from sscsi_shared.errors import InvalidParameters, clip

MAX_LOCATION: Final = 30
"""Characters of a location (the existing provider's bound)."""
_SECRET: Final = re.compile(r"projects/([^/]+)(?:/locations/([^/]+))?/secrets/([^/]+)/versions/([^/]+)")
_PARAMETER: Final = re.compile(r"projects/([^/]+)/locations/([^/]+)/parameters/([^/]+)/versions/([^/]+)")
_PARENT: Final = re.compile(r"projects/([^/]+)(?:/locations/([^/]+))?")
_SHORT: Final = re.compile(r"([A-Za-z0-9_-]+)(?:/versions/([A-Za-z0-9_-]+))?")
LATEST: Final = "latest"
_SERVICES: Final = ("//secretmanager.googleapis.com/", "//parametermanager.googleapis.com/")
_LOCATION: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
_GLOBAL: Final = "global"
_SHAPES: Final = (
    "It is projects/<project>/secrets/<secret>/versions/<version>, with locations/<location> after the project where "
    "the secret is regional, or projects/<project>/locations/<location>/parameters/<parameter>/versions/<version>."
)


class Kind(Enum):
    """Which service holds a resource."""

    SECRET = "Secret Manager"  # noqa: S105  # a service
    PARAMETER = "Parameter Manager"


@dataclass(frozen=True, slots=True)
class Resource:
    """A version of a secret or of a parameter.

    Attributes:
        kind: which service holds it.
        name: as the service takes it.
        location: where it lies; empty = the global service.
        project: id or number.
        version: a number, an alias; `latest` for secrets.
    """

    kind: Kind
    name: str
    location: str
    project: str
    version: str

    @property
    def lane(self) -> tuple[str, ...]:
        """Whose quota a read counts against: the project's, at that service in that location."""
        return self.kind.value, self.location, self.project

    @property
    def pinned(self) -> bool:
        """Whether the version's content can never change: a secret's number. An alias moves, and rendering too."""
        return self.kind is Kind.SECRET and self.version.isdecimal()


def read_resource(text: str, project: str = "", location: str = "") -> Resource:
    """Read `resourceName`; the service's name may stand in front of it, as in full resource names (AIP-122).

    Args:
        text: one of the four shapes; or `<secret>` or `<secret>/versions/<version>` where a project is given.
        project: that a short name belongs to; empty = there are no short names.
        location: of a secret with a short name; empty = the global service.

    Raises:
        InvalidParameters: it is none of the four shapes; the texts begin as the existing provider's.
    """
    name = text
    for service in _SERVICES:
        name = name.removeprefix(service)
    if not name.isascii() or not name.isprintable() or " " in name:
        raise InvalidParameters(f"unknown resource type: {clip(text, 256)}", hint=_SHAPES)
    if project and (short := _SHORT.fullmatch(name)):
        where = f"/locations/{location}" if location else ""
        name = f"projects/{project}{where}/secrets/{short[1]}/versions/{short[2] or LATEST}"
    if found := _SECRET.fullmatch(name):
        project, location, _, version = found.groups()
        return Resource(Kind.SECRET, name, _location(location or "", name, "secrets"), project, version)
    if found := _PARAMETER.fullmatch(name):
        project, location, _, version = found.groups()
        where = "" if location == _GLOBAL else _location(location, name, "parameters")
        return Resource(Kind.PARAMETER, name, where, project, version)
    raise InvalidParameters(f"unknown resource type: {clip(text, 256)}", hint=_SHAPES)


def read_parent(text: str) -> tuple[str, str]:
    """Where a selection looks: `projects/<project>` or `projects/<project>/locations/<location>`; both, checked.

    Raises:
        InvalidParameters: it is neither.
    """
    found = _PARENT.fullmatch(text)
    if found is None or not text.isascii() or not text.isprintable() or " " in text:
        raise InvalidParameters(
            f"no place to select from: {clip(text, 256)}",
            hint="With select, resourceName is projects/<project> or projects/<project>/locations/<location>.",
        )
    return text, _location(found[2] or "", text, "secrets")


def _location(location: str, name: str, kind: str) -> str:
    if len(location) > MAX_LOCATION:
        limit = ", location length exceeds limit" if kind == "secrets" else ""
        raise InvalidParameters(f"Invalid location: {clip(location, 64)}{limit}")
    if location == _GLOBAL:
        hint = f"A global secret has no location: {clip(name.replace('/locations/global', ''), 256)}."
        raise InvalidParameters(f"Invalid location: {location}", hint=hint)
    if location and not _LOCATION.fullmatch(location):
        raise InvalidParameters(f"Invalid location: {clip(location, 64)}", hint="It looks like europe-west1.")
    return location
