"""Who asks: the pod's service account as an IAM role (IRSA), by AssumeRoleWithWebIdentity."""

import re
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from sscsi_provider_aws.clients import AwsCredentials, Clients
from sscsi_provider_aws.errors import login_error
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import AuthenticationFailed, ObjectError
from sscsi_shared.fetch import fetch_each
from sscsi_shared.secret import SecretText

AUDIENCE: Final = "sts.amazonaws.com"
ROLE_ANNOTATION: Final = "eks.amazonaws.com/role-arn"
_NOT_IN_SESSION_NAME: Final = re.compile(r"[^\w+=,.@-]", re.ASCII)
_MAX_SESSION_NAME: Final = 64


@dataclass(frozen=True, slots=True)
class AwsIdentity:
    """Every fact that changes where a call goes, as whom, or what comes back.

    Attributes:
        mode: how it logs in.
        namespace: of the service account.
        service_account: its name.
        uid: its uid.
        issuer: of its token.
        audience: of its token.
        role: ARN of the role.
        region: that is asked.
        endpoints: of sts, secretsmanager and ssm; empty = AWS's own.
        ca_bundle: PEM file; empty = the system's.
        proxy: what the environment says of proxies.
        fips: whether FIPS endpoints are asked.
    """

    mode: str
    namespace: str
    service_account: str
    uid: str
    issuer: str
    audience: str
    role: str
    region: str
    endpoints: tuple[str, str, str]
    ca_bundle: str
    proxy: tuple[tuple[str, str], ...]
    fips: bool

    @property
    def subject(self) -> str:
        """The claim `sub` that a trust policy names."""
        return f"system:serviceaccount:{self.namespace}:{self.service_account}"


class WebIdentity:
    """The proof: the service account's token. Unhashable, and shown redacted."""

    __slots__ = ("token",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, token: SecretText) -> None:
        self.token = token

    def __repr__(self) -> str:
        return "WebIdentity(<redacted>)"


def assume_role(
    clients: Clients, identity: AwsIdentity, proof: WebIdentity, region: str, deadline: Deadline
) -> AwsCredentials:
    """Exchange the token for the role's credentials (STS AssumeRoleWithWebIdentity, unsigned).

    Raises:
        AuthenticationFailed: STS refused.
        BackendUnavailable, BackendThrottled, OutOfTime: it did not answer.
    """

    def ask(_: AwsIdentity, deadline: Deadline) -> AwsCredentials:
        del deadline  # the client has its own timeouts; the caller stops waiting at the deadline
        try:
            answer = clients.get("sts", region).assume_role_with_web_identity(
                RoleArn=identity.role, RoleSessionName=session_name(identity), WebIdentityToken=proof.token.reveal()
            )
        except (ClientError, BotoCoreError) as error:
            raise login_error(
                error,
                role=identity.role,
                region=region,
                subject=identity.subject,
                audience=identity.audience,
                issuer=identity.issuer,
            ) from error
        return _credentials(answer["Credentials"])

    outcome = fetch_each(ask, [identity], deadline)[identity]
    if isinstance(outcome, ObjectError):
        raise outcome
    return outcome


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
    if not re.fullmatch(r"arn:[\w-]+:iam::\d{12}:role/[\w+=,.@/-]{1,512}", role, re.ASCII):
        raise AuthenticationFailed(
            f"The annotation {ROLE_ANNOTATION} of service account {namespace}/{service_account} is no role's ARN.",
            hint="It looks like arn:aws:iam::123456789012:role/name.",
        )
    return role


def _credentials(answer: Any) -> AwsCredentials:
    return AwsCredentials(
        SecretText(answer["AccessKeyId"]),
        SecretText(answer["SecretAccessKey"]),
        SecretText(answer["SessionToken"]),
        answer["Expiration"].timestamp(),
    )
