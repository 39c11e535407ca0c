"""The service account's tokens that came with the request, and what they must prove before anything is asked.

The claims are read, not verified: the backend checks the signature. What the proof buys is that a request can't ask
a cache for what another service account has fetched (design, section 4).
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NoReturn, Protocol

from sscsi_shared.deadline import Instant
from sscsi_shared.errors import AuthenticationFailed, clip
from sscsi_shared.secret import SecretText

MAX_TOKENS_BYTES: Final = 1 << 20
MAX_TOKEN_CHARS: Final = 64 << 10
MAX_AUDIENCES: Final = 100
MIN_LIFETIME_SECONDS: Final = 30

_MAX_INSTANT: Final = 1e12
_MAX_SHOWN_BYTES: Final = 200
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+")
_CONFIGURE: Final = "ensure tokenRequests is configured in CSIDriver"


class Holder(Protocol):
    """Whom a token must belong to: a PodInfo, or anything with these three."""

    @property
    def namespace(self) -> str:
        """The pod's namespace."""

    @property
    def service_account(self) -> str:
        """Name of the pod's service account."""

    @property
    def uid(self) -> str:
        """The pod's uid."""


@dataclass(frozen=True, slots=True)
class ServiceAccountToken:
    """One token of kubelet's TokenRequest.

    Attributes:
        token: the JWT.
        expires_at: its end as kubelet said; None if unsaid.
    """

    token: SecretText
    expires_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class ServiceAccountTokens:
    """The tokens by audience.

    Attributes:
        by_audience: what could be read.
        present: tells an absent attribute from one that holds no token.
        problem: why the attribute can't be read; empty if it can.
    """

    by_audience: Mapping[str, ServiceAccountToken]
    present: bool = True
    problem: str = ""

    def find(self, audience: str) -> ServiceAccountToken | None:
        """The token for `audience`, or None where there is no such entry, or one without a token."""
        found = self.by_audience.get(audience)
        return found if found and len(found.token) else None

    def for_audience(self, audience: str, *, context: str = "") -> ServiceAccountToken:
        """The token for `audience`.

        Args:
            audience: as tokenRequests spells it.
            context: the beginning of the message where this audience is missing: `IRSA token extraction failed`.

        Raises:
            AuthenticationFailed: there is none; the texts begin as the AWS provider's.
        """
        start = f"{context}: " if context else ""
        request = f"spec.tokenRequests: [{{audience: {json.dumps(clip(audience, _MAX_SHOWN_BYTES))}}}]"
        if self.problem:
            raise AuthenticationFailed(
                f"CSI token error: failed to parse serviceAccount.tokens: {self.problem} - {_CONFIGURE} spec."
            )
        if not self.present or not self.by_audience:
            raise AuthenticationFailed(
                f"CSI token error: serviceAccount.tokens not provided - {_CONFIGURE} - {_CONFIGURE} spec.",
                hint=f"The CSIDriver object needs {request}.",
            )
        found = self.by_audience.get(audience)
        if found is None:
            named = ", ".join(clip(name, 64) for name in sorted(self.by_audience)[:10])
            raise AuthenticationFailed(
                f'{start}token for audience "{clip(audience, _MAX_SHOWN_BYTES)}" not found'
                " - ensure tokenRequests includes this audience in CSIDriver.",
                hint=f"The CSIDriver object needs {request}; the request has tokens for: {named}.",
            )
        if not len(found.token):
            raise AuthenticationFailed(
                f'{start}token for audience "{clip(audience, _MAX_SHOWN_BYTES)}" is empty.',
                hint="The token comes from kubelet; look at its log.",
            )
        return found


ABSENT: Final = ServiceAccountTokens({}, present=False)


def read_tokens(text: str | None) -> ServiceAccountTokens:
    """Read the attribute `csi.storage.k8s.io/serviceAccount.tokens`; None where there is none.

    It is JSON, `{"<audience>": {"token": "<JWT>", "expirationTimestamp": "<RFC 3339>"}}` (CSIDriver tokenRequests).
    A mistake in it is no error yet, since a provider may not need it: `for_audience` raises it.
    """
    if text is None:
        return ABSENT
    if not text:
        return ServiceAccountTokens({})
    if len(text) > MAX_TOKENS_BYTES:
        return ServiceAccountTokens({}, problem=f"it is longer than {MAX_TOKENS_BYTES} characters")
    try:
        document = _json(text)
    except ValueError:
        return ServiceAccountTokens({}, problem="it is not JSON")
    if not isinstance(document, dict):
        return ServiceAccountTokens({}, problem="it is not a JSON object")
    if len(document) > MAX_AUDIENCES:
        return ServiceAccountTokens({}, problem=f"it has more than {MAX_AUDIENCES} audiences")
    tokens: dict[str, ServiceAccountToken] = {}
    for audience, entry in document.items():
        token = entry.get("token", "") if isinstance(entry, dict) else None
        if not isinstance(token, str):
            shown = clip(audience, 64)
            return ServiceAccountTokens({}, problem=f'the entry "{shown}" is not an object with a text `token`')
        tokens[audience] = ServiceAccountToken(SecretText(token), _instant(entry.get("expirationTimestamp")))
    return ServiceAccountTokens(tokens)


@dataclass(frozen=True, slots=True)
class Proof:
    """What a token that fits its request says of itself.

    Attributes:
        issuer: the claim `iss`; empty if it has none.
        expires_at: when the token ends.
        account_uid: the service account's uid (`kubernetes.io`.serviceaccount.uid); empty if it has none.
    """

    issuer: str
    expires_at: Instant
    account_uid: str = ""


