"""PURE: one entry of `objects`, as the AWS provider reads it.

Order of checks and the beginnings of the messages are those of the existing AWS provider (its release 3).
"""

from dataclasses import dataclass, field
from typing import Final

from sscsi_shared.errors import InvalidParameters, clip
from sscsi_shared.object_fields import OBJECT_FIELDS, SELECT, ObjectFields, Selection, file_mode, object_fields
from sscsi_shared.paths import Naming, climbs
from sscsi_shared.yaml_records import Record

SECRETS_MANAGER: Final = "secretsmanager"
PARAMETER_STORE: Final = "ssm"
_TYPES: Final = {"secretsmanager": SECRETS_MANAGER, "ssmparameter": PARAMETER_STORE}
FIELDS: Final = (
    "objectName",
    "objectType",
    "objectAlias",
    "objectVersion",
    "objectVersionLabel",
    "filePermission",
    "failoverObject",
    SELECT,
    *OBJECT_FIELDS,
)
_FAILOVER_FIELDS: Final = ("objectName", "objectVersion", "objectVersionLabel")


@dataclass(frozen=True, slots=True)
class Arn:
    """A secret's or parameter's full name (arn:partition:service:region:account:resource)."""

    service: str
    region: str


@dataclass(frozen=True, slots=True)
class Target:
    """What is read in one region.

    Attributes:
        name: friendly name or ARN.
        version: a secret's VersionId, or a parameter's number; empty = the current one.
        label: a secret's stage, or a parameter's label.
        arn: what the name says, if it is an ARN.
    """

    name: str
    version: str = ""
    label: str = ""
    arn: Arn | None = None


@dataclass(frozen=True, slots=True)
class Described:
    """One entry of `objects`.

    Attributes:
        target: what is read.
        service: secretsmanager or ssm.
        path: the file's, translated; empty where the object becomes files whose names it brings itself.
        mode: permission bits.
        common: what every provider's objects may say.
        alias: as written; empty if none is.
        failover: what is read in the other region, if there is one.
        place: path, line and column in the class, for messages.
    """

    target: Target
    service: str
    path: str
    mode: int
    common: ObjectFields
    alias: str = ""
    failover: Target | None = None
    place: tuple[str, int, int] = field(default=("", 0, 0), compare=False)

    @property
    def name(self) -> str:
        """The object in the author's words."""
        return self.target.name

    def error(self, message: str, hint: str = "") -> InvalidParameters:
        """An error at the object's place in the class."""
        path, line, column = self.place
        return InvalidParameters(message, path=path, line=line, column=column, hint=hint)


def described(record: Record, naming: Naming, default_mode: int, failover_region: str) -> Described:
    """Read an entry.

    Args:
        record: the entry.
        naming: how a name becomes a path.
        default_mode: permission bits of files that name none.
        failover_region: the other region; empty = there is none.

    Raises:
        InvalidParameters: it is wrong.
    """
    place = (record.path, record.node.line, record.node.column)
    if not record.text("objectName") and "select" in record:
        return _selected(record, naming, default_mode, failover_region, place)
    name = record.required("objectName", message="Object name must be specified")
    target = Target(name, record.text("objectVersion"), record.text("objectVersionLabel"), _arn(record, name))
    service = _service(record, target)
    if service == PARAMETER_STORE:
        _one_selector(record, target, name)
    alias = record.text("objectAlias")
    path = naming.path(alias or name)
    if climbs(path):
        raise record.error(f"path can not contain ../: {clip(path)}", "objectAlias" if alias else "objectName")
    mode = file_mode(record, "filePermission", default_mode)
    common = object_fields(record, naming, mode)
    if common.selection is not None:
        raise record.error("objectName can't be combined with select.", "select", hint="Write an entry for each.")
    if common.all_keys:
        _refuse(record, "objectAlias", "allKeys", "Its files are named by its keys; filePrefix comes before them.")
        path = ""
    failover = _failover(record, target, service, failover_region, named=common.all_keys)
    return Described(target, service, path, mode, common, alias, failover, place)


