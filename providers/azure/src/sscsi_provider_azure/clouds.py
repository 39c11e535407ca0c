"""PURE: Azure's clouds: where Entra signs in, and where vaults are."""

import json
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from sscsi_shared.errors import InvalidParameters, clip

PUBLIC: Final = "AzurePublicCloud"
STACK: Final = "AZURESTACKCLOUD"
"""A cloud of its own, described by a file (autorest's azure.Environment)."""
_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Cloud:
    """One of them.

    Attributes:
        name: as Azure spells it.
        authority: Entra's address, without a slash at its end.
        suffix: of vaults' host names; may have a port.
        resource: whom a token for vaults is for; empty = what a vault says.
    """

    name: str
    authority: str
    suffix: str
    resource: str = ""

    @property
    def scope(self) -> str:
        """Of a token for vaults; empty where only a vault can say it."""
        return f"{self.resource}/.default" if self.resource else ""


def _known(name: str, authority: str, suffix: str) -> Cloud:
    return Cloud(name, f"https://{authority}", suffix, f"https://{suffix}")


_PUBLIC: Final = _known(PUBLIC, "login.microsoftonline.com", "vault.azure.net")
_GOVERNMENT: Final = _known("AzureUSGovernmentCloud", "login.microsoftonline.us", "vault.usgovcloudapi.net")
_CLOUDS: Final = {
    "AZUREPUBLICCLOUD": _PUBLIC,
    "AZURECLOUD": _PUBLIC,
    "AZUREUSGOVERNMENTCLOUD": _GOVERNMENT,
    "AZUREUSGOVERNMENT": _GOVERNMENT,
    "AZURECHINACLOUD": _known("AzureChinaCloud", "login.chinacloudapi.cn", "vault.azure.cn"),
    "AZUREGERMANCLOUD": _known("AzureGermanCloud", "login.microsoftonline.de", "vault.microsoftazure.de"),
}


def is_described(name: str) -> bool:
    """Whether a file describes the cloud of this name."""
    return name.upper() == STACK


def cloud_of(name: str) -> Cloud:
    """The cloud of a name, in any case.

    Raises:
        InvalidParameters: there is none, or only a file describes it.
    """
    found = _CLOUDS.get(name.upper())
    if found is None:
        raise InvalidParameters(
            f"cloudName {clip(name, 64)} is not valid, error: there is no cloud of this name.",
            path="parameters.cloudName",
            hint=f"Write one of {', '.join(dict.fromkeys(one.name for one in _CLOUDS.values()))}, AzureStackCloud.",
        )
    return found


def described(contents: bytes, name: str) -> Cloud:
    """The cloud that a file describes.

    Args:
        contents: a JSON object; `name`, `activeDirectoryEndpoint` and `keyVaultDNSSuffix` are used.
        name: as the class wrote it.

    Raises:
        InvalidParameters: it says no such thing.
    """
    try:
        document: Any = json.loads(contents)
    except (ValueError, RecursionError):
        raise _undescribed(name, "the file is not JSON") from None
    if not isinstance(document, dict):
        raise _undescribed(name, "the file holds no JSON object")
    said = {key: value if isinstance(value, str) else "" for key, value in document.items()}
    authority, suffix = said.get("activeDirectoryEndpoint", "").rstrip("/"), said.get("keyVaultDNSSuffix", "")
    suffix = suffix.strip(".")
    if not _is_https(authority):
        raise _undescribed(name, f"activeDirectoryEndpoint is {clip(authority, 128)!r}, not https://HOST")
    if not _HOST.fullmatch(suffix):
        raise _undescribed(name, f"keyVaultDNSSuffix is {clip(suffix, 128)!r}, not a host's name")
    return Cloud(said.get("name") or name, authority, suffix)


def _is_https(text: str) -> bool:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  # raises where it is none
    except ValueError:
        return False
    return parts.scheme == "https" and bool(_HOST.fullmatch(parts.netloc)) and not parts.query and not parts.fragment


def _undescribed(name: str, why: str) -> InvalidParameters:
    return InvalidParameters(
        f"cloudName {clip(name, 64)} is not valid, error: {why}.", path="parameters.cloudEnvFileName"
    )
