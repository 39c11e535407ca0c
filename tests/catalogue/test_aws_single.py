"""reference/aws.md section 13: "server: single", "values", and what "utils / credentials" says of tokens."""

import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aws_catalogue import OTHER, REGION, SM, Case, World, arn, attributes, cases, entries
from sscsi_emulators.canned_aws import AGENT, CannedAws
from sscsi_provider_aws.clients import AWS_OWN, Clients
from sscsi_provider_aws.errors import Asked, object_error
from sscsi_provider_aws.provider import RUNTIME_NAME, VERSION
from sscsi_shared.errors import MountError

DB = {"objectName": "db"} | SM
IRSA_TOKEN, POD_TOKEN = ("sts.amazonaws.com",), ("pods.eks.amazonaws.com",)
STS = "sts.AssumeRoleWithWebIdentity"


def jmes(path: str, alias: str = "out") -> str:
    return entries(DB | {"jmesPath": [{"path": path, "objectAlias": alias}]})


def holds(text: str) -> dict[str, object]:
    return {"given": lambda aws: aws.contents.update(db=text)}


@cases(
    Case('no target_path -> "Missing mount path"', entries(DB), error="Missing mount path", sent={"target": ""}),
    Case(
        "AWS_REGION set -> used without Kubernetes",
        entries(DB),
        {"db": "db 0"},
        said={"region": None, "pod": "none"},
        options={"region": OTHER},
    ),
    Case("AWS_REGION unset -> node label", entries(DB), {"db": "db 0"}, said={"region": None}),
    Case(
        "an ARN's own region",
        entries({"objectName": arn("ssm", "parameter/x"), "objectAlias": "x"}),
        {"x": "/x 0"},
        better="where nobody names a region, the ARNs of the class do: no look-up of the node",
        said={"region": None, "pod": "none"},
    ),
    Case(
        "only sts token with pod identity",
        entries(DB),
        error='Pod Identity token extraction failed: token for audience "pods.eks.amazonaws.com" not found',
        said={"usePodIdentity": "true", "audiences": IRSA_TOKEN},
    ),
    Case(
        "only pod identity's token with IRSA",
        entries(DB),
        error='IRSA token extraction failed: token for audience "sts.amazonaws.com" not found',
        said={"audiences": POD_TOKEN},
    ),
    Case(
        "tokens: no audience at all",
        entries(DB),
        error="serviceAccount.tokens not provided - ensure tokenRequests is configured in CSIDriver",
        said={"audiences": ()},
    ),
    Case(
        "one audience is enough for IRSA", entries(DB), {"db": "db 0"}, said={"audiences": IRSA_TOKEN}, calls={STS: 1}
    ),
    Case(
        "one audience is enough for pod identity",
        entries(DB),
        {"db": "db 0"},
        said={"audiences": POD_TOKEN, "usePodIdentity": "true", "account": "plain"},
        calls={AGENT: 1, STS: 0},
    ),
    Case("one region never trips the max-regions guard", entries(DB), {"db": "db 0"}),
    Case(
        "an empty list mounts an empty volume",
        "[]",
        {},
        better="the driver takes it: sscsi/empty is reported",
        calls={STS: 0},
    ),
    Case(
        "values: jmes on non-JSON",
        jmes("user"),
        error="Invalid JSON used with jmesPath in secret: db.",
        better="its own text, in Secrets Manager too",
    ),
    Case(
        "values: missing key",
        jmes("user"),
        error="JMES Path - user for object alias - out does not point to a valid object.",
        better="its own text, with the keys that are there",
        **holds('{"other": "x"}'),  # type: ignore[arg-type]
    ),
    Case(
        "values: leading-dot expression invalid",
        jmes(".user"),
        error="Invalid JMES Path: .user.",
        better="found before anything is asked",
        calls={},
    ),
    Case(
        "values: number result",
        jmes("port"),
        {"db": '{"port": 5432}', "out": "5432"},
        better="a number, true and false are written as they stand in the secret; the existing provider refuses them",
        **holds('{"port": 5432}'),  # type: ignore[arg-type]
    ),
    Case(
        "values: list result",
        jmes("ports"),
        error="Invalid JMES search result type for path:ports. Only string is allowed.",
        **holds('{"ports": [1]}'),  # type: ignore[arg-type]
    ),
    Case(
        "values: unquoted hyphen",
        jmes("a-b"),
        {"db": '{"a-b": "x"}', "out": "x"},
        better="keys that JMESPath can't read bare are taken as they are written",
        **holds('{"a-b": "x"}'),  # type: ignore[arg-type]
    ),
)
def test_single(case: Case, tmp_path: Path) -> None:
    case.check(tmp_path)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> object:
    with CannedAws() as aws:
        yield World(tmp_path_factory.mktemp("world"), aws)


TEXTS = st.text(max_size=60)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    attributes=st.one_of(TEXTS, st.dictionaries(TEXTS, st.one_of(TEXTS, st.integers(), st.none())).map(json.dumps)),
    permission=TEXTS,
    target=TEXTS,
)
def test_fuzz_attributes_permission_target(world: World, attributes: str, permission: str, target: str) -> None:
    with pytest.raises(MountError):
        world.mount(attributes, permission=permission, target=target)


@settings(max_examples=150, deadline=None)
@given(
    objects=st.one_of(
        TEXTS,
        st.lists(st.dictionaries(st.sampled_from(["objectName", "objectType", "jmesPath", "select"]), TEXTS)).map(
            json.dumps
        ),
    )
)
def test_fuzz_objects(world: World, objects: str) -> None:
    try:
        result, _ = world.mount(attributes(objects))
    except MountError:
        return
    assert result.versions


def test_the_app_id_is_the_build_version_or_the_addons() -> None:
    assert (
        Clients(AWS_OWN, None, f"{RUNTIME_NAME}-{VERSION}")
        .get("ssm", REGION)
        .meta.config.user_agent_appid.endswith(VERSION)
    )
    assert Clients(AWS_OWN, None, f"{RUNTIME_NAME}-v9").get("ssm", REGION).meta.config.user_agent_appid.endswith("-v9")


@pytest.mark.parametrize(
    ("code", "status", "fatal"),
    [("ResourceNotFoundException", 400, True), ("InternalServerError", 500, False), ("InvalidKeyId", 400, True)],
)
def test_fatal(code: str, status: int, fatal: bool) -> None:
    said = ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetSecretValue")  # type: ignore[typeddict-item]
    error = object_error(said, Asked("secret", "db", REGION, "role x", "a", "b"))
    assert str(error).startswith(f"{REGION}: Failed fetching" if fatal else "Failed to fetch secret from all regions")
    assert error.transient is not fatal
