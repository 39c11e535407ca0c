"""What AWS answers instead of content, in the house's errors: what failed, as whom, and what to check."""

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ParamValidationError, SSLError
from botocore.parsers import ResponseParserError

from sscsi_provider_aws.identity import AwsIdentity
from sscsi_shared.errors import (
    AccessDenied,
    AuthenticationFailed,
    BackendThrottled,
    BackendUnavailable,
    MountError,
    ObjectNotFound,
    ObjectUnusable,
    clip,
)
from sscsi_shared.object_fields import MAX_LIMIT

_DENIED: Final = frozenset({"AccessDeniedException", "AccessDenied", "DecryptionFailure", "KMSAccessDeniedException"})
_ABSENT: Final = frozenset({"ResourceNotFoundException", "ParameterNotFound", "ParameterVersionNotFound"})
_UNUSABLE: Final = frozenset(
    {"InvalidRequestException", "InvalidParameterException", "ValidationException", "InvalidKeyId"}
)
_FATAL: Final = frozenset(
    {
        "DecryptionFailure",
        "InvalidParameterException",
        "InvalidRequestException",
        "ResourceNotFoundException",
        "InvalidKeyId",
    }
)
"""What AWS's API models of these operations call the client's fault; the existing provider goes by that."""
_THROTTLED: Final = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "SlowDown",
    }
)
_REFUSED: Final = frozenset(
    {
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "ExpiredToken",
        "ExpiredTokenException",
        "SignatureDoesNotMatch",
        "IncompleteSignature",
    }
)
_TIMES: Final = re.compile(r"expired|not yet valid|not valid yet|in the future", re.IGNORECASE)
_UNKNOWN_OPERATION: Final = frozenset({"UnknownOperationException", "InvalidAction", "NotImplemented"})
_LOGIN_HINTS: Final[Mapping[str, str]] = {
    "AccessDenied": "Check the role's trust policy: the cluster's OIDC provider as Federated principal, "
    "sts:AssumeRoleWithWebIdentity, and the conditions sub = {subject}, aud = {audience}.",
    "InvalidIdentityToken": "Check that IAM has an OIDC provider with the issuer {issuer} and the audience {audience}.",
    "ExpiredTokenException": "Kubelet sends a new token with the next try; compare the node's clock.",
    "IDPRejectedClaim": "Check the audience {audience} of the OIDC provider in IAM.",
    "RegionDisabledException": "Activate STS in this region for the account.",
    "ValidationError": "Check the annotation eks.amazonaws.com/role-arn of the service account.",
}
_ODD: Final = (ResponseParserError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What the SDK is seen to raise where an answer is none of AWS's, and what we do where a part of it is missing."""


class UnreadableAnswer(BotoCoreError):
    """An answer that is none of AWS's; the text says nothing of what was in it."""

    fmt = "the answer can't be read"


@contextmanager
def readable() -> Iterator[None]:
    """Around a call and what is taken out of its answer: an answer that can't be read is a BotoCoreError too.

    Raises:
        UnreadableAnswer: something between us and AWS has answered.
    """
    try:
        yield
    except BotoCoreError:
        raise
    except _ODD:
        # `from None`: these errors hold the answer.
        raise UnreadableAnswer from None


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked, and as whom.

    Attributes:
        kind: secret, secrets or parameters.
        name: of it, or of them, for messages.
        region: that was asked.
        who: on whose behalf, in words: `role arn:...`.
        action: the right that it takes: `secretsmanager:GetSecretValue`.
        target: what the right is for; a name or an ARN.
    """

    kind: str
    name: str
    region: str
    who: str
    action: str
    target: str

    def failed(self, *, fatal: bool) -> str:
        """The beginning of a message, in the words that the existing provider's alerts look for.

        Args:
            fatal: whether that provider takes the failure for the mistake of whoever asked, and asks no other region.
        """
        if not fatal:
            return f"Failed to fetch {self.kind} from all regions: {self.region}: {self.name} as {self.who}: "
        colon = "" if self.kind == "secret" else ":"
        return f"{self.region}: Failed fetching {self.kind}{colon} {self.name} as {self.who}: "


def object_error(error: Exception, asked: Asked) -> MountError:
    """The error of a read.

    Args:
        error: a ClientError or another BotoCoreError.
        asked: what was asked.

    Returns:
        An ObjectError, or AuthenticationFailed where the credentials themselves were refused.
    """
    if not isinstance(error, ClientError):
        fatal = isinstance(error, ParamValidationError)
        return _no_answer(error, asked.failed(fatal=fatal), asked.region)
    code, text, status, request = _said(error)
    wait = _wait(error)
    text = f"{asked.failed(fatal=code in _FATAL)}{text}"
    if code in _DENIED:
        kms = code == "DecryptionFailure" or "kms" in text.lower()
        right = "kms:Decrypt on the key" if kms else f"{asked.action} on {asked.target}"
        return AccessDenied(text, hint=f"Grant {asked.who} {right}.{request}")
    if code in _ABSENT:
        return ObjectNotFound(text, hint=f"Check name, version and region (account and region of the role).{request}")
    if code in _THROTTLED or status == 429:
        hint = f"AWS limits the account's rate; the next try comes by itself.{request}"
        return BackendThrottled(text, hint=hint, retry_after=wait)
    if code in _REFUSED:
        hint = f"AWS does not take the credentials of {asked.who}; compare the node's clock.{request}"
        return AuthenticationFailed(text, hint=hint)
    if code in _UNUSABLE or status < 500:
        return ObjectUnusable(text, hint=f"AWS refused the request itself.{request}")
    hint = f"AWS is failing; the next try comes by itself.{request}"
    return BackendUnavailable(text, hint=hint, retry_after=wait)


def too_many(shown: str, limit: int, kind: str) -> ObjectUnusable:
    """A selection that finds more than it may."""
    return ObjectUnusable(
        f"{shown} finds more than {limit} {kind}.",
        hint=f"Narrow it, or raise select.limit ({MAX_LIMIT} at most).",
    )


def none_found(region: str, shown: str, kind: str) -> ObjectNotFound:
    """A selection that finds none."""
    return ObjectNotFound(f"{region}: {shown} finds no {kind}.", hint="`optional: true` lets the pod start without.")


def is_unknown_operation(error: Exception) -> bool:
    """Whether the endpoint does not know what it was asked to do."""
    return _code(error) in _UNKNOWN_OPERATION


def login_error(error: Exception, identity: AwsIdentity, region: str) -> MountError:
    """The error of AssumeRoleWithWebIdentity."""
    hint = _LOGIN_HINTS.get(_code(error), "").format(
        subject=identity.subject, audience=identity.audience, issuer=identity.issuer or "of the cluster"
    )
    if isinstance(error, ClientError) and _TIMES.search(_said(error)[1]):
        hint = f"{hint} Compare the node's clock.".strip() if "clock" not in hint else hint
    return _sts_error(error, f"{region}: {identity.first} can't be assumed by {identity.subject}: ", region, hint)


def chain_error(error: Exception, identity: AwsIdentity, region: str) -> MountError:
    """The error of AssumeRole, from the first role to the one that the class names."""
    hint = ""
    if _code(error) == "AccessDenied":
        hint = f"Let {identity.first} do sts:AssumeRole on {identity.assume_role}, whose trust policy must name it"
        hint += ", with the external id of assumeRoleExternalId." if identity.external_id else "."
    start = f"{region}: role {identity.assume_role} (assumeRoleArn) can't be assumed by {identity.first}: "
    return _sts_error(error, start, region, hint)


def _sts_error(error: Exception, start: str, region: str, hint: str) -> MountError:
    if not isinstance(error, ClientError):
        return _no_answer(error, start, region)
    code, text, status, request = _said(error)
    wait = _wait(error)
    if code in _THROTTLED or status == 429:
        hint = f"STS limits the account's rate; the next try comes by itself.{request}"
        return BackendThrottled(f"{start}{text}", hint=hint, retry_after=wait)
    if status >= 500 or code == "IDPCommunicationError":
        return BackendUnavailable(f"{start}{text}", hint=f"The next try comes by itself.{request}", retry_after=wait)
    return AuthenticationFailed(f"{start}{text}", hint=f"{hint}{request}".strip())


def _code(error: Exception) -> str:
    return _said(error)[0] if isinstance(error, ClientError) else ""


def outcome_of(answer: Mapping[str, Any] | None, exception: Exception | None) -> str:
    """The metric's word for one request: ok, AWS's code, or the kind of failure."""
    if exception is not None:
        return type(exception).__name__
    error = (answer or {}).get("Error")
    return str(error.get("Code", "unknown"))[:64] if error else "ok"


def _said(error: ClientError) -> tuple[str, str, int, str]:
    """Code, sentence, status and request id (a sentence, with a blank before it) of AWS's answer."""
    answer: Mapping[str, Any] = error.response
    said = answer.get("Error", {})
    code = clip(str(said.get("Code", "Unknown")), 64)
    metadata = answer.get("ResponseMetadata", {})
    message = clip(str(said.get("Message", ""))).rstrip(".")
    request = str(metadata.get("RequestId", ""))
    return (
        code,
        f"{code}: {message}." if message else f"{code}.",
        int(metadata.get("HTTPStatusCode", 0)),
        f" AWS request id {clip(request, 64)}." if request else "",
    )


def _wait(error: ClientError) -> float | None:
    """Seconds that the answer asks us to wait (Retry-After); None if it does not say so in seconds."""
    answer: Mapping[str, Any] = error.response
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds < math.inf else None


def _no_answer(error: Exception, start: str, region: str) -> MountError:
    kind = type(error).__name__
    if isinstance(error, ParamValidationError):
        return ObjectUnusable(f"{start}{clip(str(error))}.", hint="Nothing was sent; correct the object in the class.")
    if isinstance(error, NoCredentialsError):
        return AuthenticationFailed(f"{start}there are no credentials for this call.")
    if isinstance(error, UnreadableAnswer):
        return BackendUnavailable(
            f"{start}the answer can't be read.",
            hint=f"Does something stand between this node and AWS in {region}? "
            "Check proxy (HTTPS_PROXY) and endpoints.",
        )
    if isinstance(error, SSLError):
        hint = "The TLS connection failed: check --ca-bundle, and the proxy."
    else:
        hint = f"Check the way to AWS in {region}: DNS, proxy (HTTPS_PROXY), VPC endpoints, network policy."
    return BackendUnavailable(f"{start}no answer ({kind}).", hint=hint)
