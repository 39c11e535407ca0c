"""The AWS provider through the pipeline: the real SDK against emulators."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from aws_world import ROLE, SM, World, aws_world
from sscsi_emulators.faults import Fault
from sscsi_shared.errors import (
    AccessDenied,
    AuthenticationFailed,
    BackendThrottled,
    BackendUnavailable,
    MountError,
    MountFailed,
    ObjectNotFound,
    ObjectUnusable,
    OutOfTime,
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with aws_world(tmp_path) as world:
        yield world


def test_text_bytes_and_nothing(world: World) -> None:
    version = world.aws.put_secret("text", "grün\n")
    world.aws.put_secret("bytes", b"\x00\xff")
    result = world.mount(f"- {{objectName: text, {SM}}}\n- {{objectName: bytes, {SM}}}")
    assert [file.contents.reveal() for file in result.files] == ["grün\n".encode(), b"\x00\xff"]
    assert (result.versions[0].id, result.versions[0].version) == ("text", version)


def test_current_beside_previous(world: World) -> None:
    first = world.aws.put_secret("db", "old")
    world.aws.put_secret("db", "new")
    objects = f"""
- {{objectName: db, {SM}}}
- {{objectName: db, {SM}, objectAlias: before, objectVersionLabel: AWSPREVIOUS}}
- {{objectName: db, {SM}, objectAlias: pinned, objectVersion: {first}}}
"""
    assert world.files(objects) == {"db": b"new", "before": b"old", "pinned": b"old"}


def test_two_labels_of_one_parameter(world: World) -> None:
    world.aws.put_parameter("/app/key", "one", labels=["blue"])
    world.aws.put_parameter("/app/key", "two", labels=["green"])
    objects = """
- {objectName: /app/key, objectType: ssmparameter, objectVersionLabel: blue, objectAlias: blue}
- {objectName: /app/key, objectType: ssmparameter, objectVersionLabel: green, objectAlias: green}
- {objectName: /app/key, objectType: ssmparameter, objectVersion: 1, objectAlias: first}
- {objectName: /app/key, objectType: ssmparameter}
"""
    assert world.files(objects) == {"blue": b"one", "green": b"two", "first": b"one", "_app_key": b"two"}


@pytest.mark.parametrize("operation", ["sts.*", "secretsmanager.*", "ssm.*"])
@pytest.mark.parametrize("page", ["<html>Sign in to the guest network</html>", "", '{"SecretString": "canary', "[]"])
def test_an_answer_that_is_none_of_aws(world: World, operation: str, page: str) -> None:
    world.aws.put_secret("db", "canary")
    world.aws.put_parameter("/app/key", "canary")
    objects = [f"- {{objectName: db, {SM}}}", "- {objectName: /app/key, objectType: ssmparameter}"]
    objects.append("- {objectType: ssmparameter, select: {prefix: /app/}}")
    objects.append(f"- {{{SM}, select: {{prefix: d}}}}")
    world.aws.faults.add(Fault(operation, 200, "", "", page=page))
    for one in objects:
        if operation != "sts.*" and ("ssm" in one) != (operation == "ssm.*"):
            assert world.mount(one).files
            continue
        error = world.refusal(one)
        assert isinstance(error, BackendUnavailable)
        assert re.search("can't be read.*Check proxy .HTTPS_PROXY. and endpoints|does not hold /app/key", str(error))
        assert "canary" not in str(error)
        assert "guest" not in str(error)


@pytest.mark.parametrize("operation", ["sts.*", "secretsmanager.*"])
def test_429_of_whoever_says_it_is_a_throttle_and_its_wait_counts(world: World, operation: str) -> None:
    world.aws.put_secret("db", "one")
    world.aws.faults.add(Fault(operation, 429, "Odd", "slower", retry_after=7))
    error = world.refusal(f"- {{objectName: db, {SM}}}")
    assert isinstance(error, BackendThrottled)
    assert error.retry_after == 7


def test_twelve_parameters_are_two_calls(world: World) -> None:
    for number in range(12):
        world.aws.put_parameter(f"p{number}", str(number), kind="String")
    objects = "\n".join(f"- {{objectName: p{number}, objectType: ssmparameter}}" for number in range(12))
    assert world.files(objects) == {f"p{number}": str(number).encode() for number in range(12)}
    assert dict(world.aws.calls) == {"ssm.GetParameters": 2, "sts.AssumeRoleWithWebIdentity": 1}


def test_one_object_twice_is_read_once(world: World) -> None:
    world.aws.put_secret("db", '{"user": "u"}')
    objects = f"- {{objectName: db, {SM}}}\n- {{objectName: db, {SM}, objectAlias: again}}"
    assert len(world.files(objects)) == 2
    assert world.aws.calls["secretsmanager.GetSecretValue"] == 1


def test_extracted_values(world: World) -> None:
    world.aws.put_secret("db", '{"user": "u", "port": 5432, "a-b": "c"}')
    objects = f"""
- objectName: db
  {SM}
  jmesPath:
    - {{path: user, objectAlias: user}}
    - {{path: to_string(port), objectAlias: port}}
    - {{path: port, objectAlias: number}}
    - {{path: '"a-b"', objectAlias: hyphen}}
    - {{path: a-b, objectAlias: bare}}
