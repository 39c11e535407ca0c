"""How often AWS is asked: once for an identity, whatever the pods."""

import json
from collections.abc import Iterator

import pytest

from aws_crowd import Crowd, parameters, secrets
from sscsi_emulators.canned_aws import CannedAws
from sscsi_shared.economy.options import EconomyOptions
from sscsi_shared.errors import (
    AccessDenied,
    AuthenticationFailed,
    BackendThrottled,
    MountFailed,
    ObjectNotFound,
    ObjectUnusable,
)

STS, BATCH = "sts.AssumeRoleWithWebIdentity", "secretsmanager.BatchGetSecretValue"
SINGLE, SSM = "secretsmanager.GetSecretValue", "ssm.GetParameters"
PODS = 50
VERSION = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def aws() -> Iterator[CannedAws]:
    with CannedAws() as aws:
        yield aws


@pytest.fixture
def crowd(aws: CannedAws) -> Crowd:
    return Crowd(aws)


def test_fifty_pods_at_once(crowd: Crowd) -> None:
    results = crowd.mount_at_once(PODS, secrets(10))
    assert {tuple((file.path, file.contents.reveal()) for file in result.files) for result in results} == {
        tuple((f"s{n}", f"s{n} 0".encode()) for n in range(10))
    }
    assert crowd.aws.calls == {STS: 1, BATCH: 1}


def test_fifty_pods_at_once_of_each_of_two_accounts(crowd: Crowd) -> None:
    crowd.mount_at_once(25, secrets(10), accounts=("web", "api"))
    assert crowd.aws.calls == {STS: 2, BATCH: 2}


def test_batches_that_are_refused_are_not_tried_again_for_an_hour(crowd: Crowd) -> None:
    crowd.aws.refused[BATCH] = "AccessDeniedException"
    crowd.mount_at_once(PODS, secrets(10))
    assert crowd.aws.calls == {STS: 1, BATCH: 1, SINGLE: 10}
    crowd.aws.calls.clear()
    crowd.clock.at += 1000
    crowd.mount_at_once(PODS, secrets(10))
    assert crowd.aws.calls == {STS: 1, SINGLE: 10}
    crowd.aws.refused.clear()
    crowd.clock.at += 2600
    crowd.aws.calls.clear()
    crowd.mount(secrets(10))
    assert crowd.aws.calls == {STS: 1, BATCH: 1}


def test_batches_that_are_throttled_are_not_tried_again_for_ten_minutes(crowd: Crowd) -> None:
    crowd.aws.refused[BATCH] = "ThrottlingException"
    assert len(crowd.files(secrets(10))) == 10
    assert crowd.aws.calls == {STS: 1, BATCH: 1, SINGLE: 10}, "one try, no waiting, single reads at once"
    for passed, batches in ((580, 0), (21, 1)):
        crowd.aws.calls.clear()
        crowd.clock.at += passed
        crowd.mount(secrets(10))
        assert crowd.aws.calls[BATCH] == batches


@pytest.mark.parametrize("code", ["ValidationException", "UnknownOperationException", "InternalServiceError"])
def test_whatever_a_batch_fails_for_single_reads_are_tried(crowd: Crowd, code: str) -> None:
    crowd.aws.refused[BATCH] = code
    assert len(crowd.files(secrets(3))) == 3
    assert crowd.aws.calls == {STS: 1, BATCH: 1, SINGLE: 3}


def test_an_endpoint_that_knows_no_batches(crowd: Crowd) -> None:
    crowd.aws.refused[BATCH] = "UnknownOperationException"
    for _ in range(3):
        crowd.clock.at += 15
        crowd.mount(secrets(3))
    assert crowd.aws.calls == {STS: 1, BATCH: 1, SINGLE: 9}


def test_a_name_that_aws_would_never_take_spoils_nothing_for_others(crowd: Crowd) -> None:
    bad = json.dumps([{"objectName": "s0", "objectType": "secretsmanager", "objectVersion": "short"}])
    for _ in range(2):
        with pytest.raises(ObjectUnusable, match=r"Invalid length for parameter VersionId.*Nothing was sent"):
            crowd.mount(bad)
    assert crowd.files(secrets(1)) == {"s0": "s0 0"}
    assert crowd.aws.calls == {STS: 1, SINGLE: 1}