def _selected(
    record: Record, naming: Naming, default_mode: int, failover_region: str, place: tuple[str, int, int]
) -> Described:
    """An entry with `select`, which names no object."""
    mode = file_mode(record, "filePermission", default_mode)
    common = object_fields(record, naming, mode)
    if common.selection is None:
        raise record.error("select is empty.", "select", hint="Write a prefix or tags under it.")
    target = Target(common.selection.shown, label=record.text("objectVersionLabel"))
    service = _service(record, target)
    for word in ("objectAlias", "objectVersion", "failoverObject"):
        _refuse(record, word, "select", "It is about one object.")
    if service == PARAMETER_STORE:
        _is_path(record, common.selection)
    return Described(target, service, "", mode, common, "", target if failover_region else None, place)


def _is_path(record: Record, selection: Selection) -> None:
    if selection.tags:
        raise record.error("select.tags works with objectType secretsmanager only.", "select")
    if not selection.prefix.startswith("/"):
        raise record.error(
            f"select.prefix is no path of parameters: {clip(selection.prefix)}", "select", hint="Such as /shop/prod/."
        )


def _refuse(record: Record, word: str, other: str, hint: str) -> None:
    if record.text(word) if word != "failoverObject" else word in record:
        raise record.error(f"{word} can't be combined with {other}.", word, hint=hint)


def _failover(record: Record, target: Target, service: str, region: str, *, named: bool) -> Target | None:
    """What is read in the other region: what `failoverObject` says, and the object's own words for the rest."""
    other = record.record("failoverObject", _FAILOVER_FIELDS)
    name = other.text("objectName") if other is not None else ""
    if other is None or not name:
        if not region:
            return None
        version = other.text("objectVersion") if other is not None else ""
        label = other.text("objectVersionLabel") if other is not None else ""
        return Target(target.name, version or target.version, label or target.label, target.arn)
    if not record.text("objectAlias") and not named:
        raise record.error(
            f"object alias must be specified for objects with failover entries: {clip(target.name)}", "objectAlias"
        )
    if not region:
        raise record.error(
            f"failover object allowed only when failover region is defined: {clip(target.name)}", "failoverObject"
        )
    found = Target(name, other.text("objectVersion"), other.text("objectVersionLabel"), _arn(other, name))
    if found.arn is not None and found.arn.region != region:
        raise other.error(f"ARN region must match region {region}: {clip(name)}", "objectName")
    _same_service(record, found, service)
    if service == PARAMETER_STORE:
        _one_selector(other, found, target.name)
    if found.version != target.version:
        raise other.error(
            f"object versions must match between primary and failover regions: {clip(target.name)}", "objectVersion"
        )
    return Target(name, found.version, found.label or target.label, found.arn)


def _one_selector(record: Record, target: Target, name: str) -> None:
    if target.version and target.label:
        raise record.error(
            f"ssm parameters can not specify both objectVersion and objectVersionLabel: {clip(name)}",
            "objectVersionLabel",
        )


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


def _service(record: Record, target: Target) -> str:
    kind = record.text("objectType")
    if not kind and target.arn is None:
        raise record.error(
            f"Must use objectType when a full ARN is not specified: {clip(target.name)}",
            "objectType",
            hint='Write objectType: "secretsmanager" or "ssmparameter".',
        )
    if target.arn is not None and not kind:
        if target.arn.service not in _TYPES.values():
            raise record.error(f"Invalid service in ARN: {clip(target.arn.service)}", "objectName")
        return target.arn.service
    if kind not in _TYPES:
        raise record.error(
            f"Invalid objectType: {clip(kind)}", "objectType", hint='It is "secretsmanager" or "ssmparameter".'
        )
    if target.arn is not None and _TYPES[kind] != target.arn.service:
        raise record.error(f"objectType does not match ARN: {clip(target.name)}", "objectType")
    return _TYPES[kind]


def _same_service(record: Record, other: Target, service: str) -> None:
    """The failover object's kind: said by `objectType`, or by its own ARN."""
    if other.arn is None:
        if not record.text("objectType"):
            raise record.error(
                f"Must use objectType when a full ARN is not specified: {clip(other.name)}", "objectType"
            )
        return
    if not record.text("objectType") and other.arn.service not in _TYPES.values():
        raise record.error(f"Invalid service in ARN: {clip(other.arn.service)}", "failoverObject")
    if other.arn.service != service:
        raise record.error(f"objectType does not match ARN: {clip(other.name)}", "failoverObject")
