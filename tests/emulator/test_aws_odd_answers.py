"""What something answers in AWS's place is told as that: no incident, and nothing of what was in it."""

import json
from collections.abc import Iterable, Iterator
from typing import Self

import pytest

from aws_stage import ROLE, OneCluster
from sscsi_emulators.tokens import unsigned_token
from sscsi_emulators.wsgi import Environ, LoopbackServer, StartResponse
from sscsi_provider_aws.clients import Endpoints
from sscsi_provider_aws.provider import AwsProvider
from sscsi_shared.deadline import Deadline
from sscsi_shared.economy.asking import Economy
from sscsi_shared.economy.options import OFF
from sscsi_shared.errors import BackendUnavailable, MountError
from sscsi_shared.mount import MountResult
from sscsi_shared.parameters import read_mount
from sscsi_shared.pipeline import Pipeline
from sscsi_shared.testing.stage import POD, pod_attributes, tokens_text

AUDIENCE = "sts.amazonaws.com"
LOGIN = b"""<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>
<AccessKeyId>ASIAX</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""


class World:
    """Answers logins and reads as told."""

    def __init__(self) -> None:
        self.login, self.read = LOGIN, b"{}"
        self._server = LoopbackServer(self._answer)

    def __enter__(self) -> Self:
        url = self._server.__enter__().url
        self._provider = AwsProvider(
            endpoints=Endpoints(url, url, url), region="eu-west-1", environ={"AWS_MAX_ATTEMPTS": "1"}
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._server.__exit__(None, None, None)

    def mount(self, objects: str) -> MountResult:
        token = unsigned_token(POD.namespace, POD.service_account, AUDIENCE)
        sent = {"objects": objects, **pod_attributes(POD, tokens_text({AUDIENCE: token}))}
        pipeline = Pipeline(self._provider, OneCluster(), Economy(self._provider, OFF))  # type: ignore[arg-type]
        return pipeline.mount(read_mount(json.dumps(sent), "null", "420", "/t", ()), Deadline.after(20))

    def refusal(self, objects: str) -> MountError:
        with pytest.raises(MountError) as caught:
            self.mount(objects)
        return caught.value

    def _answer(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        sent = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response("200 OK", [("Content-Type", "application/x-amz-json-1.1")])
        return [self.login if b"AssumeRole" in sent else self.read]


@pytest.fixture
def world() -> Iterator[World]:
    with World() as world:
        yield world


@pytest.mark.parametrize(
    "body",
    [b"<html>canary", b"\x1f\x8bcanary", b'{"SecretString": "canary"}', b'["canary"]', b'{"SecretString": ["canary"]}',
     b"[" * 100_000, b'{"SecretString": "canary", "VersionId": "v", "CreatedDate": "x"}'],
    ids=range(7),
)  # fmt: skip
def test_a_secret(world: World, body: bytes) -> None:
    world.read = body
    error = world.refusal("- {objectName: db, objectType: secretsmanager}")
    assert type(error) is BackendUnavailable
    assert f"db as role {ROLE}: the answer can't be read" in str(error)
    assert "canary" not in str(error)


def test_a_batch_that_can_not_be_read_is_read_one_by_one(world: World) -> None:
    world.read = b'{"SecretValues": [{"Name": "a", "SecretString": "canary"}]}'
    objects = "\n".join(f"- {{objectName: {name}, objectType: secretsmanager}}" for name in "abcd")
    assert "a as role" in str(world.refusal(objects))
    assert "canary" not in str(world.refusal(objects))


@pytest.mark.parametrize(
    "body", [b"<html>", b'{"Parameters": [{"Name": "/p"}]}', b'{"Parameters": "canary"}'], ids=range(3)
)
@pytest.mark.parametrize("entry", ["objectName: /p", "select: {prefix: /p}"])
def test_parameters(world: World, body: bytes, entry: str) -> None:
    world.read = body
    error = world.refusal(f"- {{{entry}, objectType: ssmparameter}}")
    assert type(error) is BackendUnavailable
    said = (
        "the answer does not hold /p" if (entry, body) == ("objectName: /p", b"<html>") else "the answer can't be read"
    )
    assert said in str(error)


@pytest.mark.parametrize("body", [b'{"SecretList": [5]}', b"<html>"], ids=range(2))
def test_a_list_of_secrets(world: World, body: bytes) -> None:
    world.read = body
    error = world.refusal("- {select: {prefix: a}, objectType: secretsmanager}")
    assert type(error) is BackendUnavailable
    assert "the answer can't be read" in str(error)


@pytest.mark.parametrize(
    "body",
    [b"{}", b"<html>", b"<a><AssumeRoleWithWebIdentityResult/></a>", LOGIN.replace(b"2099-01", b"canary")],
    ids=range(4),
)
def test_a_login(world: World, body: bytes) -> None:
    world.login = body
    error = world.refusal("- {objectName: db, objectType: secretsmanager}")
    assert type(error) is BackendUnavailable
    assert "the answer can't be read" in str(error)
    assert "canary" not in str(error)