def test_one_role_refused_is_nothing_to_another(crowd: Crowd) -> None:
    crowd.aws.refused[BATCH] = "AccessDeniedException"
    crowd.mount(secrets(3), account="web")
    crowd.aws.refused.clear()
    crowd.aws.calls.clear()
    crowd.mount(secrets(3), account="api")
    assert crowd.aws.calls == {STS: 1, BATCH: 1}


def test_credentials_that_a_batch_finds_refused_are_no_matter_of_batches(crowd: Crowd) -> None:
    crowd.aws.refused[BATCH] = "ExpiredTokenException"
    with pytest.raises(AuthenticationFailed, match="ExpiredTokenException"):
        crowd.mount(secrets(3))
    assert crowd.aws.calls == {STS: 1, BATCH: 1}


def test_what_a_batch_leaves_out_is_read_alone(crowd: Crowd) -> None:
    crowd.aws.left_out = {"s1", "s3"}
    assert crowd.files(secrets(5)) == {f"s{n}": f"s{n} 0" for n in range(5)}
    assert crowd.aws.calls == {STS: 1, BATCH: 1, SINGLE: 2}


def test_errors_in_a_batch_are_those_of_their_objects(crowd: Crowd) -> None:
    crowd.aws.failing = {"s1": "AccessDeniedException", "s2": "ResourceNotFoundException"}
    with pytest.raises(MountFailed) as caught:
        crowd.mount(secrets(4))
    denied, absent = caught.value.failures
    assert isinstance(denied, AccessDenied)
    assert (
        "Failed to fetch secret from all regions: eu-central-1: s1 as role arn:aws:iam::123456789012:role/web: Access"
        in str(denied)
    )
    assert "secretsmanager:GetSecretValue on s1" in str(denied)
    assert isinstance(absent, ObjectNotFound)
    assert crowd.aws.calls == {STS: 1, BATCH: 1}
    crowd.aws.failing.clear()
    with pytest.raises(MountFailed):
        crowd.mount(secrets(4))
    assert crowd.aws.calls == {STS: 1, BATCH: 1}, "refusals are remembered, the others are known"
    crowd.clock.at += 5
    assert len(crowd.files(secrets(4))) == 4
    assert crowd.aws.calls == {STS: 1, BATCH: 1, SINGLE: 2}


@pytest.mark.parametrize(("number", "calls"), [(1, {SINGLE: 1}), (2, {SINGLE: 2}), (3, {BATCH: 1}), (20, {BATCH: 1})])
def test_from_three_on(crowd: Crowd, number: int, calls: dict[str, int]) -> None:
    crowd.mount(secrets(number))
    assert crowd.aws.calls == {STS: 1} | calls


def test_more_than_a_batch_takes(crowd: Crowd) -> None:
    assert len(crowd.files(secrets(45))) == 45
    assert crowd.aws.calls == {STS: 1, BATCH: 3}


def test_off(aws: CannedAws) -> None:
    Crowd(aws, batch=False).mount(secrets(10))
    assert aws.calls == {STS: 1, SINGLE: 10}


def test_versions_and_stages_are_read_alone_and_current_ones_together(crowd: Crowd) -> None:
    current = json.loads(secrets(3)) + json.loads(secrets(1, objectVersionLabel="AWSCURRENT", objectAlias="c"))
    pinned = json.loads(secrets(1, objectVersion=VERSION, objectAlias="v"))
    previous = json.loads(secrets(1, objectVersionLabel="AWSPREVIOUS", objectAlias="p"))
    crowd.mount(json.dumps(current + pinned + previous))
    assert crowd.aws.calls[BATCH] == 1
    assert crowd.aws.calls[SINGLE] == 3, "each id once in a batch: AWSCURRENT said in words is a name asked twice"


