"""How Entra refuses: AADSTS codes, and the shape and words of its answers."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from sscsi_emulators.every_host import Answer, Request

_DOCUMENT: Final = "https://learn.microsoft.com/entra"
_CHECK: Final = (
    "Check your federated identity credential Subject, Audience and Issuer against the presented assertion. "
    f"{_DOCUMENT}/workload-id/workload-identity-federation"
)
_UNMATCHED: Final = "No matching federated identity record found for presented assertion"
_ELSEWHERE: Final = (
    "This can happen if the application has not been installed by the administrator of the tenant or consented to by "
    "any user in the tenant. You may have sent your authentication request to the wrong tenant."
)
_REFUSALS: Final[Mapping[int, tuple[int, str]]] = {
    50013: (401, "invalid_client"),
    50049: (400, "invalid_instance"),
    50166: (400, "invalid_request"),
    53003: (400, "invalid_grant"),
    70003: (400, "unsupported_grant_type"),
    70021: (400, "invalid_request"),
    90002: (400, "invalid_request"),
    500011: (400, "invalid_resource"),
    700016: (400, "unauthorized_client"),
    700024: (401, "invalid_client"),
    700211: (401, "invalid_client"),
    700212: (401, "invalid_client"),
    700213: (401, "invalid_client"),
    900144: (400, "invalid_request"),
    1002012: (400, "invalid_scope"),
    7000112: (401, "unauthorized_client"),
    7000215: (401, "invalid_client"),
    7000222: (401, "invalid_client"),
}
_TEXTS: Final[Mapping[int, str]] = {
    50013: "Assertion failed signature validation. [Reason - {said}]",
    50049: "Unknown or invalid instance.",
    50166: "Request to External OIDC endpoint failed.",
    53003: "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
    70003: "The app requested an unsupported grant type '{said}'.",
    70021: f"{_UNMATCHED}. Assertion Issuer: '{{iss}}'. Assertion Subject: '{{sub}}'. Assertion Audience: '{{aud}}'.",
    90002: "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the "
    "correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions "
    "for the tenant.",
    500011: f"The resource principal named {{said}} was not found in the tenant named {{tenant}}. {_ELSEWHERE}",
    700016: f"Application with identifier '{{client}}' was not found in the directory '{{tenant}}'. {_ELSEWHERE}",
    700024: "Client assertion is not within its valid time range. Current time: {now}, assertion valid from {nbf}, "
    "expiry time of assertion {exp}. Review the documentation at "
    f"{_DOCUMENT}/identity-platform/certificate-credentials .",
    700211: f"{_UNMATCHED} issuer '{{iss}}'. {_CHECK}",
    700212: f"{_UNMATCHED} audience '{{aud}}'. {_CHECK}",
    700213: f"{_UNMATCHED} subject '{{sub}}'. {_CHECK}",
    900144: "The request body must contain the following parameter: '{said}'.",
    1002012: "The provided value for scope {said} is not valid. Client credential flows must have a scope value with "
    "/.default suffixed to the resource identifier (application ID URI).",
    7000112: "Application '{client}'({client}) is disabled.",
    7000215: "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
    "not the client secret ID, for a secret added to app '{client}'.",
    7000222: "The provided client secret keys for app '{client}' are expired. Visit the Azure portal to create new "
    "keys for your app: https://aka.ms/NewClientSecret",
}


class Refusal(Exception):
    """No token is given.

    Attributes:
        code: of AADSTS.
        words: that its text has in it: iss, sub, aud, said.
    """

    def __init__(self, code: int, **words: object) -> None:
        super().__init__(code)
        self.code: Final = code
        self.words: Final = words


def aadsts(code: int, request: Request, now: float, words: Mapping[str, object], error: str = "") -> Answer:
    """A refusal as Entra words it: no two are the same.

    Args:
        code: of AADSTS.
        request: that is refused.
        now: seconds since 1970.
        words: for the text.
        error: of OAuth, if not the usual one.
    """
    status, usual = _REFUSALS[code]
    trace = str(uuid.uuid4())
    correlation = request.headers.get("client-request-id") or str(uuid.uuid4())
    at = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    said = _TEXTS[code].format_map(words)
    body = {
        "error": error or usual,
        "error_description": f"AADSTS{code}: {said} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {at}",
        "error_codes": [code],
        "timestamp": at,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"https://{request.host}/error?code={code}",
    }
    return Answer(status, body, {"x-ms-request-id": trace, "Cache-Control": "no-store"})


def iso(seconds: float) -> str:
    """A time as these texts have it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.0000000Z")
