"""Fail-over, Pod Identity and a second role, against canned AWS."""

import json
from collections.abc import Iterator

import pytest

from aws_crowd import Crowd, parameters, secrets
from sscsi_emulators.canned_aws import AGENT, CannedAws
from sscsi_shared.errors import (
    AccessDenied,
    AuthenticationFailed,
    BackendUnavailable,
    InvalidParameters,
    ObjectNotFound,
)

STS, SINGLE, SSM = "sts.AssumeRoleWithWebIdentity", "secretsmanager.GetSecretValue", "ssm.GetParameters"
HOME, OTHER = "eu-central-1", "eu-west-1"
SECOND = "arn:aws:iam::210987654321:role/second"


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    with CannedAws() as aws:
        yield Crowd(aws)


def test_a_healthy_region_is_the_only_one_asked(crowd: Crowd) -> None:
    crowd.mount_at_once(5, secrets(10))
    crowd.files(secrets(10), failoverRegion=OTHER)
    assert set(crowd.aws.regions) == {HOME}


@pytest.mark.parametrize(("objects", "operation"), [(secrets(1), SINGLE), (parameters(1), SSM)])
def test_a_broken_region_is_stood_in_for(crowd: Crowd, objects: str, operation: str) -> None:
    crowd.aws.refused[f"{HOME}/{operation}"] = "InternalServerError"
    crowd.aws.contents = {f"{OTHER}/s0": "from there", f"{OTHER}/p0": "from there"}
    assert list(crowd.files(objects, failoverRegion=OTHER).values()) == ["from there"]


@pytest.mark.parametrize(
    ("code", "kind"), [("AccessDeniedException", AccessDenied), ("ResourceNotFoundException", ObjectNotFound)]
)
def test_denied_or_absent_is_no_reason_to_ask_elsewhere(crowd: Crowd, code: str, kind: type[Exception]) -> None:
    crowd.aws.failing[f"{HOME}/s0"] = code
    with pytest.raises(kind):
        crowd.mount(secrets(1), failoverRegion=OTHER)
    assert set(crowd.aws.regions) == {HOME}


def test_both_fail_and_both_are_told(crowd: Crowd) -> None:
    crowd.aws.refused[f"{HOME}/{SINGLE}"] = "InternalServiceError"
    crowd.aws.failing[f"{OTHER}/s0"] = "ResourceNotFoundException"
    with pytest.raises(ObjectNotFound) as caught:
        crowd.mount(secrets(1), failoverRegion=OTHER)
    assert str(caught.value).startswith(f"{OTHER}: Failed fetching secret s0 as ")
    assert f"Tried before: Failed to fetch secret from all regions: {HOME}: s0 as " in str(caught.value)


def test_a_failover_object_has_its_own_name_and_the_files_name(crowd: Crowd) -> None:
    crowd.aws.refused[f"{HOME}/{SINGLE}"] = "InternalServiceError"
    entry = {"objectName": "s0", "objectType": "secretsmanager", "objectAlias": "db"}
    objects = json.dumps([entry | {"failoverObject": {"objectName": "elsewhere"}}])
    assert crowd.files(objects, failoverRegion=OTHER) == {"db": "elsewhere 0"}


def test_the_same_region_twice(crowd: Crowd) -> None:
    with pytest.raises(InvalidParameters, match="failover region cannot be the same as the primary region"):
        crowd.mount(secrets(1), failoverRegion=HOME)


def test_the_existing_providers_check_of_both_regions() -> None:
    with CannedAws() as aws:
        crowd = Crowd(aws, failover_check=True)
        assert crowd.files(secrets(1), failoverRegion=OTHER) == {"s0": "s0 0"}
        assert set(aws.regions) == {HOME, OTHER}
        aws.failing[f"{OTHER}/s0"] = "AccessDeniedException"
        crowd.clock.at += 20
        assert crowd.files(secrets(1), failoverRegion=OTHER) == {"s0": "s0 0"}
        aws.failing[f"{OTHER}/s0"] = "ResourceNotFoundException"
        crowd.clock.at += 20
        with pytest.raises(ObjectNotFound, match=f"^{OTHER}: "):
            crowd.mount(secrets(1), failoverRegion=OTHER)


def test_pod_identity_asks_the_agent_once_and_the_cluster_never(crowd: Crowd) -> None:
    for number in range(5):
        crowd.mount(secrets(10), pod=f"pod-{number}", usePodIdentity="true")
    assert crowd.aws.calls == {AGENT: 1, "secretsmanager.BatchGetSecretValue": 1}


@pytest.mark.parametrize(
    ("status", "kind", "asked"), [("400", AuthenticationFailed, 1), ("500", BackendUnavailable, 5)]
)
def test_an_agent_that_refuses(crowd: Crowd, status: str, kind: type[Exception], asked: int) -> None:
    crowd.aws.refused[AGENT] = status
    with pytest.raises(kind, match="the Pod Identity association of shop/web: the Pod Identity agent refused"):
        crowd.mount(secrets(1), usePodIdentity="true")
    assert crowd.aws.calls[AGENT] == asked


def test_a_second_role_is_assumed_by_the_first(crowd: Crowd) -> None:
    more = {"assumeRoleArn": SECOND, "assumeRoleExternalId": "shop"}
    assert crowd.files(secrets(1), **more) == {"s0": "s0 0"}
    assert crowd.files(secrets(1), **more) == {"s0": "s0 0"}
    assert crowd.aws.calls == {STS: 1, "sts.AssumeRole": 1, SINGLE: 1}
    chained = crowd.aws.assumed[1]
    assert (chained["RoleArn"], chained["ExternalId"], chained["signed by"]) == (SECOND, "shop", "ASIACANNED")


def test_a_second_role_that_is_none(crowd: Crowd) -> None:
    with pytest.raises(InvalidParameters, match="assumeRoleArn is no role's ARN"):
        crowd.mount(secrets(1), assumeRoleArn="second")
    with pytest.raises(InvalidParameters, match="without assumeRoleArn"):
        crowd.mount(secrets(1), assumeRoleExternalId="x")
