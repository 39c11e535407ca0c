"""reference/aws.md section 13, "server: mounts": run in both write modes unless the line says otherwise."""

import json
from pathlib import Path
from typing import Any

import pytest

from aws_catalogue import OTHER, REGION, SM, SSM, Case, arn, both_modes, cases, entries
from sscsi_emulators.canned_aws import CannedAws

DB = {"objectName": "db"} | SM
KEY = {"objectName": "key"} | SSM
USER = json.dumps({"username": "web", "password": "x", "nested": {"deep": {"key": "found"}}})


def jmes(*values: tuple[str, str, str]) -> dict[str, Any]:
    """`jmesPath` of (path, alias, permission)."""
    found = [
        {"path": path, "objectAlias": alias} | ({"filePermission": mode} if mode else {})
        for path, alias, mode in values
    ]
    return {"jmesPath": found}


def holds(**contents: str | bytes) -> Any:
    def prepare(aws: CannedAws) -> None:
        aws.contents.update(contents)

    return prepare


def refuses(**codes: str) -> Any:
    """Operations, spelt with two underscores for the dot."""

    def prepare(aws: CannedAws) -> None:
        aws.refused.update({name.replace("__", "."): code for name, code in codes.items()})

    return prepare


def primary_fails(aws: CannedAws) -> None:
    aws.refused[f"{REGION}/secretsmanager.GetSecretValue"] = "InternalServiceError"
    aws.contents |= {f"{OTHER}/db": "from there", f"{REGION}/key": "from here"}


NESTED = jmes(("nested.deep.key", "deep", ""))


