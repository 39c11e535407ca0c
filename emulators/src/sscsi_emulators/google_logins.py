"""Google's logins on loopback: token exchange, IAM Service Account Credentials, key files, metadata server."""

import json
import secrets
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs

import jwt

from sscsi_emulators.faults import Fault
from sscsi_emulators.tokens import TokenExpired, TokenInvalid
from sscsi_emulators.wsgi import Environ, LoopbackServer, StartResponse

SECONDS: Final = 3600
_TOKEN_ENDPOINT: Final = "https://oauth2.googleapis.com/token"  # noqa: S105  # an address
"""The audience of every key's assertion, wherever it is sent."""
_MAX_BODY: Final = 1 << 20


class _Refusal(Exception):
    def __init__(self, status: int, body: Mapping[str, Any], retry_after: int | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.retry_after = retry_after


class GoogleLogins:
    """Hands out access tokens, and says whose a token is.

    Attributes:
        url: of the token exchange, IAM and the key files' endpoint, over TLS.
        metadata_host: host and port of the metadata server.
        facts: what the metadata server says, by path.
        seconds: how long tokens last.

    Args:
        enter: called with the operation of every request; gives the fault that answers it.
        now: seconds since 1970.
    """

    def __init__(self, enter: Callable[[str], Fault | None], now: Callable[[], float]) -> None:
        self.url = ""
        self.metadata_host = ""
        self.facts: dict[str, str] = {}
        self.seconds = SECONDS
        self._enter = enter
        self._now = now
        self._lock = threading.Lock()
        self._members: dict[str, tuple[str, float]] = {}
        self._pools: dict[str, Callable[[str, str], Mapping[str, Any]]] = {}
        self._actors: set[tuple[str, str]] = set()
        self._keys: dict[str, str] = {}

    def trust(self, exchange: str, verify: Callable[[str, str], Mapping[str, Any]]) -> None:
        """Let a pool exchange tokens.

        Args:
            exchange: the audience of the exchange.
            verify: claims of a token for an audience; raises TokenInvalid or TokenExpired.
        """
        self._pools[exchange] = verify

    def let_act(self, member: str, account: str) -> None:
        """Let a member be a Google service account."""
        self._actors.add((member, account))

    def forbid_act(self, member: str, account: str) -> None:
        """Undo `let_act`."""
        self._actors.discard((member, account))

    def key(self, account: str, public_pem: str) -> None:
        """Let a service account log in with its key."""
        self._keys[account] = public_pem

    def mint(self, member: str) -> str:
        """An access token of a member."""
        token = f"ya29.{secrets.token_urlsafe(24)}"
        with self._lock:
            self._members[token] = member, self._now() + self.seconds
        return token

    def member_of(self, token: str) -> str | None:
        """Whose a token is; None if it is nobody's, or has ended."""
        member, ends = self._members.get(token, ("", 0.0))
        return member if ends > self._now() else None

    def handed_out(self) -> tuple[str, ...]:
        """All tokens."""
        with self._lock:
            return tuple(self._members)

    @contextmanager
    def serving(self, context: ssl.SSLContext) -> Iterator[None]:
        """Serve within."""
        with LoopbackServer(self._answer, context) as over_tls, LoopbackServer(self._metadata) as plain:
            self.url = over_tls.url
            self.metadata_host = plain.url.partition("://")[2]
            yield

    def _metadata(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"].removeprefix("/computeMetadata/v1/")
        fault = self._enter("metadata.Get")
        if fault is not None or environ.get("HTTP_METADATA_FLAVOR") != "Google":
            return _respond(start_response, fault.status if fault else 403, {})
        if path == "instance/service-accounts/default/token":
            token = self.mint("serviceAccount:node@my-project.iam.gserviceaccount.com")
            return _respond(start_response, 200, {"access_token": token, "expires_in": self.seconds})
        if path not in self.facts:
            return _respond(start_response, 404, {})
        start_response("200 OK", [("Content-Type", "application/text"), ("Metadata-Flavor", "Google")])
        return [self.facts[path].encode()]

    def _answer(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(min(int(environ.get("CONTENT_LENGTH") or 0), _MAX_BODY))
        path = environ["PATH_INFO"]
        operation = "iam.GenerateAccessToken" if path.endswith(":generateAccessToken") else "sts.Token"
        operation = "oauth2.Token" if path == "/token" else operation
        try:
            self._admit(operation)
            if operation == "oauth2.Token":
                given = self._by_key(parse_qs(body.decode()))
            elif operation == "sts.Token":
                given = self._exchange(json.loads(body))
            else:
                given = self._act(path, environ.get("HTTP_AUTHORIZATION", ""), json.loads(body))
        except _Refusal as refusal:
            return _respond(start_response, refusal.status, refusal.body, refusal.retry_after)
        return _respond(start_response, 200, given)

    def _admit(self, operation: str) -> None:
        if fault := self._enter(operation):
            said = {"error": fault.code, "error_description": fault.message}
            raise _Refusal(fault.status, said, fault.retry_after)

    def _exchange(self, wish: Mapping[str, str]) -> Mapping[str, Any]:
        audience = wish["audience"]
        verify = self._pools.get(audience)
        if verify is None:
            text = 'The target service indicated by the "audience" parameters is invalid.'
            raise _Refusal(400, {"error": "invalid_target", "error_description": text})
        fleet = audience.startswith("identitynamespace:")
        pool = audience.split(":", 2)[1] if fleet else audience.removeprefix("//iam.googleapis.com/")
        claims: Mapping[str, Any] | None = None
        said = ""
        for expected in (pool, audience, f"https:{audience}"):
            try:
                claims = verify(wish["subject_token"], expected)
                break
            except (TokenInvalid, TokenExpired) as error:
                said = str(error)
        if claims is None:
            raise _Refusal(400, {"error": "invalid_grant", "error_description": f"The token is not valid: {said}"})
        subject = str(claims["sub"])
        if fleet:
            namespace, account = subject.split(":")[-2:]
            member = f"serviceAccount:{pool}[{namespace}/{account}]"
        else:
            member = f"principal://iam.googleapis.com/{pool.partition('/providers/')[0]}/subject/{subject}"
        return {"access_token": self.mint(member), "expires_in": self.seconds, "token_type": "Bearer"}

    def _act(self, path: str, authorization: str, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        account = path.rpartition("/")[2].removesuffix(":generateAccessToken")
        member = self.member_of(authorization.removeprefix("Bearer "))
        chain = [*(one.rpartition("/")[2] for one in wish.get("delegates", ())), account]
        for one in chain:
            if member is None or (member, one) not in self._actors:
                text = "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist)."
                error = {"code": 403, "message": text, "status": "PERMISSION_DENIED"}
                raise _Refusal(403, {"error": error})
            member = f"serviceAccount:{one}"
        ends = datetime.fromtimestamp(self._now() + self.seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"accessToken": self.mint(f"serviceAccount:{account}"), "expireTime": ends}

    def _by_key(self, form: Mapping[str, list[str]]) -> Mapping[str, Any]:
        """RFC 7523: a JWT that a service account's key signed."""
        try:
            assertion = form["assertion"][0]
            account = jwt.decode(assertion, options={"verify_signature": False})["iss"]
            jwt.decode(assertion, self._keys[account], algorithms=["RS256"], audience=_TOKEN_ENDPOINT)
        except (KeyError, jwt.PyJWTError):
            raise _Refusal(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}) from None
        token = self.mint(f"serviceAccount:{account}")
        return {"access_token": token, "expires_in": self.seconds, "token_type": "Bearer"}


def _respond(
    start_response: StartResponse, status: int, body: Mapping[str, Any], retry_after: int | None = None
) -> Iterable[bytes]:
    headers = [("Content-Type", "application/json")]
    headers += [("Retry-After", str(retry_after))] if retry_after is not None else []
    start_response(f"{status} .", headers)
    return [json.dumps(body).encode()]
