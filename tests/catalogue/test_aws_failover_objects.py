"""reference/aws.md section 13, "descriptors: failover", and the texts of section 3.4 for it."""

import json
from typing import Any

import pytest

from aws_catalogue import OTHER, REGION, SM, SSM, arn
from sscsi_provider_aws.descriptors import Described
from sscsi_provider_aws.parameters import check_regions, read_request
from sscsi_shared.errors import InvalidParameters
from sscsi_shared.mount import MountInput, PodInfo
from sscsi_shared.tokens import ABSENT

HERE, THERE = arn("secretsmanager", "secret:a-AbCdEf"), arn("secretsmanager", "secret:b-AbCdEf", OTHER)
ALIAS = {"objectAlias": "alias"}


def described(entry: dict[str, Any], region: str = OTHER) -> Described:
    given = {"objects": json.dumps([entry]), "failoverRegion": region}
    request = read_request(MountInput(given, {}, PodInfo("ns", "pod", "uid", "sa"), ABSENT, "/t"))
    check_regions(request.objects, REGION)
    return request.objects[0]


def failover(**fields: str) -> dict[str, Any]:
    return {"failoverObject": fields}


@pytest.mark.parametrize(
    ("entry", "region", "text"),
    [
        pytest.param(
            {"objectName": "a"} | SM | failover(objectName="b"),
            OTHER,
            "object alias must be specified for objects with failover entries: a",
            id="alias required",
        ),
        pytest.param(
            {"objectName": HERE} | ALIAS | failover(objectName="b"),
            OTHER,
            "Must use objectType when a full ARN is not specified: b",
            id="non-ARN failover name needs type",
        ),
        pytest.param(
            {"objectName": "a"} | ALIAS | failover(objectName=THERE),
            OTHER,
            "Must use objectType when a full ARN is not specified: a",
            id="non-ARN primary needs type",
        ),
        pytest.param(
            {"objectName": "a"} | SSM | ALIAS | failover(objectName=THERE),
            OTHER,
            f"objectType does not match ARN: {THERE}",
            id="ARN service mismatch with type",
        ),
        pytest.param(
            {"objectName": HERE} | ALIAS | failover(objectName=THERE.replace("secretsmanager", "sts")),
            OTHER,
            "Invalid service in ARN: sts",
            id="ARN bad service",
        ),
        pytest.param(
            {"objectName": HERE.replace(REGION, "eu-west-1")} | ALIAS | failover(objectName=THERE),
            OTHER,
            f"ARN region must match region {REGION}: {HERE.replace(REGION, 'eu-west-1')}",
            id="primary ARN region mismatch",
        ),
        pytest.param(
            {"objectName": HERE} | ALIAS | failover(objectName=HERE),
            OTHER,
            f"ARN region must match region {OTHER}: {HERE}",
            id="failover ARN region mismatch",
        ),
        pytest.param(
            {"objectName": "a"} | SM | ALIAS | failover(objectName="b"),
            "",
            "failover object allowed only when failover region is defined: a",
            id="failover without region",
        ),
        pytest.param(
            {"objectName": "a"} | SSM | ALIAS | failover(objectName="b", objectVersion="1", objectVersionLabel="l"),
            OTHER,
            "ssm parameters can not specify both objectVersion and objectVersionLabel: a",
            id="failover version+label for SSM",
        ),
        pytest.param(
            {"objectName": "a", "objectVersion": "1"} | SSM | ALIAS | failover(objectName="b", objectVersion="2"),
            OTHER,
            "object versions must match between primary and failover regions: a",
            id="versions differ",
        ),
        pytest.param(
            {"objectName": "a", "objectVersion": "1"} | SSM | ALIAS | failover(objectName="b"),
            OTHER,
            "object versions must match between primary and failover regions: a",
            id="one version empty",
        ),
        pytest.param(
            {"objectName": "a"} | SM | ALIAS | failover(objectName="arn::"),
            OTHER,
            "Invalid ARN format in object name: arn::",
            id="failover ARN does not parse",
        ),
    ],
)
def test_refused(entry: dict[str, Any], region: str, text: str) -> None:
    with pytest.raises(InvalidParameters) as caught:
        described(entry, region)
    assert caught.value.message.startswith(text)


def test_both_arns_and_the_path_still_by_alias() -> None:
    one = described({"objectName": HERE} | ALIAS | failover(objectName=THERE))
    assert one.failover is not None
    assert (one.path, one.target.name, one.failover.name) == ("alias", HERE, THERE)


def test_equal_versions() -> None:
    one = described(
        {"objectName": "a", "objectVersion": "1"} | SSM | ALIAS | failover(objectName="b", objectVersion="1")
    )
    assert one.failover is not None
    assert (one.target.version, one.failover.version) == ("1", "1")


def test_a_label_without_a_name_holds_in_the_other_region() -> None:
    one = described({"objectName": "a", "objectVersionLabel": "here"} | SM | failover(objectVersionLabel="there"))
    assert one.failover is not None
    assert (one.failover.name, one.target.label, one.failover.label) == ("a", "here", "there")


def test_a_failover_objects_other_fields_are_ignored() -> None:
    one = described({"objectName": "a"} | SM | ALIAS | failover(objectName="b", objectAlias="ignored", backupArn="x"))
    assert one.path == "alias"