@both_modes
@cases(
    Case("SM object with filePermission 0600", entries(DB | {"filePermission": "0600"}), {"db": ("db 0", 0o600)}),
    Case("filePermission 0900", entries(DB | {"filePermission": "0900"}), error="Invalid File Permission: 0900"),
    Case(
        "object 0600, jmes username 0777, jmes password none",
        entries(DB | {"filePermission": "0600"} | jmes(("username", "user", "0777"), ("password", "pass", ""))),
        {"db": (USER, 0o600), "user": ("web", 0o777), "pass": ("x", 0o600)},
        given=holds(db=USER),
    ),
    Case(
        "jmes filePermission a987",
        entries(DB | jmes(("username", "user", "a987"))),
        error="Invalid File Permission: a987",
    ),
    Case("1 SM + 1 SSM, IRSA", entries(DB, KEY), {"db": "db 0", "key": "key 0"}),
    Case(
        'same with usePodIdentity "false"',
        entries(DB, KEY),
        {"db": "db 0", "key": "key 0"},
        said={"usePodIdentity": "false"},
    ),
    Case(
        "failover set, SM primary error, failover value; SSM from primary",
        entries(DB, KEY),
        {"db": "from there", "key": "from here"},
        said={"failoverRegion": OTHER},
        given=primary_fails,
    ),
    Case(
        "jmes of nested keys on SM and SSM",
        entries(DB | NESTED, KEY | jmes(("nested.deep.key", "deep-2", ""))),
        {"db": USER, "deep": "found", "key": USER, "deep-2": "found"},
        given=holds(db=USER, key=USER),
    ),
    Case(
        "SM ARN without type, with alias, jmes",
        entries(
            {"objectName": arn("secretsmanager", "secret:db-AbCdEf"), "objectAlias": "alias"}
            | jmes(("username", "user", ""))
        ),
        {"alias": USER, "user": "web"},
        given=holds(db=USER),
    ),
    Case("SecretBinary", entries(DB), {"db": b"\x00\xff\xfe"}, given=holds(db=b"\x00\xff\xfe")),
    *(
        Case(
            f"{what} -> failed to retrieve region",
            entries(DB),
            error="failed to retrieve region from node. error ",
            said={"region": None, "pod": pod},
        )
        for what, pod in [("pod not found", "none"), ("node not found", "nodeless"), ("no region label", "regionless")]
    ),
    Case('permission ""', entries(DB), error="failed to unmarshal file permission", sent={"permission": ""}),
    Case(
        "no role annotation",
        entries(DB),
        error="An IAM role must be associated with service account plain (namespace: ns)",
        said={"account": "plain"},
    ),
    Case(
        'usePodIdentity "yes"',
        entries(DB),
        error="failed to parse usePodIdentity value, error: ",
        said={"usePodIdentity": "yes"},
    ),
    Case("object without name", entries(SM), error="Object name must be specified"),
    Case(
        "GetSecretValue generic error",
        entries(DB),
        error="Failed to fetch secret from all regions",
        given=refuses(secretsmanager__GetSecretValue="InternalServiceError"),
    ),
    Case(
        "GetParameters generic error",
        entries(KEY),
        error="Failed to fetch parameters from all regions",
        given=refuses(ssm__GetParameters="InternalServerError"),
    ),
    Case(
        "InvalidParameters two names",
        entries(*({"objectName": f"FailParm{n}"} | SSM for n in range(1, 5))),
        error=f"2 objects failed. [1] 400: {REGION}: invalid parameters: FailParm2.",
        better="each parameter is told by itself, beside every other failure of the class",
        given=lambda aws: aws.failing.update(FailParm2="x", FailParm4="x"),
    ),
    *(
        Case(
            f"pathTranslation False with {name}",
            entries({"objectName": name} | kind),
            error="path can not contain ../",
            said={"pathTranslation": "False"},
        )
        for name, kind in [("../TestParm1", SSM), ("./../TestSecret1", SM)]
    ),
    Case(
        "mypath/X default translation",
        entries({"objectName": "mypath/X"} | SM, {"objectName": "mypath/Y"} | SSM),
        {"mypath_X": "mypath/X 0", "mypath_Y": "mypath/Y 0"},
    ),
    Case(
        'mypath/X with "-"',
        entries({"objectName": "mypath/X"} | SM),
        {"mypath-X": "mypath/X 0"},
        said={"pathTranslation": "-"},
    ),
    Case('translation "--"', entries(DB), error="pathTranslation must be", said={"pathTranslation": "--"}),
    Case(
        "pathTranslation False with leading slash",
        entries({"objectName": "/X"} | SSM),
        {"X": "/X 0"},
        said={"pathTranslation": "False"},
    ),
    Case(
        "2 SM + 11 SSM -> two SSM batches (10+1), answers out of order matched by name",
        entries(*({"objectName": f"s{n}"} | SM for n in range(2)), *({"objectName": f"p{n}"} | SSM for n in range(11))),
        {f"s{n}": f"s{n} 0" for n in range(2)} | {f"p{n}": f"p{n} 0" for n in range(11)},
        calls={"ssm.GetParameters": 2, "secretsmanager.GetSecretValue": 2, "sts.AssumeRoleWithWebIdentity": 1},
    ),
    Case(
        "pathTranslation False with mypath/X, and with /mypath/Y",
        entries({"objectName": "mypath/X"} | SM, {"objectName": "/mypath/Y"} | SSM),
        {"mypath/X": "mypath/X 0", "mypath/Y": "/mypath/Y 0"},
        better="a provider that writes makes folders too, where the existing one fails: contains path separator",
        said={"pathTranslation": "False"},
    ),
)
def test_mounts(case: Case, tmp_path: Path, writes: bool) -> None:
    case.check(tmp_path, writes=writes)


@pytest.mark.parametrize("mode", ["0444", "0400"])
def test_the_requests_own_permission_is_each_requests_own(mode: str, tmp_path: Path) -> None:
    Case(
        "default permission per request",
        entries(DB),
        {"db": ("db 0", int(mode, 8))},
        sent={"permission": str(int(mode, 8))},
    ).check(tmp_path)
