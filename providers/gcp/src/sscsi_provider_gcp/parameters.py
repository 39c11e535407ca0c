"""PURE: a class's parameters, as the Google Cloud provider reads them.

Names, order of checks and the beginnings of the messages are those of the existing Google provider (its release 1).
"""

import functools
import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from sscsi_provider_gcp.resources import Resource, read_parent, read_resource
from sscsi_shared.errors import InvalidParameters, clip
from sscsi_shared.mount import MountInput, Output, Spread
from sscsi_shared.object_fields import OBJECT_FIELDS, SELECT, ObjectFields, Selection, object_fields
from sscsi_shared.parameters import Parameters
from sscsi_shared.paths import Naming, check_mode
from sscsi_shared.transform import WHOLE, JsonKey, Transform, YamlKey
from sscsi_shared.yaml_records import Record, records
from sscsi_shared.yaml_tree import Dialect, parse

KNOWN: Final = frozenset({"secrets", "auth", "project", "location", "workloadIdentityProvider", "serviceAccount"})
FIELDS: Final = ("resourceName", "path", "fileName", "mode", "extractJSONKey", "extractYAMLKey", SELECT, *OBJECT_FIELDS)
KEY_FILE: Final = "key.json"
_KEPT_CLASSES: Final = 64
_KEPT_CHARS: Final = 8192
_LOAD: Final = "failed to unmarshal secrets attribute: "


class Auth(Enum):
    """As whom Google is asked."""

    POD = "pod-adc"
    NODE = "provider-adc"
    KEY = "nodePublishSecretRef"


@dataclass(frozen=True, slots=True)
class Search:
    """Secrets by what they have in common.

    Attributes:
        parent: `projects/<project>`, with the location where they are regional.
        location: empty = the global service.
        selection: which of them.
    """

    parent: str
    location: str
    selection: Selection

    @property
    def lane(self) -> tuple[str, ...]:
        """Whose quota it counts against."""
        return "list", self.parent


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of `secrets`.

    Attributes:
        resource: what is read.
        outputs: the files that it becomes.
        optional: whether the mount goes on without it where it does not exist.
        written: resourceName as it stands in the class.
    """

    resource: Resource | Search
    outputs: tuple[Output | Spread, ...]
    optional: bool
    written: str


@dataclass(frozen=True, slots=True)
class GcpRequest:
    """A Mount, in this provider's terms.

    Attributes:
        mount: whose volume it is, its tokens and referenced secrets.
        auth: as whom to ask.
        entries: what for, in the order of the class.
        pool_provider: resource name of a workload identity pool provider; empty = what the operator says, or GKE's own.
        target: a Google service account to act as, instead of the annotation's; empty = what that says.
    """

    mount: MountInput
    auth: Auth
    entries: tuple[Entry, ...]
    pool_provider: str = ""
    target: str = ""


def read_request(mount: MountInput, *, keys_allowed: bool = False) -> GcpRequest:
    """Read a class's parameters.

    Args:
        mount: the request.
        keys_allowed: whether `key.json` of nodePublishSecretRef may be used.

    Raises:
        InvalidParameters: with the beginning of the existing provider's message, and the place in the class.
    """
    parameters = Parameters(mount.attributes, KNOWN)
    auth = _auth(parameters.text("auth"), has_key=KEY_FILE in mount.secrets)
    if auth is Auth.KEY and not keys_allowed:
        raise InvalidParameters(
            "nodePublishSecretRef has a key.json, which this provider is not allowed to use.",
            path="nodePublishSecretRef",
            hint="An operator can allow it with ALLOW_NODE_PUBLISH_SECRET=true; else leave it away: the pod's own "
            "identity is used then.",
        )
    if "secrets" not in parameters:
        parameters.required("secrets", "Write a YAML list of entries with resourceName and path.", message=_MISSING)
    text = parameters.text("secrets")
    read = _entries_kept if len(text) <= _KEPT_CHARS else _entries
    entries = read(text, mount.default_mode, _project(parameters), parameters.text("location").strip())
    return GcpRequest(mount, auth, entries, _pool_provider(parameters), _target(parameters))


def _entries(text: str, default_mode: int, project: str, location: str) -> tuple[Entry, ...]:
    tree = parse(text, Dialect.CORE, where="secrets", prefix=_LOAD)
    for entry in tree.items():
        if not entry.is_null:
            entry.entries()  # a load error, with that beginning; what is wrong within an entry has a text of its own
    found = records(replace(tree, prefix=""), FIELDS, empty_entry=f"{_LOAD}the list entry is empty.")
    return tuple(_entry(record, default_mode, project, location) for record in found)


_entries_kept: Final = functools.lru_cache(_KEPT_CLASSES)(_entries)
"""Every pod of a class brings the same text, again and again; reading it is most of what a mount of the known costs."""
_MISSING: Final = "missing required 'secrets' attribute"
_PROVIDER: Final = re.compile(
    r"(?:(?:https:)?//iam\.googleapis\.com/)?"
    r"(projects/[0-9]+/locations/global/workloadIdentityPools/[a-z0-9-]+/providers/[a-z0-9-]+)"
)
_ID: Final = re.compile(r"[A-Za-z0-9_-]{0,255}")
_LABEL: Final = re.compile(r"[\w-]{0,63}")
"""Letters of any language (Google Cloud, requirements for labels)."""
_LABEL_KEY: Final = re.compile(r"[^\W\d_][\w-]{0,62}")
_PROJECT: Final = re.compile(r"[a-z0-9.:-]{1,63}")
ACCOUNT: Final = re.compile(r"[A-Za-z0-9-]{1,63}@[a-z0-9.:-]{1,190}")
"""A Google service account's address: it becomes part of a path."""


