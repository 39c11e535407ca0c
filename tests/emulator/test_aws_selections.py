"""All keys, selections, encodings: one object, or one entry, that becomes many files."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from aws_crowd import Crowd
from sscsi_emulators.canned_aws import CannedAws
from sscsi_shared.errors import AccessDenied, BackendUnavailable, InvalidParameters, ObjectNotFound, ObjectUnusable

SM, SSM = {"objectType": "secretsmanager"}, {"objectType": "ssmparameter"}
LIST, BATCH, PATH = "secretsmanager.ListSecrets", "secretsmanager.BatchGetSecretValue", "ssm.GetParametersByPath"


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    with CannedAws() as aws:
        yield Crowd(aws)


def entry(*objects: dict[str, Any]) -> str:
    return json.dumps(objects)


def test_each_key_of_a_secret_is_a_file(crowd: Crowd) -> None:
    crowd.aws.contents["db"] = json.dumps({"user": "web", "port": 5432, "a/b": "x", "none": None})
    objects = entry({"objectName": "db", "allKeys": True, "filePrefix": "db-", "filePermission": "0400"} | SM)
    result = crowd.mount(objects)
    files = {file.path: (file.contents.reveal(), file.mode) for file in result.files}
    assert files == {"db-a_b": (b"x", 0o400), "db-port": (b"5432", 0o400), "db-user": (b"web", 0o400)}
    assert [version.id for version in result.versions] == list(files)


def test_each_key_in_a_folder(crowd: Crowd) -> None:
    crowd.aws.contents["db"] = json.dumps({"user": "web"})
    objects = entry({"objectName": "db", "allKeys": True, "filePrefix": "db/"} | SM)
    assert crowd.files(objects, pathTranslation="False") == {"db/user": "web"}


@pytest.mark.parametrize(
    ("keys", "other", "text"),
    [
        ({"a/b": "SECRET", "a_b": "SECRET"}, "other", "two outputs would be written to one file: `a_b`"),
        ({"other": "SECRET"}, "other", "two outputs would be written to one file: `other`"),
        ({"..": "SECRET"}, "other", "db: `..` can't name a file"),
        ({"": "SECRET"}, "other", "db: `` can't name a file"),
        ({"a\0b": "SECRET"}, "other", "can't name a file"),
    ],
)
def test_keys_that_can_not_be_files(crowd: Crowd, keys: dict[str, str], other: str, text: str) -> None:
    crowd.aws.contents["db"] = json.dumps(keys)
    with pytest.raises(ObjectUnusable) as caught:
        crowd.mount(entry({"objectName": "db", "allKeys": True} | SM, {"objectName": other} | SM))
    assert text in str(caught.value)
    assert "SECRET" not in str(caught.value)


def test_encoded_values(crowd: Crowd) -> None:
    inner = base64.b64encode(b"\x00\xff").decode()
    crowd.aws.contents["db"] = base64.b64encode(json.dumps({"key": inner}).encode()).decode()
    jmes = [{"path": "key", "objectAlias": "raw", "objectEncoding": "Base64"}]
    result = crowd.mount(entry({"objectName": "db", "objectEncoding": "base64", "jmesPath": jmes} | SM))
    assert {file.path: file.contents.reveal() for file in result.files} == {
        "db": json.dumps({"key": inner}).encode(),
        "raw": b"\x00\xff",
    }


def test_secrets_by_prefix_and_tag(crowd: Crowd) -> None:
    crowd.aws.tags = {
        "shop/db": {"team": "shop"},
        "shop/api": {"team": "shop", "tier": "1"},
        "shop/other": {"team": "shopping"},  # what AWS's filter finds too
        "shop/swapped": {"shop": "team", "team": "x"},
        "other/db": {"team": "shop"},
    }
    one = {"select": {"prefix": "shop/", "tags": {"team": "shop"}, "stripPrefix": True}} | SM
    assert crowd.files(entry(one)) == {"api": "shop/api 0", "db": "shop/db 0"}
    assert crowd.files(entry({"select": {"tags": {"team": "shop"}}} | SM)) == {
        "other_db": "other/db 0",
        "shop_api": "shop/api 0",
        "shop_db": "shop/db 0",
    }


def test_a_selection_is_asked_once(crowd: Crowd) -> None:
    crowd.aws.tags = {f"shop/{number:03}": {} for number in range(250)}
    objects = entry({"select": {"prefix": "shop/", "limit": 300}} | SM)
    crowd.mount_at_once(5, objects)
    assert {name: count for name, count in crowd.aws.calls.items() if "secrets" in name} == {LIST: 3, BATCH: 13}
    assert len(crowd.files(objects)) == 250


def test_a_label_leaves_out_what_lacks_it(crowd: Crowd) -> None:
    crowd.aws.tags = {"shop/a": {}, "shop/b": {}}
    crowd.aws.failing["shop/b"] = "ResourceNotFoundException"
    objects = entry({"select": {"prefix": "shop/"}, "objectVersionLabel": "AWSPREVIOUS"} | SM)
    assert list(crowd.files(objects)) == ["shop_a"]
    crowd.aws.failing["shop/b"] = "AccessDeniedException"
    crowd.clock.at += 20
    with pytest.raises(AccessDenied, match=r"secretsmanager:GetSecretValue on shop/b"):
        crowd.mount(objects)


def test_parameters_below_a_path(crowd: Crowd) -> None:
    crowd.aws.tags = {f"/shop/{number:02}": {} for number in range(25)}
    crowd.aws.tags["/shopping/x"] = {}
    assert len(crowd.files(entry({"select": {"prefix": "/shop"}} | SSM))) == 25
    assert crowd.aws.calls[PATH] == 3
    deep = {"select": {"prefix": "/shop/", "stripPrefix": True}, "filePrefix": "p/"} | SSM
    assert "p/07" in crowd.files(entry(deep), pathTranslation="False")
    labelled = crowd.files(entry({"select": {"prefix": "/shop/"}, "objectVersionLabel": "live"} | SSM))
    assert labelled["_shop_07"] == "/shop/07:live"


@pytest.mark.parametrize(("kind", "prefix", "word"), [(SM, "shop/", "secret"), (SSM, "/shop/", "parameter")])
def test_a_selection_that_finds_too_many_or_none(crowd: Crowd, kind: dict[str, str], prefix: str, word: str) -> None:
    select = {"select": {"prefix": prefix, "limit": 2}} | kind
    with pytest.raises(ObjectNotFound, match=rf"select \(prefix {prefix}\) finds no {word}\."):
        crowd.mount(entry(select))
    assert crowd.files(entry(select | {"optional": True})) == {}
    crowd.aws.tags = {f"{prefix}{number}": {} for number in range(3)}
    crowd.clock.at += 20
    with pytest.raises(ObjectUnusable, match=rf"finds more than 2 {word}s\. Narrow it, or raise select\.limit"):
        crowd.mount(entry(select))


@pytest.mark.parametrize(
    ("kind", "operation", "right"),
    [(SM, LIST, "secretsmanager:ListSecrets on *"), (SSM, PATH, "ssm:GetParametersByPath")],
)
def test_a_selection_that_is_denied(crowd: Crowd, kind: dict[str, str], operation: str, right: str) -> None:
    crowd.aws.refused[operation] = "AccessDeniedException"
    with pytest.raises(AccessDenied) as caught:
        crowd.mount(entry({"select": {"prefix": "/shop/"}} | kind))
    assert f"Grant role arn:aws:iam::123456789012:role/web {right}" in str(caught.value)


def test_a_selection_fails_over_too(crowd: Crowd) -> None:
    crowd.aws.tags = {"/shop/db": {}}
    crowd.aws.refused[f"eu-central-1/{LIST}"] = crowd.aws.refused[f"eu-central-1/{PATH}"] = "InternalServerError"
    both = entry({"select": {"prefix": "/shop/"}} | SM, {"select": {"prefix": "/shop/"}, "filePrefix": "p"} | SSM)
    with pytest.raises(BackendUnavailable):
        crowd.mount(entry({"select": {"prefix": "/shop/"}} | SM))
    assert list(crowd.files(both, failoverRegion="eu-west-1")) == ["_shop_db", "p_shop_db"]


@pytest.mark.parametrize(
    ("one", "text"),
    [
        ({"select": {"prefix": "/a"}, "objectName": "x"} | SM, "objectName can't be combined with select"),
        ({"select": {"prefix": "/a"}, "objectAlias": "x"} | SM, "objectAlias can't be combined with select"),
        ({"select": {"prefix": "/a"}, "objectVersion": "1"} | SM, "objectVersion can't be combined with select"),
        ({"select": {"prefix": "/a"}, "failoverObject": {"objectName": "b"}} | SM, "failoverObject can't be combined"),
        ({"select": {"prefix": "/a"}, "allKeys": True} | SM, "select can't be combined with allKeys"),
        ({"select": {"prefix": "/a"}}, "Must use objectType when a full ARN is not specified: select (prefix /a)"),
        ({"select": {"prefix": "a"}} | SSM, "select.prefix is no path of parameters: a"),
        (
            {"select": {"tags": {"a": "b"}, "prefix": "/a"}} | SSM,
            "select.tags works with objectType secretsmanager only",
        ),
        ({"select": None} | SM, "select is empty"),
        ({"objectName": "a", "allKeys": True, "objectAlias": "b"} | SM, "objectAlias can't be combined with allKeys"),
    ],
)
def test_what_does_not_go_together(crowd: Crowd, one: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidParameters) as caught:
        crowd.mount(entry(one))
    assert caught.value.message.startswith(text)
    assert not crowd.aws.calls


def test_all_keys_of_a_failover_object_need_no_alias(crowd: Crowd) -> None:
    crowd.aws.refused["eu-central-1/secretsmanager.GetSecretValue"] = "InternalServiceError"
    crowd.aws.contents["there"] = '{"user": "web"}'
    one = {"objectName": "here", "allKeys": True, "failoverObject": {"objectName": "there"}} | SM
    assert crowd.files(entry(one), failoverRegion="eu-west-1") == {"user": "web"}
