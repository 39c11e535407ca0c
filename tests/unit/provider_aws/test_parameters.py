"""A class's parameters, by the tables of the existing AWS provider: texts, names, modes, scalars."""

import json
from typing import Any

import pytest

from sscsi_provider_aws.descriptors import Described
from sscsi_provider_aws.parameters import check_regions, read_request, region_of_arns
from sscsi_shared.errors import InvalidParameters
from sscsi_shared.mount import MountInput, PodInfo
from sscsi_shared.tokens import ABSENT

REGION = "us-east-1"
SECRET_ARN = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:p/MySecret-AbCdEf"
PARAMETER_ARN = f"arn:aws:ssm:{REGION}:123456789012:parameter/app/db"
SM = {"objectType": "secretsmanager"}


def mount_input(objects: str | None, **parameters: str) -> MountInput:
    attributes = dict(parameters) | ({} if objects is None else {"objects": objects})
    return MountInput(attributes, {}, PodInfo("ns", "pod", "uid", "sa"), ABSENT, "/t")


def described(objects: object, **parameters: str) -> tuple[Described, ...]:
    text = objects if isinstance(objects, str) else json.dumps(objects)
    return read_request(mount_input(text, **parameters)).objects


def refusal(objects: object, **parameters: str) -> InvalidParameters:
    try:
        check_regions(described(objects, **parameters), REGION)
    except InvalidParameters as error:
        return error
    raise AssertionError("nothing was refused")


@pytest.mark.parametrize(
    ("entry", "path", "text"),
    [
        ({}, "objects[0].objectName", "Object name must be specified"),
        ({"objectName": "arn::"}, "objects[0].objectName", "Invalid ARN format in object name: arn::"),
        ({"objectName": "arn:x"} | SM, "objects[0].objectName", "Invalid ARN format in object name: arn:x"),
        ({"objectName": "a"}, "objects[0].objectType", "Must use objectType when a full ARN is not specified: a"),
        (
            {"objectName": SECRET_ARN.replace("secretsmanager", "sts")},
            "objects[0].objectName",
            "Invalid service in ARN: sts",
        ),
        ({"objectName": "a", "objectType": "sts"}, "objects[0].objectType", "Invalid objectType: sts"),
        ({"objectName": "a", "objectType": "ssm"}, "objects[0].objectType", "Invalid objectType: ssm"),
        (
            {"objectName": "a", "objectType": "SecretsManager"},
            "objects[0].objectType",
            "Invalid objectType: SecretsManager",
        ),
        (
            {"objectName": SECRET_ARN, "objectType": "ssmparameter"},
            "objects[0].objectType",
            f"objectType does not match ARN: {SECRET_ARN}",
        ),
        (
            {"objectName": "p", "objectType": "ssmparameter", "objectVersion": "1", "objectVersionLabel": "l"},
            "objects[0].objectVersionLabel",
            "ssm parameters can not specify both objectVersion and objectVersionLabel: p",
        ),
        (
            {"objectName": "a", "filePermission": "0900"} | SM,
            "objects[0].filePermission",
            "Invalid File Permission: 0900",
        ),
        (
            {"objectName": "a", "filePermission": "abc9"} | SM,
            "objects[0].filePermission",
            "Invalid File Permission: abc9",
        ),
        (
            {"objectName": "a", "filePermission": "000"} | SM,
            "objects[0].filePermission",
            "Invalid File Permission: 000",
        ),
        (
            {"objectName": "a", "filePermission": "00000"} | SM,
            "objects[0].filePermission",
            "Invalid File Permission: 00000",
        ),
        (
            {"objectName": "a", "filePermission": "4755"} | SM,
            "objects[0].filePermission",
            "Invalid File Permission: 4755",
        ),
        (
            {"objectName": "a", "jmesPath": [{"objectAlias": "x"}]} | SM,
            "objects[0].jmesPath[0].path",
            "Path must be specified for JMES object",
        ),
        (
            {"objectName": "a", "jmesPath": [{"path": "x"}]} | SM,
            "objects[0].jmesPath[0].objectAlias",
            "Object alias must be specified for JMES object",
        ),
        (
            {"objectName": "a", "jmesPath": [{"path": "x", "objectAlias": "y", "filePermission": "a987"}]} | SM,
            "objects[0].jmesPath[0].filePermission",
            "Invalid File Permission: a987",
        ),
        (
            {"objectName": "a", "jmesPath": [{"path": ".x", "objectAlias": "y"}]} | SM,
            "objects[0].jmesPath[0].path",
            "Invalid JMES Path: .x",
        ),
        (
            {"objectName": "a", "failoverObject": {"objectName": "b"}} | SM,
            "objects[0].objectAlias",
            "object alias must be specified for objects with failover entries: a",
        ),
    ],
)
def test_a_wrong_entry(entry: dict[str, Any], path: str, text: str) -> None:
    error = refusal([entry])
    assert (error.path, error.line) == (path, 1)
    assert error.message.startswith(text)