def _project(parameters: Parameters) -> str:
    project = parameters.text("project").strip()
    if project and not _PROJECT.fullmatch(project):
        raise InvalidParameters(f"project is no project's id: {clip(project, 64)}", path="parameters.project")
    return project


def _pool_provider(parameters: Parameters) -> str:
    text = parameters.text("workloadIdentityProvider").strip()
    found = _PROVIDER.fullmatch(text)
    if text and found is None:
        raise InvalidParameters(
            f"workloadIdentityProvider is no provider of a pool: {clip(text, 200)}",
            path="parameters.workloadIdentityProvider",
            hint="projects/<number>/locations/global/workloadIdentityPools/<pool>/providers/<provider>",
        )
    return found[1] if found else ""


def _target(parameters: Parameters) -> str:
    text = parameters.text("serviceAccount").strip()
    if text and not ACCOUNT.fullmatch(text):
        raise InvalidParameters(
            f"serviceAccount is no Google service account's address: {clip(text, 200)}",
            path="parameters.serviceAccount",
            hint="It looks like name@project.iam.gserviceaccount.com.",
        )
    return text


def _auth(word: str, *, has_key: bool) -> Auth:
    if word not in {"", Auth.POD.value, Auth.NODE.value}:
        raise InvalidParameters(
            f'unknown auth configuration: "{clip(word, 64)}"',
            path="parameters.auth",
            hint='Write "pod-adc" (as by default) or "provider-adc".',
        )
    if has_key and word:
        raise InvalidParameters(
            f"attempting to set both nodePublishSecretRef and {word} auth",
            path="parameters.auth",
            hint="Leave one of them away.",
        )
    if has_key:
        return Auth.KEY
    return Auth(word) if word else Auth.POD


def _entry(record: Record, default_mode: int, project: str, location: str) -> Entry:
    written = record.text("resourceName")
    mode = _mode(record, default_mode)
    extract = _extract(record)
    path = record.text("path") or record.text("fileName")
    common = object_fields(record, Naming(), mode)
    resource = _resource(record, written, common, project, location)
    if (common.all_keys or common.selection is not None) and extract != WHOLE:
        raise record.error("allKeys and select can't be combined with extractJSONKey or extractYAMLKey.", "allKeys")
    if not path and not common.all_keys and common.selection is None:
        raise record.error("invalid path: must not be empty.", "path", hint="Write the file's name there.")
    outputs = common.outputs(written, path, mode, version_id=written, extract=extract)
    return Entry(resource, outputs, common.optional, written or common.selection.shown if common.selection else written)


def _resource(record: Record, written: str, common: ObjectFields, project: str, location: str) -> Resource | Search:
    try:
        if common.selection is None:
            return read_resource(written, project, location)
        where = f"/locations/{location}" if location else ""
        _check_selection(record, common.selection)
        parent, place = read_parent(written or (f"projects/{project}{where}" if project else ""))
        return Search(parent, place, common.selection)
    except InvalidParameters as error:
        raise record.error(error.message, "resourceName", hint=error.hint) from error


def _check_selection(record: Record, selection: Selection) -> None:
    """Prefix and labels become part of a filter; what no secret can bear finds nothing, and is told."""
    if not _ID.fullmatch(selection.prefix):
        shown = clip(selection.prefix, 64)
        raise record.error(f"no secret's id begins so: {shown}", SELECT, hint="Ids have letters, digits, - and _.")
    for key, value in selection.tags:
        if not _LABEL_KEY.fullmatch(key) or not _LABEL.fullmatch(value):
            shown = clip(f"{key}={value}", 128)
            hint = "Keys and values have small letters, digits, - and _; 63 at most."
            raise record.error(f"no secret has such a label: {shown}", SELECT, hint=hint)


def _mode(record: Record, default: int) -> int:
    mode = record.integer("mode")
    try:
        return default if mode is None else check_mode(mode)
    except InvalidParameters as error:
        raise record.error(error.message, "mode", hint=error.hint) from error


def _extract(record: Record) -> Transform:
    json_key, yaml_key = record.text("extractJSONKey"), record.text("extractYAMLKey")
    if json_key and yaml_key:
        raise record.error(
            "both ExtractJSONKey and ExtractYAMLKey can't be simultaneously non empty strings",
            "extractYAMLKey",
            hint="Write an entry for each.",
        )
    if json_key:
        return JsonKey(json_key)
    return YamlKey(yaml_key) if yaml_key else WHOLE