"""
    expected = {"user": b"u", "port": b"5432", "number": b"5432", "hyphen": b"c", "bare": b"c"}
    assert world.files(objects).items() >= expected.items()
    wrong = f"- {{objectName: db, {SM}, jmesPath: [{{path: '@', objectAlias: p}}]}}"
    error = world.refusal(wrong)
    assert isinstance(error, ObjectUnusable)
    assert "Only string is allowed" in str(error)
    assert "5432" not in str(error)


def test_secrets_by_prefix_and_tag_and_parameters_by_path(world: World) -> None:
    world.aws.put_secret("shop/db", "1", tags={"team": "shop"})
    world.aws.put_secret("shop/api", "2", tags={"team": "shop", "tier": "1"})
    world.aws.put_secret("shop/none", "3")
    for number in range(12):
        world.aws.put_parameter(f"/shop/a/{number}", str(number))
    world.aws.put_parameter("/shopping/x", "x")
    tagged = f"- {{select: {{prefix: shop/, tags: {{team: shop}}, stripPrefix: true}}, {SM}}}"
    assert world.files(tagged) == {"db": b"1", "api": b"2"}
    below = world.files("- {select: {prefix: /shop/}, objectType: ssmparameter}")
    assert below == {f"_shop_a_{number}": str(number).encode() for number in range(12)}


def test_by_arn_with_the_region_that_it_names(world: World) -> None:
    world.aws.put_secret("db", "x")
    assert world.files(f"- objectName: {world.aws.arn('db')}", region="") == {world.aws.arn("db"): b"x"}


def test_region_of_the_node_when_nobody_says_one(world: World) -> None:
    world.aws.put_secret("db", "x")
    assert world.files(f"- {{objectName: db, {SM}}}", region="") == {"db": b"x"}
    assert world.kubernetes.calls["get nodes"] == 1
    world.kubernetes.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}})
    error = world.refusal(f"- {{objectName: db, {SM}}}", region="")
    assert str(error).startswith("failed to retrieve region from node. error Region not found")


def test_region_of_the_class_wins_and_is_checked(world: World) -> None:
    world.aws.put_secret("db", "x", region="us-west-2")
    assert world.files(f"- {{objectName: db, {SM}}}", region="us-west-2") == {"db": b"x"}
    error = world.refusal("[]", region="evil.example.com/#")
    assert "is no AWS region" in str(error)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault("secretsmanager.GetSecretValue", 400, "ThrottlingException", "Rate exceeded"), BackendThrottled),
        (Fault("secretsmanager.GetSecretValue", 500, "InternalServiceError", "oops"), BackendUnavailable),
        (Fault("secretsmanager.GetSecretValue", 0, "", ""), BackendUnavailable),
        (Fault("secretsmanager.GetSecretValue", 400, "DecryptionFailure", "no key"), AccessDenied),
        (Fault("sts.AssumeRoleWithWebIdentity", 500, "InternalFailure", "oops"), BackendUnavailable),
        (Fault("sts.AssumeRoleWithWebIdentity", 400, "InvalidIdentityToken", "no provider"), AuthenticationFailed),
    ],
)
def test_faults(world: World, fault: Fault, kind: type[MountError]) -> None:
    world.aws.put_secret("db", "x")
    world.aws.faults.add(fault)
    error = world.refusal(f"- {{objectName: db, {SM}}}")
    assert type(error) is kind
    assert ROLE in str(error)
    world.aws.faults.clear()
    assert world.files(f"- {{objectName: db, {SM}}}") == {"db": b"x"}


def test_denied_for_one_secret_only(world: World) -> None:
    world.aws.put_secret("db", "x")
    world.aws.put_secret("other", "y")
    world.aws.deny(ROLE, "secretsmanager.GetSecretValue", "db")
    error = world.refusal(f"- {{objectName: db, {SM}}}\n- {{objectName: other, {SM}}}")
    assert type(error) is AccessDenied
    assert world.files(f"- {{objectName: other, {SM}}}") == {"other": b"y"}


def test_every_failure_is_told(world: World) -> None:
    error = world.refusal(f"- {{objectName: a, {SM}}}\n- {{objectName: /b, objectType: ssmparameter}}")
    assert isinstance(error, MountFailed)
    assert [type(one) for one in error.failures] == [ObjectNotFound, ObjectNotFound]


def test_an_optional_object_may_be_absent_and_not_denied(world: World) -> None:
    world.aws.put_secret("db", "x")
    objects = f"- {{objectName: db, {SM}}}\n- {{objectName: gone, {SM}, optional: true}}"
    assert world.files(objects) == {"db": b"x"}
    world.aws.deny(ROLE, "secretsmanager.GetSecretValue", "gone")
    assert isinstance(world.refusal(objects), AccessDenied)


def test_a_withdrawn_trust(world: World) -> None:
    world.aws.distrust(ROLE)
    error = world.refusal("- {objectName: db, objectType: secretsmanager}")
    assert isinstance(error, AuthenticationFailed)
    assert "trust policy" in str(error)


def test_an_account_without_a_role(world: World) -> None:
    error = world.refusal("- {objectName: db, objectType: secretsmanager}", account="plain")
    assert str(error).startswith("An IAM role must be associated with service account plain (namespace: ns)")
    assert world.aws.calls.total() == 0


def test_a_backend_that_hangs_ends_with_the_deadline(world: World) -> None:
    world.aws.put_secret("db", "x")
    world.aws.hold()
    with pytest.raises(OutOfTime):
        world.mount(f"- {{objectName: db, {SM}}}", seconds=0.5)
    world.aws.release()
