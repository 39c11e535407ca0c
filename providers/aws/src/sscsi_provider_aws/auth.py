"""Roles: the pod's service account as an IAM role (IRSA), and from there a second one."""

import re
from collections.abc import Callable
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from sscsi_provider_aws.clients import AwsCredentials, Clients, acting_as
from sscsi_provider_aws.errors import chain_error, login_error, readable
from sscsi_provider_aws.identity import AwsIdentity, WebIdentity
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import AuthenticationFailed, InvalidParameters, MountError, ObjectError
from sscsi_shared.fetch import fetch_each
from sscsi_shared.secret import SecretText

AUDIENCE: Final = "sts.amazonaws.com"
ROLE_ANNOTATION: Final = "eks.amazonaws.com/role-arn"
_ROLE: Final = re.compile(r"arn:[\w-]+:iam::\d{12}:role/[\w+=,.@/-]{1,512}", re.ASCII)
_NOT_IN_SESSION_NAME: Final = re.compile(r"[^\w+=,.@-]", re.ASCII)
_MAX_SESSION_NAME: Final = 64


def assume_role(
    clients: Clients, identity: AwsIdentity, proof: WebIdentity, region: str, deadline: Deadline
) -> AwsCredentials:
    """Exchange the token for the role's credentials (STS AssumeRoleWithWebIdentity, unsigned).

    Raises:
        AuthenticationFailed: STS refused.
        BackendUnavailable, BackendThrottled, OutOfTime: it did not answer.
    """

    def ask() -> Any:
        client = clients.get("sts", region, signed=False)
        return client.assume_role_with_web_identity(
            RoleArn=identity.role, RoleSessionName=session_name(identity), WebIdentityToken=proof.token.reveal()
        )

    return _ask_sts(ask, lambda error: login_error(error, identity, region), deadline)


def assume_second_role(
    clients: Clients, identity: AwsIdentity, credentials: AwsCredentials, region: str, deadline: Deadline
) -> AwsCredentials:
    """Assume the role that the class names, as the first one (STS AssumeRole).

    Raises:
        AuthenticationFailed: STS refused.
        BackendUnavailable, BackendThrottled, OutOfTime: it did not answer.
    """
    external_id = {"ExternalId": identity.external_id} if identity.external_id else {}

    def ask() -> Any:
        with acting_as(credentials):
            return clients.get("sts", region).assume_role(
                RoleArn=identity.assume_role, RoleSessionName=session_name(identity), **external_id
            )

    return _ask_sts(ask, lambda error: chain_error(error, identity, region), deadline)


def session_name(identity: AwsIdentity) -> str:
    """What CloudTrail shows of a session: namespace and service account; STS takes 2 to 64 characters."""
    name = _NOT_IN_SESSION_NAME.sub("-", f"{identity.namespace}.{identity.service_account}")
    return name[:_MAX_SESSION_NAME].ljust(2, "-")


def role_of(annotations: Any, namespace: str, service_account: str) -> str:
    """The role that a service account is annotated with.

    Raises:
        AuthenticationFailed: it has none, or something that is no role's ARN.
    """
    role = str(annotations.get(ROLE_ANNOTATION, "")).strip()
    if not role:
        raise AuthenticationFailed(
            f"An IAM role must be associated with service account {service_account} (namespace: {namespace}).",
            hint=f"Annotate it: {ROLE_ANNOTATION}: arn:aws:iam::<account>:role/<name>.",
        )
    if not _ROLE.fullmatch(role):
        raise AuthenticationFailed(
            f"The annotation {ROLE_ANNOTATION} of service account {namespace}/{service_account} is no role's ARN.",
            hint="It looks like arn:aws:iam::123456789012:role/name.",
        )
    return role


def check_second_role(role: str) -> str:
    """Give back `assumeRoleArn` if it is empty or a role's ARN.

    Raises:
        InvalidParameters: it is neither.
    """
    if role and not _ROLE.fullmatch(role):
        raise InvalidParameters(
            "assumeRoleArn is no role's ARN.",
            path="parameters.assumeRoleArn",
            hint="It looks like arn:aws:iam::123456789012:role/name.",
        )
    return role


def _ask_sts(
    ask: Callable[[], Any], failed: Callable[[ClientError | BotoCoreError], MountError], deadline: Deadline
) -> AwsCredentials:
    """In the pool: the client has its own timeouts, and the caller stops waiting at the deadline."""

    def call(_key: str, _deadline: Deadline) -> AwsCredentials:
        try:
            with readable():
                answer = ask()["Credentials"]
                return AwsCredentials(
                    SecretText(answer["AccessKeyId"]),
                    SecretText(answer["SecretAccessKey"]),
                    SecretText(answer["SessionToken"]),
                    answer["Expiration"].timestamp(),
                )
        except (ClientError, BotoCoreError) as error:
            raise failed(error) from error

    outcome = fetch_each(call, ["sts"], deadline)["sts"]
    if isinstance(outcome, ObjectError):
        raise outcome
    return outcome
