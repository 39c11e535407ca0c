"""Vault on loopback: logins, KV, leases and certificates, and what a real server can't be made to do.

Leases with short ends, sealed and standby answers, answers without content or without a token, latency, counts.
"""

import json
import secrets
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, Self
from urllib.parse import unquote

from sscsi_emulators.faults import Faults
from sscsi_emulators.tokens import TokenExpired, TokenInvalid
from sscsi_emulators.wsgi import Environ, LoopbackServer, StartResponse

_MAX_BODY: Final = 1 << 20
_MAX_HOLD_SECONDS: Final = 120.0
_DENIED: Final = "1 error occurred:\n\t* permission denied\n\n"
Verify = Callable[[str, str], Mapping[str, Any]]


class _Refusal(Exception):
    def __init__(self, status: int, *errors: str) -> None:
        super().__init__(status)
        self.status = status
        self.errors = errors


@dataclass(slots=True)
class _Token:
    role: str
    namespace: str
    ends: float
    max_ends: float
    leases: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Lease:
    token: str
    ends: float
    max_ends: float
    seconds: float


@dataclass(slots=True)
class _Role:
    audience: str
    subjects: tuple[str, ...]
    namespace: str


class VaultEmulator:
    """From `with` to its end.

    Attributes:
        url: where it listens, over plain HTTP.
        calls: how often each kind of request was sent: `login`, `GET kv/data/x` -> n.
        faults: answers in place of ours; the operation is such a word, or `*`.
        latency_seconds: how long each answer is held back.
        answers: whole documents in place of ours, by path; None = 204.
        redirects: where to look instead, by path.
        token_seconds: that tokens last; renewable up to `token_max_seconds`.
        lease_seconds: likewise.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.url = ""
        self.calls: Counter[str] = Counter()
        self.faults = Faults()
        self.latency_seconds = 0.0
        self.answers: dict[str, Mapping[str, Any] | None] = {}
        self.redirects: dict[str, str] = {}
        self.token_seconds, self.token_max_seconds = 3600.0, 7200.0
        self.lease_seconds, self.lease_max_seconds = 600.0, 3600.0
        self._now = now
        self._lock = threading.RLock()
        self._roles: dict[tuple[str, str], _Role] = {}
        self._verify: Verify | None = None
        self._kv: dict[str, list[dict[str, Any] | None]] = {}
        self._versioned: set[str] = set()
        self._denied: set[tuple[str, str]] = set()
        self._tokens: dict[str, _Token] = {}
        self.leases: dict[str, _Lease] = {}
        self._given: list[str] = []
        self._gate = threading.Event()
        self._gate.set()
        self._stopped = threading.Event()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.url = self._stack.enter_context(LoopbackServer(self._serve)).url
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._gate.set()
        self._stack.close()

    def trust(self, verify: Verify) -> None:
        """Let tokens of a cluster log in: claims of a token for an audience; raises TokenInvalid or TokenExpired."""
        self._verify = verify

    def role(
        self, name: str, *subjects: str, audience: str = "vault", mount: str = "kubernetes", namespace: str = ""
    ) -> None:
        """A role of an auth method, for some service accounts (`system:serviceaccount:...`)."""
        self._roles[mount, name] = _Role(audience, subjects, namespace)

    def subjects(self, name: str, mount: str = "kubernetes") -> tuple[str, ...]:
        """Whom a role is for; nobody where there is none."""
        role = self._roles.get((mount, name))
        return role.subjects if role else ()

    def put(self, path: str, data: Mapping[str, Any], *, versioned: bool = True) -> None:
        """Give a path a content; of a KV version 2 mount the path has `data/` in it."""
        with self._lock:
            self._kv.setdefault(path, []).append(dict(data))
            if versioned:
                self._versioned.add(path)

    def remove(self, path: str) -> None:
        """Let a path be absent."""
        with self._lock:
            self._kv.pop(path, None)

    def deny(self, role: str, path: str) -> None:
        """Forbid a role a path."""
        self._denied.add((role, path))

    def allow(self, role: str, path: str) -> None:
        """Undo `deny`."""
        self._denied.discard((role, path))

    def hold(self) -> None:
        """Answer nothing until `release`."""
        self._gate.clear()

    def release(self) -> None:
        """Answer again, what waits first."""
        self._gate.set()

    def handed_out(self) -> tuple[str, ...]:
        """Tokens and passwords that were given away; no log may hold one."""
        with self._lock:
            return tuple(self._given)

    def expire_tokens(self) -> None:
        """End every token, and what hangs on it."""
        with self._lock:
            self._tokens.clear()
            self.leases.clear()

    def live_leases(self) -> set[str]:
        """Leases that have not ended, nor their tokens."""
        now = self._now()
        with self._lock:
            return {
                name
                for name, lease in self.leases.items()
                if lease.ends > now and (token := self._tokens.get(lease.token)) is not None and token.ends > now
            }

    def _serve(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(min(int(environ.get("CONTENT_LENGTH") or 0), _MAX_BODY))
        path = unquote(environ["PATH_INFO"]).removeprefix("/v1/")
        method = environ["REQUEST_METHOD"]
        operation = _operation(method, path)
        with self._lock:
            self.calls[operation] += 1
        self._stopped.wait(self.latency_seconds)
        self._gate.wait(_MAX_HOLD_SECONDS)
        if fault := self.faults.take(operation):
            if fault.status == 0:
                environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
                return []
            return _respond(start_response, fault.status, {"errors": [fault.message]}, fault.retry_after)
        if path in self.redirects:
            start_response("307 .", [("Location", self.redirects[path])])
            return []
        try:
            answer = self._answer(environ, method, path, json.loads(body) if body else {})
        except _Refusal as refusal:
            return _respond(start_response, refusal.status, {"errors": list(refusal.errors)})
        return _respond(start_response, 200 if answer is not None else 204, answer)

    def _answer(self, environ: Environ, method: str, path: str, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
        if path in self.answers:
            return self.answers[path]
        if path.startswith("auth/") and path.endswith("/login"):
            return self._login(path.removeprefix("auth/").removesuffix("/login"), body)
        name, token = self._bearer(environ)
        if path == "auth/token/revoke-self":
            with self._lock:
                for lease in token.leases:
                    self.leases.pop(lease, None)
                self._tokens.pop(name, None)
            return None
        if path == "auth/token/renew-self":
            token.ends = min(self._now() + float(body.get("increment") or self.token_seconds), token.max_ends)
            seconds = int(token.ends - self._now())
            return _whole({}) | {"auth": {"lease_duration": seconds, "renewable": seconds > 0}, "data": None}
        if path == "sys/leases/renew":
            return self._renew(body)
        if (token.role, path) in self._denied:
            raise _Refusal(403, _DENIED)
        if "/creds/" in path:
            return self._lend(name, token)
        if "/issue/" in path and method in {"PUT", "POST"}:
            ends = int(self._now() + self.lease_seconds)
            serial = secrets.token_hex(8)
            certificate = f"PEM of {body.get('common_name')} {serial}"
            return _whole({"certificate": certificate, "expiration": ends, "private_key": serial})
        return self._read(path, environ.get("QUERY_STRING", ""))

    def _bearer(self, environ: Environ) -> tuple[str, _Token]:
        name = environ.get("HTTP_X_VAULT_TOKEN", "")
        with self._lock:
            token = self._tokens.get(name)
        wanted = environ.get("HTTP_X_VAULT_NAMESPACE", "").strip("/")
        if token is None or token.ends <= self._now() or token.namespace != wanted:
            raise _Refusal(403, "permission denied")
        if environ.get("HTTP_X_VAULT_REQUEST") != "true":
            raise _Refusal(412, "no X-Vault-Request header")
        return name, token

    def _login(self, mount: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        role = self._roles.get((mount, str(body.get("role"))))
        if not any(found == mount for found, _ in self._roles):
            raise _Refusal(404, "no handler for route. route entry not found.")
        if role is None:
            raise _Refusal(400, f'invalid role name "{body.get("role")}"')
        if self._verify is None:
            raise _Refusal(500, "nobody is trusted")
        try:
            claims = self._verify(str(body.get("jwt")), role.audience)
        except (TokenInvalid, TokenExpired) as error:
            raise _Refusal(403, f"permission denied: {error}") from None
        if claims["sub"] not in role.subjects:
            raise _Refusal(403, "service account name not authorized")
        now = self._now()
        name = f"hvs.{secrets.token_urlsafe(20)}"
        with self._lock:
            self._tokens[name] = _Token(
                str(body["role"]), role.namespace, now + self.token_seconds, now + self.token_max_seconds
            )
            self._given.append(name)
        auth = {
            "client_token": name,
            "accessor": secrets.token_urlsafe(8),
            "policies": ["default", "app"],
            "token_policies": ["default", "app"],
            "lease_duration": int(self.token_seconds),
            "renewable": True,
        }
        return _whole({}) | {"auth": auth, "data": None}

    def _lend(self, name: str, token: _Token) -> Mapping[str, Any]:
        now = self._now()
        lease_id = f"database/creds/app/{secrets.token_urlsafe(8)}"
        password = secrets.token_urlsafe(12)
        with self._lock:
            lease = _Lease(name, now + self.lease_seconds, now + self.lease_max_seconds, self.lease_seconds)
            self.leases[lease_id] = lease
            token.leases.add(lease_id)
            self._given.append(password)
        data = {"username": f"v-app-{secrets.token_hex(4)}", "password": password}
        return _whole(data, lease_id=lease_id, lease_duration=int(self.lease_seconds), renewable=True)

    def _renew(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        lease_id = str(body.get("lease_id"))
        with self._lock:
            lease = self.leases.get(lease_id)
            if lease is None or lease.ends <= self._now():
                raise _Refusal(400, "lease not found")
            lease.ends = min(self._now() + float(body.get("increment") or lease.seconds), lease.max_ends)
            seconds = int(lease.ends - self._now())
        return _whole({}, lease_id=lease_id, lease_duration=seconds, renewable=True) | {"data": None}

    def _read(self, path: str, query: str) -> Mapping[str, Any]:
        with self._lock:
            versions = self._kv.get(path)
            if not versions:
                raise _Refusal(404)
            wanted = query.removeprefix("version=")
            number = int(wanted) if wanted.isdecimal() and wanted != "0" else len(versions)
            data = versions[number - 1] if number <= len(versions) else None
            if data is None:
                raise _Refusal(404)
            if path not in self._versioned:
                return _whole(data, lease_duration=2764800)
            return _whole({"data": data, "metadata": {"version": number, "destroyed": False}})


def _whole(data: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "request_id": secrets.token_hex(8),
        "lease_id": "",
        "renewable": False,
        "lease_duration": 0,
        "data": dict(data),
        "wrap_info": None,
        "warnings": None,
        "auth": None,
        "mount_type": "kv",
    }
    return found | more


def _operation(method: str, path: str) -> str:
    if path.endswith("/login"):
        return "login"
    for word in ("renew-self", "revoke-self", "sys/leases/renew"):
        if path.endswith(word):
            return word
    return f"{method} {path}"


def _respond(
    start_response: StartResponse, status: int, body: Mapping[str, Any] | None, retry_after: int | None = None
) -> Iterable[bytes]:
    headers = [("Content-Type", "application/json")]
    if retry_after is not None:
        headers.append(("Retry-After", str(retry_after)))
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Odd"
    start_response(f"{status} {phrase}", headers)
    return [] if body is None else [json.dumps(body).encode()]
