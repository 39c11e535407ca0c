"""What Google Cloud answers instead of content, in the house's errors: what failed, as whom, and what to grant."""

import re
from typing import Any, Final

from sscsi_provider_gcp.identity import GcpIdentity
from sscsi_provider_gcp.resources import Kind, Resource
from sscsi_shared.errors import (
    AccessDenied,
    AuthenticationFailed,
    BackendThrottled,
    BackendUnavailable,
    MountError,
    ObjectError,
    ObjectNotFound,
    ObjectUnusable,
    clip,
)
from sscsi_shared.http import Answer
from sscsi_shared.object_fields import MAX_LIMIT

WRAPPED: Final = "unable to obtain auth for mount: unable to obtain workload identity auth: "
"""How the existing provider begins every failed login of a pod; alerts look for it."""
_TIMES: Final = re.compile(r"expired|not valid yet|not yet valid|in the future|\b(?:exp|nbf|iat)\b", re.IGNORECASE)
_TLS: Final = re.compile(r"certificate|handshake|hostname verification", re.IGNORECASE)
_LIMITED: Final = "Google limits logins; the next try comes by itself."
_BROKEN: Final = "Google is failing; the next try comes by itself."
_ROLES: Final = {
    Kind.SECRET: ("secrets", "roles/secretmanager.secretAccessor"),
    Kind.PARAMETER: ("parameter-manager parameters", "roles/parametermanager.parameterAccessor"),
}


def exchange_error(answer: Answer, identity: GcpIdentity) -> MountError:
    """The error of the token exchange, with the words that came back (RFC 6749 section 5.2, or Google's own form)."""
    code, said = _said(answer)
    text = f"{WRAPPED}unable to fetch identitybindingtoken: could not get idbindtoken token, status: {answer.status}"
    text += f": {said}." if said else "."
    if answer.status == 429:
        return BackendThrottled(text, hint=_LIMITED, retry_after=answer.retry_after)
    if answer.status >= 500:
        return BackendUnavailable(text, hint=_BROKEN, retry_after=answer.retry_after)
    subject = f"system:serviceaccount:{identity.namespace}:{identity.service_account}"
    if code == "invalid_target" or answer.status == 404:
        hint = f"There is no such pool or provider: {clip(identity.exchange, 256)}."
    elif code == "invalid_grant":
        issuer, audience = clip(identity.issuer, 128), clip(identity.audience, 128)
        hint = f"{clip(identity.exchange, 256)} does not take a token of issuer {issuer} and audience {audience}"
        hint += "; compare the node's clock." if _TIMES.search(said) else "."
    elif code == "unauthorized_client":
        hint = f"The provider's attribute condition refuses {subject}."
    else:
        hint = f"Asked for {subject} at {clip(identity.exchange, 256)}."
    return AuthenticationFailed(text, hint=hint)


def impersonation_error(answer: Answer, identity: GcpIdentity) -> MountError:
    """The error of generateAccessToken."""
    _, said = _said(answer)
    text = (
        f"{WRAPPED}unable to fetch gcp service account token: {identity.target}: {said or f'status {answer.status}'}."
    )
    if answer.status == 429:
        return BackendThrottled(text, hint=_LIMITED, retry_after=answer.retry_after)
    if answer.status >= 500:
        return BackendUnavailable(text, hint=_BROKEN, retry_after=answer.retry_after)
    if answer.status == 404:
        return AuthenticationFailed(text, hint=f"There is no service account {identity.target}.")
    first = identity.delegates[0] if identity.delegates else identity.target
    role = "roles/iam.serviceAccountTokenCreator" if identity.delegates else "roles/iam.workloadIdentityUser"
    hint = f'gcloud iam service-accounts add-iam-policy-binding {first} --role={role} --member="{identity.member}"'
    return AuthenticationFailed(text, hint=hint)


def no_answer(who: str, why: str) -> BackendUnavailable:
    """A login that got no answer."""
    return BackendUnavailable(
        f"{WRAPPED}{who}: no answer: {clip(why, 200)}.",
        hint="Check the way to Google's APIs: DNS, proxy (HTTPS_PROXY), firewall, network policy.",
    )


