"""PURE: a class's parameters, as the AWS provider reads them.

Names, order of checks and the beginnings of the messages are those of the existing AWS provider (its release 3).
"""

import re
from dataclasses import dataclass, field, replace
from typing import Final

from sscsi_shared.errors import InvalidParameters, clip
from sscsi_shared.mount import MountInput
from sscsi_shared.parameters import Parameters
from sscsi_shared.paths import octal_mode
from sscsi_shared.transform import check_expression
from sscsi_shared.yaml_records import Record, records
from sscsi_shared.yaml_tree import Dialect, parse

SECRETS_MANAGER: Final = "secretsmanager"
PARAMETER_STORE: Final = "ssm"
_TYPES: Final = {"secretsmanager": SECRETS_MANAGER, "ssmparameter": PARAMETER_STORE}

KNOWN: Final = frozenset(
    {"region", "failoverRegion", "pathTranslation", "usePodIdentity", "preferredAddressType", "objects"}
)
_FIELDS: Final = (
    "objectName",
    "objectType",
    "objectAlias",
    "objectVersion",
    "objectVersionLabel",
    "filePermission",
    "jmesPath",
    "failoverObject",
    "optional",
)
_JMES_FIELDS: Final = ("path", "objectAlias", "filePermission")
_LOAD: Final = "Failed to load SecretProviderClass: "
_CLIMBS: Final = re.compile(r"(^|/)\.\.(/|$)")


@dataclass(frozen=True, slots=True)
class Arn:
    """A secret's or parameter's full name (arn:partition:service:region:account:resource)."""

    service: str
    region: str


@dataclass(frozen=True, slots=True)
class JmesEntry:
    """One value out of a JSON secret: the expression, the file's path, its mode."""

    expression: str
    alias: str
    path: str
    mode: int


@dataclass(frozen=True, slots=True)
class Described:
    """One entry of `objects`.

    Attributes:
        name: friendly name or ARN.
        service: secretsmanager or ssm.
        path: the file's, translated.
        mode: permission bits.
        alias: as written; empty if none is.
        version: a secret's VersionId, or a parameter's number; empty = the current one.
        label: a secret's stage, or a parameter's label.
        jmes: values to extract as files of their own.
        optional: whether the mount goes on without it where it does not exist.
        arn: what the name says, if it is an ARN.
        place: path, line and column in the class, for messages.
    """

    name: str
    service: str
    path: str
    mode: int
    alias: str = ""
    version: str = ""
    label: str = ""
    jmes: tuple[JmesEntry, ...] = ()
    optional: bool = False
    arn: Arn | None = None
    place: tuple[str, int, int] = field(default=("", 0, 0), compare=False)


@dataclass(frozen=True, slots=True)
class AwsRequest:
    """A Mount, in this provider's terms.

    Attributes:
        mount: whose volume it is, and its tokens.
        region: as the class says; empty if it does not.
        objects: in the order of the class.
    """

    mount: MountInput
    region: str
    objects: tuple[Described, ...]


def read_request(mount: MountInput) -> AwsRequest:
    """Read a class's parameters.

    Raises:
        InvalidParameters: with the beginning of the existing provider's message, and the place in the class.
    """
    parameters = Parameters(mount.attributes, KNOWN)
    if parameters.boolean("usePodIdentity", message="failed to parse usePodIdentity value, error: "):
        raise InvalidParameters(
            "usePodIdentity is not supported by this version of the provider.",
            path="parameters.usePodIdentity",
            hint="Use a role for the service account (IRSA): leave usePodIdentity away.",
        )
    if parameters.text("failoverRegion"):
        raise InvalidParameters(
            "failoverRegion is not supported by this version of the provider.",
            path="parameters.failoverRegion",
            hint="Leave it away; objects are read in one region.",
        )
    translation = _translation(parameters.text("pathTranslation"))
    if "objects" not in parameters:
        parameters.required("objects", 'Write "objects: []" for an empty volume.')
    tree = parse(parameters.text("objects"), Dialect.AWS, where="objects", prefix=_LOAD)
    for entry in tree.items():
        entry.entries()  # a load error, with that beginning; what is wrong within an entry has a text of its own
    entries = records(replace(tree, prefix=""), _FIELDS, empty_entry="Empty descriptor entry in SecretProviderClass")
    found = tuple(_described(record, translation, mount.default_mode) for record in entries)
    _refuse_duplicates(found)
    return AwsRequest(mount, parameters.text("region").strip(), found)


def _translation(text: str) -> str:
    """What a slash in a name becomes: one character, or empty for "keep it as a folder"."""
    if text.lower() == "false":
        return ""
    if len(text.encode()) > 1:
        raise InvalidParameters(
            "pathTranslation must be either 'False' or a single character string", path="parameters.pathTranslation"
        )
    return text or "_"


def _translate(name: str, translation: str) -> str:
    return name.replace("/", translation) if translation else name.lstrip("/")


