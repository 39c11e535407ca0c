"""PURE: from `secretPath` to the path and query of a request, as Go would make them, but never out of /v1."""

import posixpath
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

from sscsi_shared.errors import InvalidParameters, clip

MAX_PATH_CHARS: Final = 4096
_API: Final = "/v1"
_SAFE: Final = "/:@!$&'()*+,;=-._~"


def api_path(secret_path: str, name: str) -> tuple[str, str]:
    """Path, percent-encoded, and query, sorted by key and encoded anew.

    Args:
        secret_path: as written; `v1/` comes before it unless it is there; after the first `?` is the query.
        name: of the object, for messages.

    Raises:
        InvalidParameters: it climbs out of /v1, or its query can't be read.
    """
    if len(secret_path) > MAX_PATH_CHARS or not secret_path.isprintable():
        raise InvalidParameters(f"secretPath of {clip(name, 128)} is longer than {MAX_PATH_CHARS} or not printable.")
    path, _, query = secret_path.partition("?")
    return quote(_within(path, secret_path), safe=_SAFE), _query(query, path, name)


def login_path(mount: str) -> str:
    """The path of a login at a mount.

    Raises:
        InvalidParameters: it climbs out of auth/.
    """
    clean = posixpath.normpath(mount.strip("/"))
    if climbs(mount) or clean == ".":
        raise InvalidParameters(f"the auth mount {clip(mount, 128)!r} leaves auth/.", hint="Write its name alone.")
    return quote(f"{_API}/auth/{clean}/login", safe=_SAFE)


def climbs(path: str) -> bool:
    """Whether an element is `..`."""
    return ".." in path.split("/")


def _within(path: str, whole: str) -> str:
    if climbs(path):
        raise InvalidParameters(
            f"secretPath {clip(whole, 200)!r} has `..` in it.",
            hint="Write it from its mount on: secret/data/app.",
        )
    if path.startswith(("/v1/", "v1/")):
        path = path.removeprefix("/").removeprefix("v1/")
    clean = posixpath.normpath(f"{_API}/{path}") if path.strip("/.") else _API
    return "/v1/" if clean == _API else clean


def _query(query: str, path: str, name: str) -> str:
    """Go's url.ParseQuery and Encode.

    Raises:
        InvalidParameters: a bad escape, or a semicolon.
    """
    problem = "invalid semicolon separator in query" if ";" in query else _bad_escape(query)
    if problem:
        raise InvalidParameters(
            f'failed to parse query parameters from secretPath "{clip(path, 200)}" for objectName "{clip(name, 128)}": '
            f"{problem}"
        )
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode(sorted(pairs, key=lambda pair: pair[0]))


def _bad_escape(text: str) -> str:
    for index, letter in enumerate(text):
        if letter == "%" and not _is_hex(text[index + 1 : index + 3]):
            return f'invalid URL escape "{text[index : index + 3]}"'
    return ""


def _is_hex(two: str) -> bool:
    return len(two) == 2 and all(letter in "0123456789abcdefABCDEF" for letter in two)
