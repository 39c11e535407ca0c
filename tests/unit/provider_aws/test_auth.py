"""Role annotations, session names, and credentials that only a call's own context holds."""

from dataclasses import replace

import pytest
from botocore.exceptions import NoCredentialsError

from aws_identity import IDENTITY
from sscsi_provider_aws.auth import role_of, session_name
from sscsi_provider_aws.clients import AWS_OWN, AwsCredentials, Clients, acting_as
from sscsi_provider_aws.identity import AwsIdentity, WebIdentity
from sscsi_shared.errors import AuthenticationFailed
from sscsi_shared.secret import SecretText

ANNOTATION = "eks.amazonaws.com/role-arn"


def identity(namespace: str, account: str) -> AwsIdentity:
    return replace(IDENTITY, namespace=namespace, service_account=account)


def test_a_role() -> None:
    role = "arn:aws-us-gov:iam::123456789012:role/path/to/app"
    assert role_of({ANNOTATION: f" {role} "}, "ns", "sa") == role


@pytest.mark.parametrize(
    ("annotations", "text"),
    [
        ({}, "An IAM role must be associated with service account sa (namespace: ns)"),
        ({ANNOTATION: ""}, "An IAM role must be associated with service account sa (namespace: ns)"),
        ({ANNOTATION: "app"}, "is no role's ARN"),
        ({ANNOTATION: "arn:aws:iam::<ACCOUNT_ID>:role/x"}, "is no role's ARN"),
        ({ANNOTATION: "arn:aws:iam::123456789012:role/x\nInjected: y"}, "is no role's ARN"),
    ],
)
def test_no_role(annotations: dict[str, str], text: str) -> None:
    with pytest.raises(AuthenticationFailed) as caught:
        role_of(annotations, "ns", "sa")
    assert text in str(caught.value)
    assert "Injected" not in str(caught.value)


def test_session_names_are_what_sts_takes() -> None:
    assert session_name(identity("ns", "web")) == "ns.web"
    assert session_name(identity("n" * 63, "a" * 63)) == "n" * 63 + "."
    assert session_name(identity("a/b", "c:d")) == "a-b.c-d"


def test_a_proof_shows_nothing() -> None:
    proof = WebIdentity(SecretText("canary"))
    assert "canary" not in f"{proof!r} {proof}"
    with pytest.raises(TypeError):
        hash(proof)


def test_a_call_without_credentials_is_not_signed() -> None:
    client = Clients(AWS_OWN, None, "test").get("secretsmanager", "eu-west-1")
    with pytest.raises(NoCredentialsError):
        client.get_secret_value(SecretId="x")


def test_clients_are_made_once() -> None:
    clients = Clients(AWS_OWN, None, "test")
    assert clients.get("ssm", "eu-west-1") is clients.get("ssm", "eu-west-1")
    assert clients.get("ssm", "eu-west-1") is not clients.get("ssm", "eu-west-2")
    assert clients.get("ssm", "eu-west-1").meta.config.user_agent_appid == "test"


def test_credentials_hold_within_their_block_only() -> None:
    credentials = AwsCredentials(SecretText("a"), SecretText("b"), SecretText("c"), 0)
    client = Clients(AWS_OWN, None, "test").get("ssm", "eu-west-1")
    request = {"Params": {"Name": "x"}, "ClientMethod": "get_parameter"}
    with acting_as(credentials):
        assert "Credential=a%2F" in client.generate_presigned_url(**request)
    with pytest.raises(NoCredentialsError):
        client.generate_presigned_url(**request)
