"""Entra's logins: the token endpoint, what is discovered before it, and what an access token stands for."""

import base64
import json
import secrets
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import jwt

from sscsi_emulators.azure_aadsts import Refusal, aadsts
from sscsi_emulators.azure_store import TENANT
from sscsi_emulators.every_host import Answer, Request
from sscsi_emulators.tokens import TokenExpired, TokenInvalid

EXCHANGE: Final = "api://AzureADTokenExchange"
BINDING: Final = "api://AKSIdentityBinding"
CLOUDS: Final = {
    "vault.azure.net": "login.microsoftonline.com",
    "vault.usgovcloudapi.net": "login.microsoftonline.us",
    "vault.azure.cn": "login.chinacloudapi.cn",
    "vault.microsoftazure.de": "login.microsoftonline.de",
    "vault.localhost": "login.localhost",
}
"""Where the vaults of a suffix send whoever has no token; the last is nobody's cloud, which discovery does not know."""
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_OPENID_SCOPES: Final = {"openid", "offline_access", "profile"}


@dataclass(frozen=True, slots=True)
class _Federated:
    issuer: str
    subject: str
    audience: str


@dataclass(slots=True)
class _Application:
    secret: str | None = None
    federated: list[_Federated] = field(default_factory=list)
    refused: int | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """What an access token stands for.

    Attributes:
        client_id: whose it is.
        tenant: that gave it.
        resource: what it is for.
        ends: seconds since 1970.
    """

    client_id: str
    tenant: str
    resource: str
    ends: float


