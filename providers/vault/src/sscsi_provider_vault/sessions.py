"""Reads on behalf of one identity: with its token, and with what was lent to it before."""

import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final

from sscsi_provider_vault.errors import Refusal, read_error, unreadable
from sscsi_provider_vault.extraction import whole_answer
from sscsi_provider_vault.identity import TOKEN, Credentials, Endpoint, VaultIdentity
from sscsi_provider_vault.leases import Leases, terms_of
from sscsi_provider_vault.parameters import VaultObject
from sscsi_provider_vault.server import Call, Server, json_body
from sscsi_provider_vault.tokens import Holder, Tokens, VaultToken, log_in, revoke
from sscsi_shared.deadline import Clock, Deadline, Instant
from sscsi_shared.errors import AuthenticationFailed, HeldElsewhere, ObjectError, clip
from sscsi_shared.fetch import fetch_each
from sscsi_shared.mount import Read
from sscsi_shared.secret import SecretBytes, SecretText

_MAX_SERVERS: Final = 64
_RENEW_SECONDS: Final = 10.0


class Servers:
    """One Server for each endpoint; the least recently used ones are closed."""

    def __init__(self, pause: Callable[[float], object] | None = None) -> None:
        self._pause = pause
        self._lock = threading.Lock()
        self._servers: OrderedDict[Endpoint, Server] = OrderedDict()

    def at(self, endpoint: Endpoint) -> Server:
        """The server.

        Raises:
            AuthenticationFailed: a file of certificates can't be used.
        """
        with self._lock:
            found = self._servers.get(endpoint)
            if found is None:
                try:
                    found = Server(endpoint, self._pause)
                except (OSError, ValueError) as error:
                    files = ", ".join((*endpoint.ca_files, endpoint.client_cert))
                    raise AuthenticationFailed(
                        f"the certificates in {files} can't be used: {type(error).__name__}.",
                        hint="They must be PEM; the provider's pod must have them.",
                    ) from None
                self._servers[endpoint] = found
            self._servers.move_to_end(endpoint)
            while len(self._servers) > _MAX_SERVERS:
                self._servers.popitem(last=False)[1].close()
            return found


class Vault:
    """What all sessions share.

    Args:
        own_token: of the provider (VAULT_TOKEN); None = none.
        session_max_age: seconds after which a login no longer proves the pod's trust.
        idle_seconds: how long a lease counts as in use after the last Mount that asked for it.
        clock: seconds that only grow.
        now: seconds since 1970.
        pause: between tries.
        jitter: a number from 0 to 1.
    """

    def __init__(
        self,
        *,
        own_token: SecretText | None,
        session_max_age: float,
        idle_seconds: float,
        clock: Clock = time.monotonic,
        now: Clock = time.time,
        pause: Callable[[float], object] | None = None,
        jitter: Callable[[], float] | None = None,
    ) -> None:
        self.servers: Final = Servers(pause)
        self.tokens: Final = Tokens(clock, self._give_back)
        self.leases: Final = Leases(clock, self._renew, idle_seconds=idle_seconds, jitter=jitter or random.random)
        self.clock: Final = clock
        self.now: Final = now
        self.own_token: Final = own_token
        self.session_max_age: Final = session_max_age

    def login(self, identity: VaultIdentity, credentials: Credentials, deadline: Deadline) -> VaultToken:
        """A new token; see tokens.log_in."""
        if identity.mode == TOKEN and self.own_token is not None:
            return VaultToken(self.own_token, (), self.clock())
        if credentials.token is None:
            raise AuthenticationFailed("The provider has no token of Vault's.")
        server = self.servers.at(identity.endpoint)
        return log_in(server, identity, credentials.token, self.clock, deadline)

    def _give_back(self, identity: VaultIdentity, token: VaultToken) -> None:
        if identity.mode != TOKEN:
            revoke(self.servers.at(identity.endpoint), identity, token)

    def _renew(self, who: VaultIdentity, lease_id: str, token: VaultToken, seconds: float) -> float | None:
        body = {"increment": int(seconds)} | ({"lease_id": lease_id} if lease_id else {})
        path = "/v1/sys/leases/renew" if lease_id else "/v1/auth/token/renew-self"
        call = Call("renew", "PUT", path, body=json_body(body))
        server = self.servers.at(who.endpoint)
        answer = server.ask(call, who.vault_namespace, token.token, Deadline.after(_RENEW_SECONDS))
        if isinstance(answer, Refusal):
            return None
        told = answer if lease_id else answer.get("auth")
        granted = told.get("lease_duration") if isinstance(told, Mapping) else None
        return float(granted) if isinstance(granted, int | float) and granted > 0 else None


