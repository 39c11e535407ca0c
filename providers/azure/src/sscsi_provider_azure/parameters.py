"""PURE: a class's parameters, as the Azure provider reads them.

Names, order of checks and the beginnings of the messages are those of the existing provider (its release 1.8). Every
value is trimmed.
"""

import functools
import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from sscsi_provider_azure.clouds import cloud_of, is_described
from sscsi_provider_azure.objects import Entry, Rules, before, check_vault, read_entries
from sscsi_shared.errors import InvalidParameters, clip
from sscsi_shared.mount import MountInput
from sscsi_shared.parameters import Parameters

WRAPPED: Final = "failed to mount objects, error: "
"""How the existing provider begins nearly every message; alerts look for it."""
KNOWN: Final = frozenset(
    {
        "keyvaultName", "tenantID", "tenantId", "objects", "cloudName", "cloudEnvFileName", "usePodIdentity",
        "useVMManagedIdentity", "useAzureTokenProxy", "userAssignedIdentityID", "clientID",
        "resourceGroup", "subscriptionId", "resourceName",
    }
)  # fmt: skip
"""The last three mean nothing (any more), and stand in many classes."""
TENANT: Final = re.compile(r"[A-Za-z0-9.-]{1,255}")
"""It becomes a part of a URL."""
CLIENT: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_KEPT_CLASSES: Final = 64
_KEPT_CHARS: Final = 8192


class Mode(Enum):
    """How a class logs in; the words stand in the existing provider's messages."""

    UNSAID = "None"
    """With the pod's own token where there is a client for it, else as a service principal of nodePublishSecretRef."""
    POD_IDENTITY = "PodIdentity"
    MANAGED_IDENTITY = "VMManagedIdentity"
    BINDING = "AzureTokenProxy"


_SWITCHES: Final = {
    "usePodIdentity": Mode.POD_IDENTITY,
    "useVMManagedIdentity": Mode.MANAGED_IDENTITY,
    "useAzureTokenProxy": Mode.BINDING,
}


@dataclass(frozen=True, slots=True)
class Operator:
    """What an operator says of all classes.

    Attributes:
        cloud: where a class names none.
        in_order: whether the certificates of a PKCS#12 file are put in order.
        separate_files: whether certificate and key are written to files of their own, too.
    """

    cloud: str = "AzurePublicCloud"
    in_order: bool = True
    separate_files: bool = False


@dataclass(frozen=True, slots=True)
class AzureRequest:
    """A Mount, in this provider's terms.

    Attributes:
        mount: whose volume it is, its tokens and referenced secrets.
        mode: how to log in.
        tenant: of Entra; empty = what the service account's annotation says.
        client: of the application or identity; empty = what the annotation says, or the node's identity.
        cloud: its name.
        cloud_file: file that describes it; empty = the operator's.
        entries: what for, in the order of the class.
    """

    mount: MountInput
    mode: Mode
    tenant: str
    client: str
    cloud: str
    cloud_file: str
    entries: tuple[Entry, ...]


def read_request(mount: MountInput, operator: Operator) -> AzureRequest:
    """Read a class's parameters.

    Raises:
        InvalidParameters: with the beginning of the existing provider's message, and the place in the class.
    """
    parameters = Parameters({key: value.strip() for key, value in mount.attributes.items()}, KNOWN)
    _check_pod(mount)
    mode = _mode(parameters)
    vault = parameters.required("keyvaultName", message=f"{WRAPPED}keyvaultName is not provided")
    asks_account = mode is Mode.UNSAID and not mount.secrets and bool(parameters.text("objects"))
    tenant = _tenant(parameters, may_be_annotated=asks_account)
    cloud = parameters.text("cloudName") or operator.cloud
    try:
        if not is_described(cloud):
            cloud_of(cloud)
    except InvalidParameters as error:
        raise _with_start(error) from error
    client = _client(parameters, mode)
    text = parameters.required(
        "objects",
        "Write `array:`, and under it a list of entries: `- |` with objectName and objectType below.",
        message=f"{WRAPPED}objects is not set",
    )
    rules = Rules(vault, mount.default_mode, operator.in_order, operator.separate_files)
    read = _entries_kept if len(text) <= _KEPT_CHARS else read_entries
    try:
        entries = read(text, rules)
        if any(entry.target.vault == vault for entry in entries):
            check_vault(vault, "parameters.keyvaultName")
    except InvalidParameters as error:
        raise _with_start(error) from error
    return AzureRequest(mount, mode, tenant, client, cloud, parameters.text("cloudEnvFileName"), entries)


_entries_kept: Final = functools.lru_cache(_KEPT_CLASSES)(read_entries)
"""Every pod of a class brings the same text, again and again."""


def checked_tenant(text: str, path: str) -> str:
    """Give back a tenant's id or domain; `adfs` is AD FS.

    Raises:
        InvalidParameters: it is none.
    """
    if not TENANT.fullmatch(text):
        raise InvalidParameters(
            f"{WRAPPED}failed to get keyvault client: invalid tenantID. {clip(text, 128)!r} is no tenant.",
            path=path,
            hint="It is a GUID or a domain; you may find it in the portal under Entra ID, Overview.",
        )
    return text


def checked_client(text: str, path: str) -> str:
    """Give back a client id.

    Raises:
        InvalidParameters: it is none.
    """
    if not CLIENT.fullmatch(text):
        raise InvalidParameters(f"{WRAPPED}{clip(text, 128)!r} is no client id.", path=path, hint="It is a GUID.")
    return text


def _check_pod(mount: MountInput) -> None:
    for value, what in ((mount.pod.name, "name"), (mount.pod.namespace, "namespace")):
        if not value:
            raise InvalidParameters(
                f"{WRAPPED}pod {what} is not provided", hint="The CSIDriver object needs spec.podInfoOnMount: true."
            )


def _mode(parameters: Parameters) -> Mode:
    chosen = [
        mode
        for switch, mode in _SWITCHES.items()
        if parameters.boolean(switch, message=f"{WRAPPED}failed to parse {switch} flag, error: ")
    ]
    if len(chosen) > 1:
        raise InvalidParameters(
            f"{WRAPPED}only one identity mode can be enabled at a time: {', '.join(_SWITCHES)} exclude each other.",
            path="parameters",
            hint="Leave all but one of them away; workload identity needs none.",
        )
    return chosen[0] if chosen else Mode.UNSAID


def _tenant(parameters: Parameters, *, may_be_annotated: bool) -> str:
    key = "tenantID" if parameters.text("tenantID") else "tenantId"
    text = parameters.text(key)
    if text:
        return checked_tenant(text, f"parameters.{key}")
    if not may_be_annotated:
        parameters.required(
            "tenantId", "Write tenantID: the tenant of the key vault.", message=f"{WRAPPED}tenantId is not provided"
        )
    return ""


def _client(parameters: Parameters, mode: Mode) -> str:
    """The client's id, from the parameter that counts in this mode."""
    key = "userAssignedIdentityID" if mode is Mode.MANAGED_IDENTITY else "clientID"
    text = parameters.text(key)
    if text:
        return checked_client(text, f"parameters.{key}")
    if mode is Mode.BINDING:
        raise InvalidParameters(f"{failed(mode)}clientID is required for identity binding", path="parameters.clientID")
    return ""


def failed(mode: Mode) -> str:
    """How a message begins where a login lacks something before anything is asked."""
    return f"{WRAPPED}failed to build auth config for mode {mode.value}: "


def _with_start(error: InvalidParameters) -> InvalidParameters:
    return error if error.message.startswith(WRAPPED) else before(WRAPPED, error)
