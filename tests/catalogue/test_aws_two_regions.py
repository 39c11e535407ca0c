"""reference/aws.md section 13, "server: two regions". Lines that need both regions asked run with --failover-check."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from aws_catalogue import OTHER, REGION, SM, SSM, Case, arn, cases, entries
from sscsi_emulators.canned_aws import CannedAws

DB = {"objectName": "db"} | SM
KEY = {"objectName": "key"} | SSM
GET, PARAMETERS = "secretsmanager.GetSecretValue", "ssm.GetParameters"
BROKEN = "InternalServerError"
BOTH: dict[str, Any] = {"said": {"failoverRegion": OTHER}}
CHECKED: dict[str, Any] = BOTH | {"options": {"failover_check": True}}
FIFTEEN = entries(*({"objectName": f"p{n}"} | SSM for n in range(15)))
THERE = {f"p{n}": f"there {n}" for n in range(15)}


def world(
    *,
    refused: dict[str, str] | None = None,
    failing: tuple[str, ...] | dict[str, str] = (),
    contents: dict[str, str] | None = None,
) -> Callable[[CannedAws], None]:
    """What AWS says: codes by operation, codes (or plain absence) by name, contents by name."""

    def prepare(aws: CannedAws) -> None:
        aws.refused.update(refused or {})
        aws.failing.update(
            failing if isinstance(failing, dict) else dict.fromkeys(failing, "ResourceNotFoundException")
        )
        aws.contents.update({f"{REGION}/db": "here", f"{REGION}/key": "here", f"{OTHER}/db": "there"})
        aws.contents.update({f"{OTHER}/key": "there"} | (contents or {}))

    return prepare


def fifteen_there(**more: Any) -> Callable[[CannedAws], None]:
    contents = {f"{OTHER}/{name}": value for name, value in THERE.items()}
    return world(refused={f"{REGION}/{PARAMETERS}": BROKEN}, contents=contents, **more)


@cases(
    Case("SM primary 500", entries(DB), {"db": "there"}, given=world(refused={f"{REGION}/{GET}": BROKEN}), **BOTH),
    Case(
        "SSM primary 500",
        entries(KEY),
        {"key": "there"},
        given=world(refused={f"{REGION}/{PARAMETERS}": BROKEN}),
        **BOTH,
    ),
    Case(
        "both at once",
        entries(DB, KEY),
        {"db": "there", "key": "there"},
        given=world(refused={f"{REGION}/{GET}": BROKEN, f"{REGION}/{PARAMETERS}": BROKEN}),
        **BOTH,
    ),
    Case(
        "both succeed",
        entries(DB, KEY),
        {"db": "here", "key": "here"},
        better="the second region is not asked at all: one region's calls instead of two",
        given=world(),
        calls={GET: 1, PARAMETERS: 1, "sts.AssumeRoleWithWebIdentity": 1},
        **BOTH,
    ),
    Case("both succeed, checked", entries(DB), {"db": "here"}, given=world(), calls={GET: 2}, **CHECKED),
    Case(
        "SM both 500",
        entries(DB),
        error="Failed to fetch secret from all regions",
        given=world(refused={GET: BROKEN}),
        **BOTH,
    ),
    Case(
        "SSM both 500",
        entries(KEY),
        error="Failed to fetch parameters from all regions",
        given=world(refused={PARAMETERS: BROKEN}),
        **BOTH,
    ),
    Case(
        "region unresolvable but failover given",
        entries(DB),
        error="failed to retrieve region from node",
        said={"region": None, "failoverRegion": OTHER, "pod": "regionless"},
    ),
    Case(
        "region == failoverRegion",
        entries(DB),
        error=f"{REGION}: failover region cannot be the same as the primary region",
        said={"failoverRegion": REGION},
    ),
    Case(
        "no role with two regions",
        entries(DB),
        error="An IAM role must be associated with service account plain",
        said={"account": "plain", "failoverRegion": OTHER},
    ),
    Case(
        "SSM primary has p2 only, failover has p1 only",
        entries({"objectName": "p1"} | SSM, {"objectName": "p2"} | SSM),
        error=f"400: {REGION}: invalid parameters: p1",
        given=world(failing=(f"{REGION}/p1", f"{OTHER}/p2")),
        **BOTH,
    ),
    Case(
        "SM primary 4xx modelled -> fatal though failover fine",
        entries(DB),
        error=f"{REGION}: Failed fetching secret db",
        given=world(failing={f"{REGION}/db": "ResourceNotFoundException"}),
        **BOTH,
    ),
    Case(
        "SM primary 500 + failover 4xx -> fatal with failover region prefix",
        entries(DB),
        error=f"{OTHER}: Failed fetching secret db",
        given=world(refused={f"{REGION}/{GET}": BROKEN}, failing={f"{OTHER}/db": "InvalidRequestException"}),
        **BOTH,
    ),
    Case(
        "SM primary denied",
        entries(DB),
        error="AccessDeniedException",
        better="denied in the primary is an error; the existing provider silently serves the other region's value",
        given=world(failing={f"{REGION}/db": "AccessDeniedException"}),
        **BOTH,
    ),
    Case(
        "SSM primary InvalidKeyId",
        entries(KEY),
        error=f"{REGION}: Failed fetching parameters: key",
        given=world(refused={f"{REGION}/{PARAMETERS}": "InvalidKeyId"}),
        **BOTH,
    ),
    Case(
        "SSM primary 500 + failover InvalidKeyId",
        entries(KEY),
        error=f"{OTHER}: Failed fetching parameters: key",
        given=world(refused={f"{REGION}/{PARAMETERS}": BROKEN, f"{OTHER}/{PARAMETERS}": "InvalidKeyId"}),
        **BOTH,
    ),
    Case(
        "SSM primary fine, failover invalid parameters",
        entries(KEY),
        error=f"400: {OTHER}: invalid parameters: key",
        given=world(failing=(f"{OTHER}/key",)),
        **CHECKED,
    ),
    Case(
        "SSM primary fine, failover InvalidKeyId",
        entries(KEY),
        error=f"{OTHER}: Failed fetching parameters: key",
        given=world(refused={f"{OTHER}/{PARAMETERS}": "InvalidKeyId"}),
        **CHECKED,
    ),
    Case(
        "SM primary fine, failover ResourceNotFound on describe",
        entries(DB),
        error=f"{OTHER}: Failed fetching secret db",
        better="the other region's secret is read, so that a denied key shows too; the existing text says describe",
        given=world(failing={f"{OTHER}/db": "ResourceNotFoundException"}),
        **CHECKED,
    ),
    Case(
        "unknown field backupArn ignored, primary 500",
        entries({"objectName": arn("secretsmanager", "secret:db-AbCdEf"), "backupArn": "arn:x", "objectAlias": "a"}),
        {"a": "there"},
        given=world(refused={f"{REGION}/{GET}": BROKEN}),
        **BOTH,
    ),
    Case(
        "15 SSM, primary 500, failover answers with one invalid",
        FIFTEEN,
        error=f"400: {OTHER}: invalid parameters: p7",
        given=fifteen_there(failing=(f"{OTHER}/p7",)),
        **BOTH,
    ),
    Case("15 SSM, without invalid", FIFTEEN, THERE, given=fifteen_there(), calls={PARAMETERS: 4}, **BOTH),
    Case(
        "15 SSM, primary invalid list",
        FIFTEEN,
        error=f"400: {REGION}: invalid parameters: p3",
        given=world(failing=(f"{REGION}/p3",)),
        **BOTH,
    ),
    Case(
        "failoverObject with other name and equal objectVersion",
        entries(
            DB
            | {"objectAlias": "alias", "objectVersion": "v" * 32}
            | {"failoverObject": {"objectName": "other", "objectVersion": "v" * 32}}
        ),
        {"alias": "from other"},
        given=world(refused={f"{REGION}/{GET}": BROKEN}, contents={f"{OTHER}/other": "from other"}),
        **BOTH,
    ),
    Case(
        "20 SSM with jmes on ten of them, primary 500 twice",
        entries(
            *({"objectName": f"p{n}"} | SSM for n in range(10)),
            *({"objectName": f"j{n}", "jmesPath": [{"path": "k", "objectAlias": f"k{n}"}]} | SSM for n in range(10)),
        ),
        {f"p{n}": "there" for n in range(10)}
        | {f"j{n}": '{"k": "v"}' for n in range(10)}
        | {f"k{n}": "v" for n in range(10)},
        given=world(
            refused={f"{REGION}/{PARAMETERS}": BROKEN},
            contents={f"{OTHER}/p{n}": "there" for n in range(10)} | {f"{OTHER}/j{n}": '{"k": "v"}' for n in range(10)},
        ),
        **BOTH,
    ),
)
def test_two_regions(case: Case, tmp_path: Path) -> None:
    case.check(tmp_path)