def entries(*fields: dict[str, str]) -> list[dict[str, str]]:
    return [{"objectName": "N"} | SM | more for more in fields]


@pytest.mark.parametrize(
    ("objects", "text"),
    [
        (entries({}, {}), "found descriptor with duplicate object name N, no object alias, and no version label"),
        (
            entries({"objectAlias": "A"}, {"objectAlias": "A"}),
            "found descriptor with duplicate object name N, duplicate object alias A, and no version label",
        ),
        (
            entries({"objectVersionLabel": "L"}, {"objectVersionLabel": "L"}),
            "found descriptor with duplicate object name N, no object alias, and duplicate version label L",
        ),
        (
            entries({"objectAlias": "A", "objectVersionLabel": "L"}, {"objectAlias": "A", "objectVersionLabel": "L"}),
            "found descriptor with duplicate object name N, duplicate object alias A, and duplicate version label L",
        ),
        (
            entries({"objectAlias": "A", "objectVersionLabel": "L"}, {"objectAlias": "A", "objectVersionLabel": "M"}),
            "found duplicate object alias A",
        ),
        (
            [{"objectName": "N", "objectAlias": "A"} | SM, {"objectName": "M", "objectAlias": "A"} | SM],
            "found duplicate object alias A",
        ),
        (
            [
                {"objectName": "N", "objectAlias": "A"} | SM,
                {"objectName": "M", "jmesPath": [{"path": "p", "objectAlias": "A"}]} | SM,
            ],
            "Name already in use for objectAlias: found duplicate object alias A in JMES path entry p",
        ),
        # The existing provider lets these write one file twice; ours refuses.
        (entries({"objectVersionLabel": "L"}, {"objectVersionLabel": "M"}), "found duplicate object alias N"),
        ([{"objectName": "a/b"} | SM, {"objectName": "a_b"} | SM], "found duplicate object alias a_b"),
        ([{"objectName": "a"} | SM, {"objectName": "b", "objectAlias": "a"} | SM], "found duplicate object alias a"),
    ],
)
def test_duplicates(objects: list[dict[str, str]], text: str) -> None:
    error = refusal(objects)
    assert error.path == "objects[1]"
    assert error.message.startswith(text)


@pytest.mark.parametrize(
    "objects",
    [
        entries({"objectAlias": "A"}, {"objectAlias": "B"}),
        entries({"objectAlias": "A", "objectVersionLabel": "L"}, {"objectAlias": "B", "objectVersionLabel": "M"}),
        entries({}, {"objectAlias": "B"}),
    ],
)
def test_one_name_twice_is_no_duplicate(objects: list[dict[str, str]]) -> None:
    assert len(described(objects)) == 2


@pytest.mark.parametrize(
    ("name", "translation", "path"),
    [
        ("MySecret", None, "MySecret"),
        ("/app/db", None, "_app_db"),
        ("/app/db", "", "_app_db"),
        ("mypath/X", "-", "mypath-X"),
        ("/app/db", "False", "app/db"),
        ("//app/db", "false", "app/db"),
        ("/app/db", "FALSE", "app/db"),
        ("a/b", "/", "a/b"),
    ],
)
def test_file_names(name: str, translation: str | None, path: str) -> None:
    parameters = {} if translation is None else {"pathTranslation": translation}
    assert described([{"objectName": name} | SM], **parameters)[0].path == path
    assert described([{"objectName": "x", "objectAlias": name} | SM], **parameters)[0].path == path
    [one] = described([{"objectName": "x", "jmesPath": [{"path": "p", "objectAlias": name}]} | SM], **parameters)
    assert one.common.jmes[0].path == path


def test_an_arn_keeps_its_colons() -> None:
    [one] = described([{"objectName": SECRET_ARN}])
    assert one.path == f"arn:aws:secretsmanager:{REGION}:123456789012:secret:p_MySecret-AbCdEf"
    assert one.service == "secretsmanager"
    assert described([{"objectName": PARAMETER_ARN}])[0].service == "ssm"


@pytest.mark.parametrize("translation", ["--", "é", "true"])
def test_a_translation_is_one_byte_or_false(translation: str) -> None:
    error = refusal([{"objectName": "a"} | SM], pathTranslation=translation)
    assert error.message == "pathTranslation must be either 'False' or a single character string"


