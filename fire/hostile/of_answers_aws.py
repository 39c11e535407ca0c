"""Answers of Secrets Manager, Parameter Store and STS."""

import json
from collections.abc import Sequence
from typing import Any

from fire.hostile.answers import Hostile, HostileServer, mounting
from fire.hostile.target import Target, words
from sscsi_provider_aws.clients import Endpoints
from sscsi_provider_aws.provider import AwsProvider
from sscsi_shared.cluster import NoCluster, ServiceAccount
from sscsi_shared.deadline import Deadline

_LOGIN = b"""<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIAX</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
<SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>
</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""
_ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-AbCdEf"
_SECRET = {"ARN": _ARN, "Name": "a", "VersionId": "v" * 32, "SecretString": '{"k": "x"}', "CreatedDate": 1.5}
_BATCH = {
    "SecretValues": [_SECRET, {**_SECRET, "Name": "b"}],
    "Errors": [{"SecretId": "b", "ErrorCode": "X", "Message": "m"}],
}
_PARAMETERS = {
    "Parameters": [
        {"Name": "/p", "Type": "String", "Value": "x", "Version": 3, "ARN": "arn:aws:ssm:eu-west-1:1:parameter/p"}
    ],
    "InvalidParameters": [],
}
_ERROR = {"__type": "ResourceNotFoundException", "message": "not there"}


class _OneCluster(NoCluster):
    def service_account(self, namespace: str, name: str, deadline: Deadline) -> ServiceAccount:
        del deadline
        return ServiceAccount(
            namespace, name, "u", {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/app"}
        )


def targets() -> Sequence[Target]:
    """One for Secrets Manager by itself and in batches, and one for Parameter Store."""
    made = []
    kinds: dict[str, tuple[str, dict[str, Any], bool]] = {
        "secretsmanager": ("- {objectName: a, objectType: secretsmanager}", _SECRET, False),
        "batches": (
            "\n".join(
                f"- {{objectName: {n}, objectType: secretsmanager, jmesPath: [{{path: k, objectAlias: {n}k}}]}}"
                for n in "ab"
            ),
            _BATCH,
            True,
        ),
        "ssm": (
            "- {objectName: /p, objectType: ssmparameter}",
            _PARAMETERS,
            True,
        ),
        "ssm-path": ("- {select: {prefix: /p}, objectType: ssmparameter}", _PARAMETERS, True),
    }
    for name, (objects, sound, batch) in kinds.items():
        hostile = Hostile()
        server = HostileServer(hostile, _LOGIN, lambda _, sent: b"AssumeRole" in sent, json.dumps(sound).encode())
        server.__enter__()
        url = server.url
        provider = AwsProvider(
            endpoints=Endpoints(url, url, url), region="eu-west-1", environ={"AWS_MAX_ATTEMPTS": "1"}, batch=batch
        )
        bodies = [json.dumps(one).encode() for one in (sound, _SECRET, _PARAMETERS, _ERROR)] + [_LOGIN]
        known = words(" ".join(["SecretString SecretBinary VersionId ARN __type message NextToken Errors", *sound]))
        made.append(
            mounting(name, hostile, provider, _OneCluster(), "sts.amazonaws.com", {"objects": objects}, bodies, known)
        )
    return made