def object_error(error: Exception, resource: Resource, identity: GcpIdentity) -> MountError:
    """The error of a read.

    Args:
        error: what google-api-core raised.
        resource: what was asked for.
        identity: as whom.

    Returns:
        An ObjectError, or AuthenticationFailed where the token itself was refused.
    """
    code, said = _grpc(error)
    text = f"{resource.name}: rpc error: code = {code} desc = {said}"
    if code == "NotFound":
        return ObjectNotFound(text, hint="Check project, name, version and location.")
    if code == "PermissionDenied":
        return AccessDenied(text, hint=_grant(resource, identity))
    if code == "Unauthenticated":
        return AuthenticationFailed(text, hint=f"Google does not take the token of {identity.acting}.")
    if code == "ResourceExhausted":
        return BackendThrottled(
            text, hint="The project's quota is used up; the next try comes by itself.", retry_after=_retry_after(error)
        )
    if code == "FailedPrecondition":
        return ObjectUnusable(text, hint="Enable the version, or ask for another one.")
    if code in {"InvalidArgument", "OutOfRange", "Unimplemented", "AlreadyExists"}:
        return ObjectUnusable(text, hint="Google refused the request itself.")
    if code == "DeadlineExceeded":
        text = f"{resource.name}: no answer (rpc error: code = {code})."
    if _TLS.search(said):
        hint = "The TLS connection failed: check the certificate's authority (--ca-bundle), its name, and the proxy."
        return BackendUnavailable(text, hint=hint)
    host = f" in {resource.location}" if resource.location else ""
    return BackendUnavailable(text, hint=f"Check the way to {resource.kind.value}{host}; the next try comes by itself.")


def damaged(resource: Resource) -> ObjectError:
    """A payload whose checksum is another."""
    return BackendUnavailable(
        f"{resource.name}: the content's CRC32C is not the one that {resource.kind.value} says.",
        hint="It was damaged on the way; the next try comes by itself.",
    )


def unreadable(resource: Resource) -> ObjectError:
    """An answer that is none of Google's: its message or its status can't be read."""
    return BackendUnavailable(
        f"{resource.name}: the answer can't be read.",
        hint=f"Does something stand between this node and {resource.kind.value}?",
    )


def too_many(shown: str, limit: int) -> ObjectUnusable:
    """A selection that finds more than it may."""
    return ObjectUnusable(
        f"{shown} finds more than {limit} secrets.", hint=f"Narrow it, or raise select.limit ({MAX_LIMIT} at most)."
    )


def none_found(shown: str, parent: str) -> ObjectNotFound:
    """A selection that finds none."""
    return ObjectNotFound(f"{shown} finds no secret in {parent}.", hint="`optional: true` lets the pod start without.")


def _grant(resource: Resource, identity: GcpIdentity) -> str:
    group, role = _ROLES[resource.kind]
    name = resource.name.rpartition("/versions/")[0].rpartition("/")[2]
    where = f" --location={resource.location}" if resource.location else ""
    member = f'"{identity.acting}"' if ":" in identity.acting else f"({identity.acting})"
    return (
        f"gcloud {group} add-iam-policy-binding {name} --project={resource.project}{where} --role={role} "
        f"--member={member}"
    )


def _said(answer: Answer) -> tuple[str, str]:
    """Code and sentence of an answer: RFC 6749's, or Google's `{"error": {"code", "message", "status"}}`."""
    document = answer.document()
    error: Any = document.get("error")
    if isinstance(error, dict):
        status, message = str(error.get("status", "")), str(error.get("message", ""))
        return status, clip(f"{status}: {message}" if status else message, 256).rstrip(".")
    if isinstance(error, str):
        description = document.get("error_description")
        return error, clip(f"{error}: {description}" if isinstance(description, str) else error, 256).rstrip(".")
    return "", ""


def _grpc(error: Exception) -> tuple[str, str]:
    """A status in Go's words: code without underscores, message on one line."""
    status = getattr(error, "grpc_status_code", None)
    name = getattr(status, "name", "UNKNOWN")
    code = "".join(part.capitalize() for part in name.split("_"))
    message = getattr(error, "message", "") or type(error).__name__
    return code, clip(str(message), 400)


def _retry_after(error: Exception) -> float | None:
    """Seconds of a google.rpc.RetryInfo among the status's details."""
    for detail in getattr(error, "details", None) or ():
        delay = getattr(detail, "retry_delay", None)
        if delay is not None:
            seconds = getattr(delay, "seconds", 0) + getattr(delay, "nanos", 0) / 1e9
            return float(seconds)
    return None


def outcome_of(error: Exception | None) -> str:
    """The metric's word for one request: ok, or the code."""
    return "ok" if error is None else _grpc(error)[0]