class AzureLogins:
    """Hands out access tokens, and says what a token stands for.

    Attributes:
        clouds: the host of logins for each suffix of vaults.
        tenants: those there are; `adfs` is AD FS.
        seconds: how long tokens last.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.clouds = dict(CLOUDS)
        self.tenants = {TENANT}
        self.seconds = 3599
        self._now = now
        self._lock = threading.Lock()
        self._verify: Callable[[str, str], Mapping[str, Any]] | None = None
        self._applications: dict[tuple[str, str], _Application] = {}
        self._given: dict[str, Access] = {}

    def trust(self, verify: Callable[[str, str], Mapping[str, Any]]) -> None:
        """Let a cluster's tokens be checked: claims of a token for an audience; raises TokenInvalid or TokenExpired."""
        self._verify = verify

    def federate(self, client_id: str, tenant: str, issuer: str, subject: str, audience: str = EXCHANGE) -> None:
        """Let a service account (`system:serviceaccount:...`) be an application or a user-assigned identity.

        With the audience BINDING it is an identity binding: it counts at that proxy alone, others do not.
        """
        self._application(client_id, tenant).federated.append(_Federated(issuer, subject, audience))

    def secret(self, client_id: str, tenant: str, value: str) -> None:
        """Let whoever knows a secret be an application."""
        self._application(client_id, tenant).secret = value

    def refuse(self, client_id: str, tenant: str, code: int | None) -> None:
        """Answer an AADSTS code, such as 53003, whenever the application logs in; None = no more."""
        self._application(client_id, tenant).refused = code

    def mint(self, client_id: str, tenant: str, resource: str) -> str:
        """A new access token: with the claims of a real one, signed by nobody."""
        now = int(self._now())
        claims = {
            "aud": resource,
            "iss": f"https://sts.windows.net/{tenant}/",
            "iat": now,
            "nbf": now,
            "exp": now + self.seconds,
            "appid": client_id,
            "oid": object_id(client_id),
            "tid": tenant,
            "uti": secrets.token_urlsafe(16),
        }
        parts = (json.dumps(part).encode() for part in ({"typ": "JWT", "alg": "RS256"}, claims))
        body = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
        token = f"{body}.{secrets.token_urlsafe(256)}"
        with self._lock:
            self._given[token] = Access(client_id, tenant, resource, now + self.seconds)
        return token

    def access(self, token: str) -> Access | None:
        """What a token stands for; None where we gave none such."""
        with self._lock:
            return self._given.get(token)

    def expire(self) -> None:
        """End every token."""
        with self._lock:
            self._given = {token: replace(access, ends=0.0) for token, access in self._given.items()}

    def handed_out(self) -> tuple[str, ...]:
        """Tokens that were given away; no log may hold one."""
        with self._lock:
            return tuple(self._given)

    def login(self, request: Request, path: str, *, binding: bool = False) -> Answer:
        """The token endpoint.

        Args:
            request: as it came.
            path: `/<tenant>/oauth2/v2.0/token` or `/adfs/oauth2/token`.
            binding: it came through the proxy for identity bindings.
        """
        form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        tenant = path.strip("/").partition("/")[0]
        client_id = form.get("client_id", "")
        try:
            self._check_tenant(tenant)
            resource = self._resource(form, None if binding else request.host)
            self._check_application(form, client_id, tenant, binding)
        except Refusal as refusal:
            words = {"tenant": tenant, "client": client_id} | refusal.words
            return aadsts(refusal.code, request, self._now(), words)
        times = {"expires_in": self.seconds, "ext_expires_in": self.seconds}
        token = self.mint(client_id, tenant, resource)
        return Answer(200, {"token_type": "Bearer"} | times | {"access_token": token}, {"Cache-Control": "no-store"})

    def instance(self, request: Request) -> Answer:
        """Which clouds there are: asked before a first login at an authority that a client does not know."""
        asked = urlsplit(request.query.get("authorization_endpoint", ""))
        public = [host for suffix, host in self.clouds.items() if CLOUDS.get(suffix) == host != "login.localhost"]
        if asked.netloc not in public:
            return aadsts(50049, request, self._now(), {})
        tenant = asked.path.strip("/").partition("/")[0]
        address = f"https://{asked.netloc}/{tenant}/v2.0/.well-known/openid-configuration"
        known = [{"preferred_network": host, "preferred_cache": host, "aliases": [host]} for host in public]
        return Answer(200, {"tenant_discovery_endpoint": address, "api-version": "1.1", "metadata": known})

    def openid(self, request: Request) -> Answer:
        """A tenant's endpoints."""
        tenant = request.path.strip("/").partition("/")[0]
        try:
            self._check_tenant(tenant)
        except Refusal as refusal:
            return aadsts(refusal.code, request, self._now(), {"tenant": tenant}, error="invalid_tenant")
        base = f"https://{request.host}/{tenant}"
        issuer, under = (base, f"{base}/oauth2") if tenant == "adfs" else (f"{base}/v2.0", f"{base}/oauth2/v2.0")
        endpoints = {f"{name}_endpoint": f"{under}/{name}" for name in ("token", "authorization")}
        return Answer(200, {"issuer": issuer, "jwks_uri": f"{base}/discovery/v2.0/keys"} | endpoints)

    def _application(self, client_id: str, tenant: str) -> _Application:
        self.tenants.add(tenant)
        return self._applications.setdefault((client_id, tenant), _Application())

    def _check_tenant(self, tenant: str) -> None:
        if tenant not in self.tenants:
            raise Refusal(90002)

    def _resource(self, form: Mapping[str, str], host: str | None) -> str:
        """What a token is asked for; only the host of its cloud's logins gives one."""
        for name in ("grant_type", "client_id", "scope"):
            if not form.get(name):
                raise Refusal(900144, said=name)
        if form["grant_type"] != "client_credentials":
            raise Refusal(70003, said=form["grant_type"])
        scope = " ".join(word for word in form["scope"].split() if word not in _OPENID_SCOPES)
        resource = scope.removesuffix("/.default")
        if resource == scope:
            raise Refusal(1002012, said=scope)
        authority = self.clouds.get(urlsplit(resource).hostname or "")
        if authority is None or (host is not None and authority != host.partition(":")[0]):
            raise Refusal(500011, said=resource)
        return resource

    def _check_application(self, form: Mapping[str, str], client_id: str, tenant: str, binding: bool) -> None:
        application = self._applications.get((client_id, tenant))
        if application is None:
            raise Refusal(700016)
        if application.refused is not None:
            raise Refusal(application.refused)
        if form.get("client_assertion_type") == _ASSERTION and "client_assertion" in form:
            federated = [one for one in application.federated if (one.audience == BINDING) == binding]
            self._match(federated, form["client_assertion"])
        elif "client_secret" not in form:
            raise Refusal(7000216)
        elif binding or application.secret is None or form["client_secret"] != application.secret:
            raise Refusal(7000215)

    def _match(self, left: list[_Federated], assertion: str) -> None:
        """Does one of the federated credentials stand for this token?"""
        try:
            claims = jwt.decode(assertion, options={"verify_signature": False})
        except jwt.InvalidTokenError as error:
            raise Refusal(50013, said=error) from None
        issuer, subject, audience = claims.get("iss", ""), claims.get("sub", ""), claims.get("aud", ())
        audiences = [audience] if isinstance(audience, str) else list(audience)
        words = {"iss": issuer, "sub": subject, "aud": ", ".join(audiences)}
        if not left:
            raise Refusal(70021, **words)
        for code, fits in (
            (700211, lambda one: one.issuer == issuer),
            (700213, lambda one: one.subject == subject),
            (700212, lambda one: one.audience in audiences),
        ):
            left = list(filter(fits, left))
            if not left:
                raise Refusal(code, **words)
        if self._verify is None:
            raise Refusal(50166)
        try:
            self._verify(assertion, left[0].audience)
        except TokenExpired:
            times = {"now": self._now()} | {name: float(claims.get(name, 0)) for name in ("nbf", "exp")}
            raise Refusal(700024, **{name: _iso(seconds) for name, seconds in times.items()}) from None
        except TokenInvalid as error:
            raise Refusal(50013, said=error) from None


def object_id(client_id: str) -> str:
    """That of an application's service principal."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, client_id))


def _iso(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.0000000Z"