@pytest.mark.parametrize("name", ["../a", "a/../b", "a/..", "./../a", "..", "/../a", "a/b/../../c"])
def test_names_that_climb(name: str) -> None:
    assert refusal([{"objectName": name} | SM], pathTranslation="False").message.startswith("path can not contain ../:")


@pytest.mark.parametrize("name", ["..name", "name..", "a/..name", "name../x", "a..b", "...", "a/...", ".name"])
def test_names_that_only_look_so(name: str) -> None:
    assert described([{"objectName": name} | SM], pathTranslation="False")[0].path == name


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("123", "123"),
        ("yes", "true"),
        ("n", "false"),
        ("1.10", "1.1"),
        ("1e3", "1000"),
        ("2020-01-02", "2020-01-02"),
        ('"1.10"', "1.10"),
    ],
)
def test_scalars_become_text_as_in_yaml_1_1(written: str, read: str) -> None:
    assert described(f"- objectName: {written}\n  objectType: secretsmanager")[0].name == read


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("filePermission: 0644", "Invalid File Permission: 420"),
        ("filePermission: 0o600", "Invalid File Permission: 384"),
        ("objectName: null", "Object name must be specified"),
        ("objectName: [a]", "must be text, not a list"),
    ],
)
def test_scalars_that_are_refused(line: str, text: str) -> None:
    start = "" if line.startswith("objectName") else "objectName: a\n  "
    assert text in str(refusal(f"- {start}{line}\n  objectType: secretsmanager"))


def test_the_last_of_a_repeated_key_counts_in_any_case() -> None:
    text = "- objectName: a\n  objectName: b\n  OBJECTTYPE: secretsmanager\n  objectalias: c"
    [one] = described(text)
    assert (one.name, one.alias) == ("b", "c")


def test_versions_and_modes() -> None:
    text = """
    - objectName: a
      objectType: ssmparameter
      objectVersion: 007
      filePermission: "0600"
      jmesPath:
        - {path: u, objectAlias: user, filePermission: "0400"}
        - {path: p, objectAlias: pass}
    """
    [one] = described(text)
    assert (one.target.version, one.mode) == ("7", 0o600)
    assert [entry.mode for entry in one.common.jmes] == [0o400, 0o600]


@pytest.mark.parametrize(
    ("objects", "text"),
    [
        ("a: b", "Failed to load SecretProviderClass: must be a list"),
        ("text", "Failed to load SecretProviderClass: must be a list"),
        ("- text", "Failed to load SecretProviderClass: must be a mapping"),
        ("- objectName: a\n\tobjectType: b", "Failed to load SecretProviderClass:"),
        ("-\n- objectName: a", "Empty descriptor entry in SecretProviderClass"),
    ],
)
def test_objects_that_do_not_load(objects: str, text: str) -> None:
    error = refusal(objects)
    assert error.message.startswith(text)
    assert error.line is not None


@pytest.mark.parametrize("objects", ["", "[]", "null", "# nothing"])
def test_no_objects(objects: str) -> None:
    assert described(objects) == ()


def test_a_missing_list_is_a_mistake() -> None:
    with pytest.raises(InvalidParameters, match="did you mean `objects`"):
        read_request(mount_input(None, object="[]"))


def test_only_the_first_document_counts() -> None:
    assert len(described("---\n[]\n---\n- objectName: a")) == 0


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"usePodIdentity": "yes"}, "failed to parse usePodIdentity value, error: "),
    ],
)
def test_parameters_that_are_refused(parameters: dict[str, str], text: str) -> None:
    assert refusal("[]", **parameters).message.startswith(text)


@pytest.mark.parametrize("value", ["false", "0", "F", ""])
def test_pod_identity_may_be_turned_off(value: str) -> None:
    assert described("[]", usePodIdentity=value) == ()


def test_regions_of_arns() -> None:
    both = described([{"objectName": SECRET_ARN}, {"objectName": PARAMETER_ARN}, {"objectName": "a"} | SM])
    assert region_of_arns(both) == REGION
    other = SECRET_ARN.replace(REGION, "eu-west-1")
    assert region_of_arns(described([{"objectName": SECRET_ARN}, {"objectName": other}])) == ""
    assert region_of_arns(described([{"objectName": "a"} | SM])) == ""
    error = refusal([{"objectName": "a"} | SM, {"objectName": other}])
    assert (error.path, error.message) == ("objects[1]", f"ARN region must match region {REGION}: {other}")


def test_unknown_fields_and_parameters_are_ignored() -> None:
    assert described([{"objectName": "a", "backupArn": "b"} | SM], someParameter="x")[0].name == "a"
