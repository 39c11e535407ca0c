"""AWS Secrets Manager: GetSecretValue, one secret a call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from sscsi_provider_aws.clients import Clients
from sscsi_provider_aws.errors import Asked, object_error
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import ObjectError, clip
from sscsi_shared.fetch import fetch_each
from sscsi_shared.mount import Read
from sscsi_shared.secret import SecretBytes


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret to read.

    Attributes:
        name: friendly name or ARN.
        version: VersionId; empty = by stage.
        stage: VersionStage; empty = AWSCURRENT.
    """

    name: str
    version: str = ""
    stage: str = ""


def fetch_secrets(
    clients: Clients, region: str, role: str, secrets: Sequence[Secret], deadline: Deadline
) -> Mapping[Secret, Read | ObjectError]:
    """Read secrets in parallel, with the credentials of the context.

    Raises:
        AuthenticationFailed: the credentials were refused.
    """

    def read(secret: Secret, deadline: Deadline) -> Read:
        del deadline  # see auth.py
        request = {"SecretId": secret.name}
        if secret.version:
            request["VersionId"] = secret.version
        if secret.stage:
            request["VersionStage"] = secret.stage
        try:
            answer = clients.get("secretsmanager", region).get_secret_value(**request)
        except (ClientError, BotoCoreError) as error:
            asked = Asked(
                f"Failed fetching secret {_shown(secret)}",
                region,
                role,
                "secretsmanager:GetSecretValue",
                clip(secret.name, 256),
            )
            raise object_error(error, asked) from error
        text = answer.get("SecretString")
        contents = answer.get("SecretBinary", b"") if text is None else text.encode()
        return Read(SecretBytes(contents), answer["VersionId"])

    return fetch_each(read, secrets, deadline)


def _shown(secret: Secret) -> str:
    parts = [clip(secret.name, 256)]
    if secret.version:
        parts.append(f"version {clip(secret.version, 64)}")
    if secret.stage:
        parts.append(f"stage {clip(secret.stage, 64)}")
    return ", ".join(parts)
