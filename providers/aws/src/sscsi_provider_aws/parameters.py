"""PURE: a class's parameters, as the AWS provider reads them.

Names, order of checks and the beginnings of the messages are those of the existing AWS provider (its release 3).
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from sscsi_provider_aws.descriptors import FIELDS, Described, described
from sscsi_shared.errors import InvalidParameters, clip
from sscsi_shared.mount import MountInput
from sscsi_shared.parameters import Parameters
from sscsi_shared.paths import Naming
from sscsi_shared.yaml_records import records
from sscsi_shared.yaml_tree import Dialect, parse

KNOWN: Final = frozenset(
    {
        "region",
        "failoverRegion",
        "pathTranslation",
        "usePodIdentity",
        "preferredAddressType",
        "assumeRoleArn",
        "assumeRoleExternalId",
        "objects",
    }
)
_LOAD: Final = "Failed to load SecretProviderClass: "


class AddressType(Enum):
    """Which address of the Pod Identity agent is asked."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class AwsRequest:
    """A Mount, in this provider's terms.

    Attributes:
        mount: whose volume it is, and its tokens.
        region: as the class says; empty if it does not.
        failover_region: asked where the first one fails; empty = none.
        objects: in the order of the class.
        pod_identity: whether credentials come from the EKS Pod Identity agent.
        address_type: of the agent.
        assume_role: ARN of a second role, assumed with the credentials of the first; empty = none.
        external_id: goes with that.
    """

    mount: MountInput
    region: str
    failover_region: str
    objects: tuple[Described, ...]
    pod_identity: bool = False
    address_type: AddressType = AddressType.AUTO
    assume_role: str = ""
    external_id: str = ""


def read_request(mount: MountInput) -> AwsRequest:
    """Read a class's parameters.

    Raises:
        InvalidParameters: with the beginning of the existing provider's message, and the place in the class.
    """
    parameters = Parameters(mount.attributes, KNOWN)
    region, failover_region = parameters.text("region").strip(), parameters.text("failoverRegion").strip()
    pod_identity = parameters.boolean("usePodIdentity", message="failed to parse usePodIdentity value, error: ")
    naming = Naming(_translation(parameters.text("pathTranslation")))
    if "objects" not in parameters:
        parameters.required("objects", 'Write "objects: []" for an empty volume.')
    tree = parse(parameters.text("objects"), Dialect.AWS, where="objects", prefix=_LOAD)
    for entry in tree.items():
        entry.entries()  # a load error, with that beginning; what is wrong within an entry has a text of its own
    entries = records(replace(tree, prefix=""), FIELDS, empty_entry="Empty descriptor entry in SecretProviderClass")
    found = tuple(described(record, naming, mount.default_mode, failover_region) for record in entries)
    _refuse_duplicates(found)
    external_id = parameters.text("assumeRoleExternalId")
    assume_role = parameters.text("assumeRoleArn").strip()
    if external_id and not assume_role:
        raise InvalidParameters(
            "assumeRoleExternalId is set without assumeRoleArn.",
            path="parameters.assumeRoleExternalId",
            hint="It goes with the role that assumeRoleArn names.",
        )
    return AwsRequest(
        mount, region, failover_region, found, pod_identity, _address_type(parameters), assume_role, external_id
    )


def _address_type(parameters: Parameters) -> AddressType:
    """Any other word counts as auto, as in the existing provider."""
    word = parameters.text("preferredAddressType").strip().lower()
    return AddressType(word) if word in {one.value for one in AddressType} else AddressType.AUTO


def _translation(text: str) -> str:
    """What a slash in a name becomes: one character, or empty for "keep it as a folder"."""
    if text.lower() == "false":
        return ""
    if len(text.encode()) > 1:
        raise InvalidParameters(
            "pathTranslation must be either 'False' or a single character string", path="parameters.pathTranslation"
        )
    return text or "_"


def _refuse_duplicates(objects: tuple[Described, ...]) -> None:
    """What the existing provider calls a duplicate, in its words; then names that translate to one path.

    Objects that bring their files' names themselves are looked at once they are read.
    """
    last: dict[str, Described] = {}
    owners: dict[str, str] = {}
    for one in objects:
        if not one.path:
            continue
        before = last.get(one.name)
        if before is not None and (text := _same(before, one)):
            raise one.error(text, "Remove one of the two, or give it an objectAlias of its own.")
        last[one.name] = one
        _claim(owners, one, one.path, f"found duplicate object alias {clip(one.path)}")
        for entry in one.common.jmes:
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
    if not before.target.label and not one.target.label:
        return f"{named}, {alias}, and no version label"
    if before.target.label == one.target.label:
        return f"{named}, {alias}, and duplicate version label {clip(one.target.label)}"
    return ""


def _claim(owners: dict[str, str], one: Described, path: str, text: str) -> None:
    if path in owners:
        hint = f"{clip(owners[path])} is written to the file {clip(path)} too; give one of them its own objectAlias."
        raise one.error(text, hint)
    owners[path] = one.name


def check_regions(objects: tuple[Described, ...], region: str) -> None:
    """Refuse ARNs of another region than the one that is asked.

    Raises:
        InvalidParameters: with the existing provider's message.
    """
    for one in objects:
        if one.target.arn is not None and one.target.arn.region != region:
            raise one.error(f"ARN region must match region {region}: {clip(one.name)}")


def region_of_arns(objects: tuple[Described, ...]) -> str:
    """The one region that all ARNs name; empty if they name none or several."""
    regions = {one.target.arn.region for one in objects if one.target.arn is not None and one.target.arn.region}
    return regions.pop() if len(regions) == 1 else ""