def _described(record: Record, translation: str, default_mode: int) -> Described:
    name = record.required("objectName", message="Object name must be specified")
    arn = _arn(record, name)
    service = _service(record, name, arn)
    version, label = record.text("objectVersion"), record.text("objectVersionLabel")
    if service == PARAMETER_STORE and version and label:
        raise record.error(
            f"ssm parameters can not specify both objectVersion and objectVersionLabel: {clip(name)}",
            "objectVersionLabel",
        )
    alias = record.text("objectAlias")
    path = _translate(alias or name, translation)
    if _CLIMBS.search(path):
        raise record.error(f"path can not contain ../: {clip(path)}", "objectAlias" if alias else "objectName")
    mode = _mode(record, default_mode)
    if record.get("failoverObject") is not None:
        raise record.error("failoverObject is not supported by this version of the provider.", "failoverObject")
    jmes = tuple(_jmes(entry, translation, mode) for entry in record.records("jmesPath", _JMES_FIELDS))
    place = (record.path, record.node.line, record.node.column)
    optional = record.boolean("optional")
    return Described(name, service, path, mode, alias, version, label, jmes, optional, arn, place)


def _arn(record: Record, name: str) -> Arn | None:
    if not name.startswith("arn:"):
        return None
    parts = name.split(":", 5)
    if len(parts) != 6 or not parts[5]:
        raise record.error(
            f"Invalid ARN format in object name: {clip(name)}",
            "objectName",
            hint="It has six parts: arn:partition:service:region:account:resource.",
        )
    return Arn(parts[2], parts[3])


def _service(record: Record, name: str, arn: Arn | None) -> str:
    kind = record.text("objectType")
    if not kind and arn is None:
        raise record.error(
            f"Must use objectType when a full ARN is not specified: {clip(name)}",
            "objectType",
            hint='Write objectType: "secretsmanager" or "ssmparameter".',
        )
    if arn is not None and not kind:
        if arn.service not in _TYPES.values():
            raise record.error(f"Invalid service in ARN: {clip(arn.service)}", "objectName")
        return arn.service
    if kind not in _TYPES:
        raise record.error(
            f"Invalid objectType: {clip(kind)}", "objectType", hint='It is "secretsmanager" or "ssmparameter".'
        )
    if arn is not None and _TYPES[kind] != arn.service:
        raise record.error(f"objectType does not match ARN: {clip(name)}", "objectType")
    return _TYPES[kind]


def _mode(record: Record, default: int) -> int:
    text = record.text("filePermission")
    if not text:
        return default
    try:
        return octal_mode(text)
    except InvalidParameters as error:
        raise record.error(error.message, "filePermission", hint=error.hint) from error


def _jmes(entry: Record, translation: str, default_mode: int) -> JmesEntry:
    expression = entry.required("path", message="Path must be specified for JMES object")
    alias = entry.required("objectAlias", message="Object alias must be specified for JMES object")
    try:
        check_expression(expression)
    except InvalidParameters as error:
        raise entry.error(error.message, "path", hint=error.hint) from error
    path = _translate(alias, translation)
    if _CLIMBS.search(path):
        raise entry.error(f"path can not contain ../: {clip(path)}", "objectAlias")
    return JmesEntry(expression, alias, path, _mode(entry, default_mode))


def _refuse_duplicates(objects: tuple[Described, ...]) -> None:
    """What the existing provider calls a duplicate, in its words; then names that translate to one path."""
    last: dict[str, Described] = {}
    owners: dict[str, str] = {}
    for one in objects:
        before = last.get(one.name)
        if before is not None and (text := _same(before, one)):
            raise _at(one, text)
        last[one.name] = one
        _claim(owners, one, one.path, f"found duplicate object alias {clip(one.path)}")
        for entry in one.jmes:
            _claim(
                owners,
                one,
                entry.path,
                f"Name already in use for objectAlias: found duplicate object alias {clip(entry.alias)} in JMES path "
                f"entry {clip(entry.expression)}",
            )


def _same(before: Described, one: Described) -> str:
    """Why two entries of one name are one too many; empty if they are not."""
    if before.alias != one.alias:
        return ""
    named = f"found descriptor with duplicate object name {clip(one.name)}"
    alias = f"duplicate object alias {clip(one.alias)}" if one.alias else "no object alias"
    if not before.label and not one.label:
        return f"{named}, {alias}, and no version label"
    if before.label == one.label:
        return f"{named}, {alias}, and duplicate version label {clip(one.label)}"
    return ""


def _claim(owners: dict[str, str], one: Described, path: str, text: str) -> None:
    if path in owners:
        hint = f"{clip(owners[path])} is written to the file {clip(path)} too; give one of them its own objectAlias."
        raise _at(one, text, hint)
    owners[path] = one.name


def _at(one: Described, message: str, hint: str = "") -> InvalidParameters:
    path, line, column = one.place
    return InvalidParameters(message, path=path, line=line, column=column, hint=hint)


def check_regions(objects: tuple[Described, ...], region: str) -> None:
    """Refuse ARNs of another region than the one that is asked.

    Raises:
        InvalidParameters: with the existing provider's message.
    """
    for one in objects:
        if one.arn is not None and one.arn.region != region:
            raise _at(one, f"ARN region must match region {region}: {clip(one.name)}")


def region_of_arns(objects: tuple[Described, ...]) -> str:
    """The one region that all ARNs name; empty if they name none or several."""
    regions = {one.arn.region for one in objects if one.arn is not None and one.arn.region}
    return regions.pop() if len(regions) == 1 else ""
