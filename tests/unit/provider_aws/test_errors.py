"""What AWS answers instead of content, in the house's errors."""

from dataclasses import replace

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, SSLError

from aws_identity import IDENTITY, ROLE
from sscsi_provider_aws.errors import Asked, chain_error, login_error, object_error, outcome_of
from sscsi_provider_aws.identity import POD_IDENTITY
from sscsi_shared.errors import (
    AccessDenied,
    AuthenticationFailed,
    BackendThrottled,
    BackendUnavailable,
    MountError,
    ObjectNotFound,
    ObjectUnusable,
)

ASKED = Asked("secret", "db", "eu-west-1", f"role {ROLE}", "secretsmanager:GetSecretValue", "db")


FATAL = {"ResourceNotFoundException", "InvalidRequestException", "DecryptionFailure"}


def said(code: str, message: str = "words", status: int = 400) -> ClientError:
    metadata = {"HTTPStatusCode": status, "RequestId": "1234-abcd"}
    return ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}, "GetSecretValue")  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("error", "kind", "hint"),
    [
        (said("AccessDeniedException"), AccessDenied, f"Grant role {ROLE} secretsmanager:GetSecretValue on db."),
        (said("AccessDeniedException", "Access to KMS is not allowed"), AccessDenied, f"Grant role {ROLE} kms:Decrypt"),
        (said("DecryptionFailure"), AccessDenied, "kms:Decrypt"),
        (said("ResourceNotFoundException"), ObjectNotFound, "Check name, version and region"),
        (said("ThrottlingException"), BackendThrottled, "rate"),
        (said("RequestLimitExceeded", status=503), BackendThrottled, "rate"),
        (said("UnrecognizedClientException"), AuthenticationFailed, "credentials"),
        (said("ExpiredTokenException"), AuthenticationFailed, "credentials"),
        (said("InvalidRequestException"), ObjectUnusable, "refused the request"),
        (said("SomethingNew"), ObjectUnusable, "refused the request"),
        (said("InternalServiceError", status=500), BackendUnavailable, "comes by itself"),
    ],
)
def test_reads(error: ClientError, kind: type[MountError], hint: str) -> None:
    found = object_error(error, ASKED)
    assert type(found) is kind
    text = str(found)
    code = error.response["Error"]["Code"]
    fatal = f"eu-west-1: Failed fetching secret db as role {ROLE}: {code}: words"
    other = f"Failed to fetch secret from all regions: eu-west-1: db as role {ROLE}: {code}: "
    assert text.startswith(fatal if code in FATAL else other)
    assert hint in text
    assert text.endswith("AWS request id 1234-abcd.")


@pytest.mark.parametrize(
    ("error", "kind", "hint"),
    [
        (
            said("AccessDenied", status=403),
            AuthenticationFailed,
            "sub = system:serviceaccount:ns:sa, aud = sts.amazonaws.com",
        ),
        (said("InvalidIdentityToken"), AuthenticationFailed, "issuer https://issuer"),
        (said("ExpiredTokenException"), AuthenticationFailed, "new token"),
        (said("IDPCommunicationError"), BackendUnavailable, "comes by itself"),
        (said("Throttling"), BackendThrottled, "rate"),
        (said("InternalFailure", status=500), BackendUnavailable, "comes by itself"),
    ],
)
def test_logins(error: ClientError, kind: type[MountError], hint: str) -> None:
    found = login_error(error, IDENTITY, "eu-west-1")
    assert type(found) is kind
    assert str(found).startswith(f"eu-west-1: role {ROLE} can't be assumed by system:serviceaccount:ns:sa: ")
    assert hint in str(found)


@pytest.mark.parametrize(("external_id", "words"), [("", "trust policy must name it."), ("x", "assumeRoleExternalId.")])
def test_a_second_role(external_id: str, words: str) -> None:
    second = "arn:aws:iam::210987654321:role/second"
    identity = replace(IDENTITY, assume_role=second, external_id=external_id)
    found = chain_error(said("AccessDenied", status=403), identity, "eu-west-1")
    assert type(found) is AuthenticationFailed
    text = f"eu-west-1: role {second} (assumeRoleArn) can't be assumed by role {ROLE}: AccessDenied: words."
    assert str(found).startswith(text)
    assert f"Let role {ROLE} do sts:AssumeRole on {second}" in str(found)
    assert words in str(found)
    agent = replace(identity, mode=POD_IDENTITY)
    assert "by the Pod Identity association of ns/sa: " in str(chain_error(said("Throttling"), agent, "r"))


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (EndpointConnectionError(endpoint_url="https://x"), BackendUnavailable, "no answer (EndpointConnectionError)"),
        (SSLError(endpoint_url="https://x", error=OSError("bad")), BackendUnavailable, "--ca-bundle"),
        (NoCredentialsError(), AuthenticationFailed, "no credentials for this call"),
    ],
)
def test_no_answer(error: Exception, kind: type[MountError], words: str) -> None:
    found = object_error(error, ASKED)
    assert type(found) is kind
    assert words in str(found)


def test_a_long_message_is_cut() -> None:
    assert len(str(object_error(said("AccessDeniedException", "long " * 20_000), ASKED)).encode()) < 1200


def test_the_metrics_word() -> None:
    assert outcome_of({}, None) == "ok"
    assert outcome_of({"Error": {"Code": "X" * 99}}, None) == "X" * 64
    assert outcome_of(None, ValueError("secret")) == "ValueError"