def prove(
    token: ServiceAccountToken | SecretText, *, pod: Holder, audience: str, now: Instant, context: str = ""
) -> Proof:
    """Check that the token's claims are those of the pod that the request speaks of.

    `sub` is the pod's service account, `aud` holds the audience, `exp` is at least 30 s ahead, and a pod uid claim
    (`kubernetes.io`.pod.uid, of a token bound to a pod) is the pod's. An opaque token shows no claims: it is refused.

    Args:
        token: the JWT.
        pod: whom the request says it is for.
        audience: what the backend will expect.
        now: seconds since 1970.
        context: the beginning of the message, without a colon.

    Returns:
        What the token says of itself.

    Raises:
        AuthenticationFailed: a claim is missing or wrong; the message says which, what was expected and what was found.
    """
    start = f"{context}: the" if context else "The"
    claims = _claims(token if isinstance(token, SecretText) else token.token, start)

    if not pod.namespace or not pod.service_account:
        raise AuthenticationFailed(
            f"{start} request does not say which service account its token is of.",
            hint="The CSIDriver object needs spec.podInfoOnMount: true.",
        )
    subject = f"system:serviceaccount:{pod.namespace}:{pod.service_account}"
    if claims.get("sub") != subject:
        raise _mismatch(start, "sub", subject, claims.get("sub"), "The token is of another service account.")
    audiences = claims.get("aud")
    if audience not in (audiences if isinstance(audiences, list) else [audiences]):
        raise _mismatch(start, "aud", audience, audiences, "Check spec.tokenRequests of the CSIDriver object.")
    bound = claims.get("kubernetes.io")
    bound_pod = bound.get("pod") if isinstance(bound, dict) else None
    if isinstance(bound_pod, dict) and "uid" in bound_pod and bound_pod["uid"] != pod.uid:
        raise _mismatch(start, "kubernetes.io.pod.uid", pod.uid, bound_pod["uid"], "The token is bound to another pod.")

    ends = claims.get("exp")
    if isinstance(ends, bool) or not isinstance(ends, int | float) or not 0 <= ends <= _MAX_INSTANT:
        raise AuthenticationFailed(f"{start} service account token has no claim `exp` that is a time.")
    if ends - now < MIN_LIFETIME_SECONDS:
        raise AuthenticationFailed(
            f"{start} service account token has expired or ends within {MIN_LIFETIME_SECONDS} s (claim `exp`).",
            hint="Kubelet sends a new one with the next try; if this stays, compare the clocks of node and API server.",
        )
    account = bound.get("serviceaccount") if isinstance(bound, dict) else None
    uid = account.get("uid") if isinstance(account, dict) else None
    issuer = claims.get("iss")
    return Proof(
        issuer if isinstance(issuer, str) else "", float(ends), account_uid=uid if isinstance(uid, str) else ""
    )


def audiences_of(token: SecretText) -> tuple[str, ...]:
    """Whom a token says that it is for.

    Raises:
        AuthenticationFailed: it says nobody.
    """
    found = _claims(token, "The").get("aud")
    named = tuple(one for one in (found if isinstance(found, list) else [found]) if isinstance(one, str))
    if not named:
        raise AuthenticationFailed("The service account token has no claim `aud`.")
    return named


def _claims(token: SecretText, start: str) -> dict[str, Any]:
    """The claims of a JWT, unverified (RFC 7519 section 7.2, steps 1 to 10 without the signature)."""
    text = token.reveal()
    if len(text) > MAX_TOKEN_CHARS:
        raise AuthenticationFailed(f"{start} service account token is longer than {MAX_TOKEN_CHARS} characters.")
    parts = text.split(".")
    if len(parts) != 3 or not all(_BASE64URL.fullmatch(part) for part in parts):
        raise AuthenticationFailed(
            f"{start} service account token is not a JWT, so it can't prove whose it is.",
            hint="Tokens of spec.tokenRequests are JWTs; opaque tokens are refused.",
        )
    try:
        claims = _json(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)).decode())
    except (ValueError, binascii.Error):
        # `from None`: the cause holds the token.
        raise AuthenticationFailed(f"{start} service account token has claims that can't be read.") from None
    if not isinstance(claims, dict):
        raise AuthenticationFailed(f"{start} service account token has claims that can't be read.")
    return claims


def _mismatch(start: str, claim: str, expected: str, found: object, hint: str) -> AuthenticationFailed:
    return AuthenticationFailed(
        f"{start} service account token has the claim `{claim}` {_shown(found)}, but {_shown(expected)} was expected.",
        hint=hint,
    )


def _shown(claim: object) -> str:
    """A claim in a message. Claims are no secrets, but strangers may write them: text or a list of texts, cut."""
    if claim is None:
        return "(missing)"
    if isinstance(claim, str):
        return json.dumps(clip(claim, _MAX_SHOWN_BYTES))
    if isinstance(claim, list) and all(isinstance(item, str) for item in claim[:5]):
        return "[" + ", ".join(json.dumps(clip(item, 64)) for item in claim[:5]) + (", …]" if claim[5:] else "]")
    return "(not text)"


def _instant(text: object) -> Instant | None:
    """An RFC 3339 time in seconds since 1970; None if it is none."""
    if not isinstance(text, str) or len(text) > 64:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.timestamp() if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _json(text: str) -> object:
    """The JSON document in `text`; every failure is a ValueError."""
    try:
        document: object = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return document


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")