def test_arns_and_names_find_their_answers(crowd: Crowd) -> None:
    arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:{}-AbCdEf"
    objects = [{"objectName": arn.format(name), "objectAlias": name} for name in ("a", "b")]
    objects += [{"objectName": "c", "objectType": "secretsmanager"}]
    assert crowd.files(json.dumps(objects)) == {"a": "a 0", "b": "b 0", "c": "c 0"}
    assert crowd.aws.calls == {STS: 1, BATCH: 1}


def test_twenty_five_parameters(crowd: Crowd) -> None:
    crowd.mount_at_once(PODS, parameters(25))
    assert crowd.aws.calls == {STS: 1, SSM: 3}


def test_an_object_asked_twice_in_a_class_is_read_once(crowd: Crowd) -> None:
    twice = json.loads(secrets(1)) + json.loads(secrets(1, objectAlias="again"))
    twice[0]["objectVersionLabel"] = twice[1]["objectVersionLabel"] = ""
    assert crowd.files(json.dumps(twice)) == {"s0": "s0 0", "again": "s0 0"}
    assert crowd.aws.calls == {STS: 1, SINGLE: 1}


def test_a_repeat_within_the_time_to_live_asks_nothing(crowd: Crowd) -> None:
    crowd.mount(secrets(10))
    crowd.aws.calls.clear()
    crowd.clock.at += 14.9
    crowd.mount_at_once(PODS, secrets(10))
    assert crowd.aws.calls == {}


def test_a_change_is_seen_one_time_to_live_later_at_the_latest(crowd: Crowd) -> None:
    assert crowd.files(secrets(3))["s1"] == "s1 0"
    crowd.aws.change("s1")
    crowd.clock.at += 15
    assert crowd.files(secrets(3)) == {"s0": "s0 0", "s1": "s1 1", "s2": "s2 0"}


def test_a_pinned_version_is_read_once(crowd: Crowd) -> None:
    for _ in range(59):
        crowd.mount(secrets(1, objectVersion=VERSION))
        crowd.clock.at += 15
    assert crowd.aws.calls == {STS: 1, SINGLE: 1}


def test_with_nothing_kept_equal_questions_at_one_time_are_still_one(aws: CannedAws) -> None:
    aws.latency_seconds = 0.2
    crowd = Crowd(aws, options=EconomyOptions(ttl=0))
    crowd.mount(secrets(10))
    aws.calls.clear()
    crowd.mount_at_once(PODS, secrets(10))
    assert aws.calls.total() < PODS / 2
    crowd.mount(secrets(10))
    assert aws.calls[BATCH] >= 2


def test_a_throttled_account_is_left_alone_by_its_other_roles(crowd: Crowd) -> None:
    crowd.aws.refused[SINGLE] = "ThrottlingException"
    with pytest.raises(BackendThrottled):
        crowd.mount(secrets(1), account="web")
    asked = crowd.aws.calls[SINGLE]
    crowd.mount(parameters(1), account="api")
    with pytest.raises(BackendThrottled, match="not asked"):
        crowd.mount(secrets(1), account="api")
    assert crowd.aws.calls[SINGLE] == asked
    crowd.aws.refused.clear()
    crowd.clock.at += 2
    assert crowd.files(secrets(1), account="api") == {"s0": "s0 0"}


def test_pods_that_share_nothing(crowd: Crowd) -> None:
    for pod in ("a", "b", "a"):
        crowd.mount(secrets(3), pod=pod, sessionScope="pod")
    assert crowd.aws.calls == {STS: 2, BATCH: 2}


def test_regions_that_classes_name_do_not_pile_up(crowd: Crowd) -> None:
    clients = crowd.provider._clients  # how many it keeps shows nowhere else
    for number in range(100):
        clients.get("ssm", f"eu-west-{number}")
    assert len(clients._clients) <= 64
    assert clients.get("ssm", "eu-west-99") is clients.get("ssm", "eu-west-99")


def test_the_canned_backend_refuses_what_aws_would(aws: CannedAws) -> None:
    for names in ([], ["a"] * 2, [str(n) for n in range(21)]):
        status, _, _ = aws.answer("secretsmanager.BatchGetSecretValue", json.dumps({"SecretIdList": names}).encode())
        assert status == 400
