"""`key.json` of a referenced Secret, and the operator's own file: credentials as a file.

Only kinds that hold their own proof are taken: an `external_account` file names local files to read and addresses to
post them to, so whoever may write a Secret could read the provider's files (google-auth, "validate credential
configurations from external sources").
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import urllib3

from sscsi_provider_gcp.auth import SCOPE, AccessToken
from sscsi_provider_gcp.channels import UNIVERSE
from sscsi_provider_gcp.errors import no_answer
from sscsi_shared.daemon.metrics import backend_call
from sscsi_shared.deadline import Clock, Deadline
from sscsi_shared.errors import AuthenticationFailed, BackendThrottled, BackendUnavailable, clip
from sscsi_shared.http import CONNECT_SECONDS, MAX_ANSWER_BYTES, pool_for
from sscsi_shared.secret import SecretText
from sscsi_shared.timed_sockets import until

ENTRY: Final = "key.json"
KINDS: Final = ("service_account", "authorized_user")
TOKEN_URLS: Final = ("https://oauth2.googleapis.com/token", "https://accounts.google.com/o/oauth2/token")
_MAX_BYTES: Final = 64 << 10
_READ_SECONDS: Final = 4.0
_TOO_MANY: Final = 429
_BROKEN: Final = 500
_GRANT: Final = "unable to generate credentials from key.json: "


class KeyFiles:
    """Logs in with credentials in a file.

    Args:
        token_urls: where a file may send its proof.
        ca_bundle: PEM file of authorities; None = the system's.
        now: seconds since 1970.
        universe: the domain of Google's own addresses; a key of another is refused.
    """

    def __init__(
        self,
        token_urls: tuple[str, ...] = TOKEN_URLS,
        ca_bundle: Path | None = None,
        now: Clock = time.time,
        universe: str = UNIVERSE,
    ) -> None:
        own = f"https://oauth2.{universe}/token"
        self._token_urls = token_urls if universe == UNIVERSE else (own, *token_urls)
        self._universe = universe
        self._ca_bundle = ca_bundle
        self._now = now

    def login(self, key: SecretText, deadline: Deadline) -> AccessToken:
        """The access token of a key.

        Raises:
            AuthenticationFailed: the file is no such key, or Google refuses it.
            BackendThrottled: too many calls.
            BackendUnavailable: no answer, or one that says 5xx.
        """
        info = self._checked(key)
        credentials = _credentials(info)
        asking = _Asking(deadline, self._ca_bundle)
        from google.auth import exceptions

        try:
            credentials.refresh(asking)
        except exceptions.TransportError as error:
            backend_call("oauth2.Token", "no answer")
            raise no_answer("The token endpoint", type(error.__cause__ or error).__name__) from None
        except exceptions.GoogleAuthError as error:
            backend_call("oauth2.Token", "refused")
            if asking.status == _TOO_MANY or asking.status >= _BROKEN:
                kind = BackendThrottled if asking.status == _TOO_MANY else BackendUnavailable
                raise kind(f"{_GRANT}the token endpoint answers {asking.status}.") from None
            raise AuthenticationFailed(
                f"{_GRANT}{_told(error)}", hint="Check that the key is not deleted and the account not disabled."
            ) from None
        except (ValueError, TypeError):
            raise AuthenticationFailed(f"{_GRANT}its private key can't be used.") from None
        if asking.status:  # in other universes a key signs its access token itself (AIP-4111)
            backend_call("oauth2.Token", "ok")
        lasts = (credentials.expiry - _utc_naive(self._now())).total_seconds() if credentials.expiry else 300.0
        return AccessToken(SecretText(str(credentials.token)), self._now() + lasts)

    def _checked(self, key: SecretText) -> dict[str, Any]:
        text = key.reveal()
        try:
            info = json.loads(text) if len(text) <= _MAX_BYTES else None
        except (ValueError, RecursionError):
            info = None
        if not isinstance(info, dict):
            raise AuthenticationFailed(f"{_GRANT}it is not a JSON object.")
        kind = info.get("type")
        if kind not in KINDS:
            shown = clip(kind, 64) if isinstance(kind, str) else "(missing)"
            raise AuthenticationFailed(
                f"{_GRANT}its type is {shown}; only {' and '.join(KINDS)} are taken.",
                hint="Other kinds can make the provider read its own files and send them anywhere.",
            )
        universe = info["universe_domain"] = info.get("universe_domain") or UNIVERSE
        if universe != self._universe:
            shown = clip(universe, 64) if isinstance(universe, str) else "no text"
            raise AuthenticationFailed(
                f"{_GRANT}its universe_domain is {shown}, but this provider asks {self._universe}.",
                hint=f"An operator can run a provider for it with --universe-domain={shown}.",
            )
        if universe != UNIVERSE and kind != KINDS[0]:
            raise AuthenticationFailed(f"{_GRANT}a key of type {kind} is of {UNIVERSE} alone, not of {self._universe}.")
        url = info.setdefault("token_uri", self._token_urls[0])
        if url not in self._token_urls:
            raise AuthenticationFailed(
                f"{_GRANT}its token_uri is not one of Google's.",
                hint="An operator can allow another one with --allowed-token-urls.",
            )
        return info


def _credentials(info: Mapping[str, Any]) -> Any:
    """google-auth's credentials.

    Raises:
        AuthenticationFailed: a field is missing or wrong.
    """
    from google.oauth2 import credentials, service_account

    try:
        if info["type"] == KINDS[0]:
            made: Any = service_account.Credentials.from_service_account_info(info, scopes=[SCOPE])  # type: ignore[no-untyped-call]
            return made
        return credentials.Credentials.from_authorized_user_info(info, scopes=[SCOPE])  # type: ignore[no-untyped-call]
    except Exception:  # noqa: BLE001  # whatever a library says of a key may quote it
        raise AuthenticationFailed(f"{_GRANT}a field is missing, or its private key can't be read.") from None


class _Asking:
    """google-auth's transport: POSTs within the deadline, no redirect, answers bounded.

    Attributes:
        status: of the last answer; 0 = there was none.
    """

    def __init__(self, deadline: Deadline, ca_bundle: Path | None) -> None:
        self._deadline = deadline
        self._ca_bundle = ca_bundle
        self.status = 0

    def __call__(
        self, url: str, method: str = "GET", body: Any = None, headers: Any = None, timeout: Any = None, **_: Any
    ) -> Any:
        from google.auth import exceptions

        del timeout
        limit = urllib3.Timeout(
            connect=max(0.001, self._deadline.at_most(CONNECT_SECONDS)),
            read=max(0.001, self._deadline.at_most(_READ_SECONDS)),
        )
        self.status = 0
        try:
            with until(self._deadline, _READ_SECONDS):
                answer = pool_for(url, self._ca_bundle).request(
                    method, url, body=body, headers=headers, timeout=limit, redirect=False, preload_content=False
                )
                self.status = answer.status
                return _Answer(answer.status, answer.headers, answer.read(MAX_ANSWER_BYTES))
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise exceptions.TransportError(type(error).__name__) from error  # type: ignore[no-untyped-call]


class _Answer:
    def __init__(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        self.status = status
        self.headers = headers
        self.data = data


def _told(error: Exception) -> str:
    """Google's own words: `invalid_grant: Account not found.`; never what was sent."""
    text = str(error.args[0]) if error.args else type(error).__name__
    return clip(text, 256)


def _utc_naive(seconds: float) -> Any:
    import datetime

    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).replace(tzinfo=None)
