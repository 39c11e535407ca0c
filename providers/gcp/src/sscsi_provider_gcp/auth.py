"""Log in: a pod's token becomes an access token of Google's (token exchange, IAM Service Account Credentials)."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from sscsi_provider_gcp.channels import UNIVERSE
from sscsi_provider_gcp.errors import exchange_error, impersonation_error, no_answer
from sscsi_provider_gcp.identity import GcpIdentity
from sscsi_provider_gcp.metrics import counted
from sscsi_shared.deadline import Clock, Deadline, Instant
from sscsi_shared.errors import AuthenticationFailed
from sscsi_shared.http import Answer, HttpClient, HttpFailed
from sscsi_shared.secret import SecretText

SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
EXCHANGE: Final = "https://securetoken.{universe}/v1/identitybindingtoken"
"""The token exchange of GKE and fleets (GAIA_TOKEN_EXCHANGE_ENDPOINT names another)."""
POOLS_EXCHANGE: Final = "https://sts.{universe}/v1/token"
"""The token exchange of other workload identity pools (Security Token Service, v1.token)."""
IAM: Final = "https://iamcredentials.{universe}"
_UNSAID_SECONDS: Final = 300.0
_ATTEMPT_SECONDS: Final = 4.0
_TRIES: Final = 2


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What Google's services take.

    Attributes:
        token: opaque.
        expires_at: when it ends.
    """

    token: SecretText
    expires_at: Instant


class TokenService:
    """Exchanges tokens.

    Args:
        exchange: URL of the token exchange; empty = Google's own for the pool.
        iam: address of IAM Service Account Credentials; empty = Google's own.
        ca_bundle: PEM file of authorities; None = the system's.
        now: seconds since 1970.
        universe: the domain of Google's own addresses.
    """

    def __init__(
        self, exchange: str, iam: str, ca_bundle: Path | None, now: Clock = time.time, universe: str = UNIVERSE
    ) -> None:
        self._exchange = exchange
        self._universe = universe
        self.iam: Final = iam or IAM.format(universe=universe)
        self._ca_bundle = ca_bundle
        self._now = now
        self._clients: dict[str, HttpClient] = {}

    def login(self, identity: GcpIdentity, token: SecretText, deadline: Deadline) -> AccessToken:
        """The access token of the identity: the federated one, or of the Google service account that it acts as.

        Raises:
            AuthenticationFailed: Google refuses; the message says who was refused and what to grant.
            BackendThrottled: too many calls.
            BackendUnavailable: no answer, or a broken one.
        """
        federated = self._federated(identity, token, deadline)
        return self._impersonated(identity, federated.token, deadline) if identity.target else federated

    def exchange_of(self, audience: str) -> str:
        """URL of the token exchange for an audience."""
        own = EXCHANGE if audience.startswith("identitynamespace:") else POOLS_EXCHANGE
        return self._exchange or own.format(universe=self._universe)

    def _federated(self, identity: GcpIdentity, token: SecretText, deadline: Deadline) -> AccessToken:
        """Token exchange (RFC 8693), with the keys and the JSON that the existing provider sends."""
        url = self.exchange_of(identity.exchange)
        body = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "subject_token": token.reveal(),
            "audience": identity.exchange,
            "scope": SCOPE,
        }
        answer = self._post(url, {}, body, deadline, "sts.Token")
        if answer.status != 200:
            raise exchange_error(answer, identity)
        said = answer.document()
        found, seconds = said.get("access_token"), said.get("expires_in", _UNSAID_SECONDS)
        if not isinstance(found, str) or not found or not isinstance(seconds, int | float):
            raise no_answer("The token exchange", "its answer has no token")
        return AccessToken(SecretText(found), self._now() + seconds)

    def _impersonated(self, identity: GcpIdentity, federated: SecretText, deadline: Deadline) -> AccessToken:
        url = f"{self.iam}/v1/projects/-/serviceAccounts/{identity.target}:generateAccessToken"
        body: dict[str, Any] = {"scope": [SCOPE]}
        if identity.delegates:
            body["delegates"] = [f"projects/-/serviceAccounts/{one}" for one in identity.delegates]
        headers = {"Authorization": f"Bearer {federated.reveal()}"}
        answer = self._post(url, headers, body, deadline, "iam.GenerateAccessToken")
        if answer.status != 200:
            raise impersonation_error(answer, identity)
        said = answer.document()
        found, ends = said.get("accessToken"), said.get("expireTime")
        if not isinstance(found, str) or not found:
            raise no_answer("IAM Service Account Credentials", "its answer has no token")
        return AccessToken(SecretText(found), _instant(ends) or self._now() + _UNSAID_SECONDS)

    def _post(self, url: str, headers: Mapping[str, str], body: object, deadline: Deadline, operation: str) -> Answer:
        """Send it, and once more where there was no answer, or one that says 5xx."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        client = self._clients.get(origin) or self._clients.setdefault(origin, HttpClient(origin, self._ca_bundle))
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        for last in (False,) * (_TRIES - 1) + (True,):
            with counted(operation) as outcome:
                try:
                    answer = client.request(
                        "POST", path, headers=headers, body=body, deadline=deadline.within(_ATTEMPT_SECONDS)
                    )
                except HttpFailed as error:
                    outcome.word = "no answer"
                    if last or deadline.expired:
                        who = "The token exchange" if operation == "sts.Token" else "IAM"
                        raise no_answer(who, str(error)) from error
                    continue
                outcome.word = str(answer.status)
            if answer.status < 500 or last or deadline.expired:
                return answer
        raise AssertionError("the last try returns or raises")


def delegates_of(annotation: str) -> tuple[str, ...]:
    """Addresses in `iam.gke.io/gcp-service-account-delegates`, a JSON list.

    Raises:
        AuthenticationFailed: it is none.
    """
    import json

    try:
        found = json.loads(annotation) if annotation else []
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise AuthenticationFailed(
            "unable to parse delegates annotation on SA: it is not a JSON list of texts.",
            hint='iam.gke.io/gcp-service-account-delegates looks like ["a@p.iam.gserviceaccount.com"].',
        )
    return tuple(found)


def _instant(text: object) -> Instant | None:
    """An RFC 3339 time in seconds since 1970; None if it is none."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo else None
