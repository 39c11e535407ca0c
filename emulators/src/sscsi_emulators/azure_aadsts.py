"""How Entra refuses: AADSTS codes, and the shape and words of its answers."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from sscsi_emulators.every_host import Answer, Request

_UNMATCHED: Final = "No matching federated identity record found for presented assertion"
_CHECK: Final = (
    "Check your federated identity credential Subject, Audience and Issuer against the presented assertion. "
    "https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
)
_ELSEWHERE: Final = (
    "This can happen if the application has not been installed by the administrator of the tenant or consented to by "
    "any user in the tenant. You may have sent your authentication request to the wrong tenant."
)
_ERRORS: Final[Mapping[int, str]] = {
    50049: "invalid_instance",
    50166: "invalid_request",
    53003: "invalid_grant",
    70003: "unsupported_grant_type",
    70021: "invalid_request",
    90002: "invalid_request",
    500011: "invalid_resource",
    700016: "unauthorized_client",
    900144: "invalid_request",
    1002012: "invalid_scope",
    7000112: "unauthorized_client",
}
"""OAuth's word for a code; for the others it is invalid_client, which is a 401 (RFC 6749, section 5.2)."""
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
    "expiry time of assertion {exp}.",
    700211: f"{_UNMATCHED} issuer '{{iss}}'. {_CHECK}",
    700212: f"{_UNMATCHED} audience '{{aud}}'. {_CHECK}",
    700213: f"{_UNMATCHED} subject '{{sub}}'. {_CHECK}",
    900144: "The request body must contain the following parameter: '{said}'.",
    1002012: "The provided value for scope {said} is not valid. Client credential flows must have a scope value with "
    "/.default suffixed to the resource identifier (application ID URI).",
    7000112: "Application '{client}'({client}) is disabled.",
    7000215: "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
    "not the client secret ID, for a secret added to app '{client}'.",
    7000216: "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
    7000222: "The provided client secret keys for app '{client}' are expired.",
}


class Refusal(Exception):
    """No token is given.

    Attributes:
        code: of AADSTS.
        words: that its text needs: iss, sub, aud, said, now, nbf, exp.
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
        error: OAuth's, if not the usual one.
    """
    error = error or _ERRORS.get(code, "invalid_client")
    trace = str(uuid.uuid4())
    correlation = request.headers.get("client-request-id") or str(uuid.uuid4())
    at = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M:%SZ}"
    said = _TEXTS[code].format_map(words)
    body = {
        "error": error,
        "error_description": f"AADSTS{code}: {said} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {at}",
        "error_codes": [code],
        "timestamp": at,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"https://{request.host}/error?code={code}",
    }
    headers = {"x-ms-request-id": trace, "Cache-Control": "no-store, no-cache"}
    return Answer(401 if error == "invalid_client" else 400, body, headers)