class VaultSession:
    """One identity at one server; logs in when something has to be asked for.

    Args:
        vault: what all sessions share.
        identity: as whom.
        credentials: to log in with.
        owner: uid of the pod that is asked for; empty = all pods of the identity.
    """

    expires_at: Instant | None = None

    def __init__(self, vault: Vault, identity: VaultIdentity, credentials: Credentials, owner: str) -> None:
        self._vault = vault
        self._identity = identity
        self._credentials = credentials
        self._owner = owner
        # For all pods: a login of its own, so that a withdrawn trust ends with it. A pod's takes the newest.
        self._oldest = vault.clock() - (vault.session_max_age if owner else 0.0)
        self._holder = Holder(identity)

    def fetch(self, objects: Sequence[VaultObject], deadline: Deadline) -> Mapping[VaultObject, Read | ObjectError]:
        """See Session."""
        return fetch_each(self._read, objects, deadline)

    def close(self) -> None:
        """Give back the tokens that nobody else has and that hold nothing."""
        self._vault.tokens.close(self._holder)

    def _read(self, one: VaultObject, deadline: Deadline) -> Read:
        leases, identity = self._vault.leases, self._identity
        owned = one.by_pod and not self._owner
        if owned and leases.is_lent(identity, one):
            raise HeldElsewhere("it is lent to each pod for itself.")
        if not owned and (kept := leases.find(identity, self._owner, one)) is not None:
            return kept
        before = leases.token_of(identity, self._owner, one)  # what is due may be so because its token ends
        with self._token(deadline, unlike=before) as (token, made):
            answer = self._ask(one, token, deadline)
            if not (isinstance(answer, Refusal) and answer.status == 403 and not made and identity.mode != TOKEN):
                return self._found(one, answer, token)
        with self._token(deadline, unlike=token) as (fresh, _):
            return self._found(one, self._ask(one, fresh, deadline), fresh)

    def _ask(self, one: VaultObject, token: VaultToken, deadline: Deadline) -> Mapping[str, object] | Refusal:
        body = SecretText(one.body) if one.body else None
        operation = "write" if one.writes else "read"
        call = Call(operation, one.method, one.path, one.query, body=body, writes=one.writes)
        server = self._vault.servers.at(self._identity.endpoint)
        return server.ask(call, self._identity.vault_namespace, token.token, deadline)

    def _found(self, one: VaultObject, answer: Mapping[str, object] | Refusal, token: VaultToken) -> Read:
        """The content; kept where it is lent."""
        if isinstance(answer, Refusal):
            raise read_error(answer, one, self._identity, token.policies)
        if answer.get("data") is None and not answer.get("lease_id") and not answer.get("auth"):
            warnings = answer.get("warnings")
            shown = ", ".join(clip(str(told), 128) for told in warnings[:3]) if isinstance(warnings, list) else ""
            if not answer or "request_id" in answer:
                path = one.path.removeprefix("/v1/")
                raise unreadable(f'empty response from "{path}", warnings: [{shown}]')
        read = Read.of(SecretBytes(whole_answer(dict(answer))), "")
        terms = terms_of(answer, self._vault.now())
        if terms is None:
            return read
        owned = one.by_pod and not self._owner
        self._vault.leases.lend(self._identity, None if owned else self._owner, one, read, terms, token)
        if owned:
            raise HeldElsewhere("it is lent to each pod for itself.")
        return read

    def _token(
        self, deadline: Deadline, *, unlike: VaultToken | None
    ) -> AbstractContextManager[tuple[VaultToken, bool]]:
        """The token to ask with, which is another than `unlike`, and whether it was made just now."""

        def log_in_now() -> VaultToken:
            return self._vault.login(self._identity, self._credentials, deadline)

        def fits(token: VaultToken) -> bool:
            return token is not unlike and token.given >= self._oldest

        return self._vault.tokens.taken(self._holder, log_in_now, deadline, fits)
