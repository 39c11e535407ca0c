"""Reads on behalf of one identity: with its token, and with what was lent to it before."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Final

from sscsi_provider_vault.errors import Refusal, read_error, unreadable
from sscsi_provider_vault.extraction import whole_answer
from sscsi_provider_vault.identity import TOKEN, Credentials, Endpoint, VaultIdentity
from sscsi_provider_vault.leases import Leases, terms_of
from sscsi_provider_vault.parameters import VaultObject
from sscsi_provider_vault.server import Call, Server, json_body
from sscsi_provider_vault.tokens import Tokens, VaultToken, log_in, revoke
from sscsi_shared.deadline import Clock, Deadline, Instant
from sscsi_shared.errors import AuthenticationFailed, HeldElsewhere, MountError, ObjectError, clip
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
        idle_seconds: float,
        clock: Clock = time.monotonic,
        now: Clock = time.time,
        pause: Callable[[float], object] | None = None,
        jitter: Callable[[], float] | None = None,
    ) -> None:
        self.servers: Final = Servers(pause)
        self.tokens: Final = Tokens(clock)
        more = {} if jitter is None else {"jitter": jitter}
        self.leases: Final = Leases(clock, self._renew, idle_seconds=idle_seconds, **more)
        self.clock: Final = clock
        self.now: Final = now
        self.own_token: Final = own_token

    def login(self, identity: VaultIdentity, credentials: Credentials, deadline: Deadline) -> VaultToken:
        """A new token; see tokens.log_in."""
        if identity.mode == TOKEN and self.own_token is not None:
            return VaultToken(self.own_token, (), 0.0, self.clock())
        if credentials.token is None:
            raise AuthenticationFailed("The provider has no token of Vault's.")
        server = self.servers.at(identity.endpoint)
        return log_in(server, identity, credentials.token, self.clock, deadline)

    def give_back(self, identity: VaultIdentity, token: VaultToken) -> None:
        """Nobody uses the token any more, unless it holds leases."""
        self.tokens.withdraw(identity, token)
        if identity.mode != TOKEN:
            revoke(self.servers.at(identity.endpoint), identity, token)

    def _renew(self, who: Hashable, lease_id: str, token: VaultToken, seconds: float) -> float | None:
        if not isinstance(who, VaultIdentity):
            return None
        body = {"increment": int(seconds)} | ({"lease_id": lease_id} if lease_id else {})
        path = "/v1/sys/leases/renew" if lease_id else "/v1/auth/token/renew-self"
        call = Call("renew", "PUT", path, body=json_body(body))
        try:
            answer = self.servers.at(who.endpoint).ask(
                call, who.vault_namespace, token.token, Deadline.after(_RENEW_SECONDS)
            )
        except MountError:
            return None
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
        self._lock = threading.Lock()
        self._own: VaultToken | None = None

    def fetch(self, objects: Sequence[VaultObject], deadline: Deadline) -> Mapping[VaultObject, Read | ObjectError]:
        """See Session."""
        return fetch_each(self._read, objects, deadline)

    def close(self) -> None:
        """Give the token back, if it is ours and holds nothing."""
        if self._own is not None:
            self._vault.give_back(self._identity, self._own)

    def _read(self, one: VaultObject, deadline: Deadline) -> Read:
        leases, identity = self._vault.leases, self._identity
        owned = one.by_pod and not self._owner
        if owned and leases.is_lent(identity, one):
            raise HeldElsewhere("it is lent to each pod for itself.")
        if not owned and (kept := leases.find(identity, self._owner, one)) is not None:
            return kept
        token, answer = self._ask(one, deadline, anew=leases.is_lent(identity, one))
        read = Read.of(SecretBytes(whole_answer(dict(answer))), "")
        terms = terms_of(answer, self._vault.now())
        if terms is None:
            return read
        leases.lend(identity, None if owned else self._owner, one, read, terms, token)
        if owned:
            raise HeldElsewhere("it is lent to each pod for itself.")
        return read

    def _ask(self, one: VaultObject, deadline: Deadline, *, anew: bool) -> tuple[VaultToken, Mapping[str, object]]:
        """The token that was used, and the answer; a refusal is asked again once, with a fresh token.

        Args:
            one: what.
            deadline: until when.
            anew: whether only a token will do that holds no lease yet.
        """
        body = SecretText(one.body) if one.body else None
        operation = "write" if one.writes else "read"
        call = Call(operation, one.method, one.path, one.query, body=body, writes=one.writes)
        server = self._vault.servers.at(self._identity.endpoint)
        token, is_new = self._token(deadline, holds_nothing=anew)
        answer = server.ask(call, self._identity.vault_namespace, token.token, deadline)
        if isinstance(answer, Refusal) and answer.status == 403 and not is_new and self._identity.mode != TOKEN:
            token, _ = self._token(deadline, refused=token)
            answer = server.ask(call, self._identity.vault_namespace, token.token, deadline)
        if isinstance(answer, Refusal):
            raise read_error(answer, one, self._identity, token.policies)
        if answer.get("data") is None and not answer.get("lease_id") and not answer.get("auth"):
            warnings = answer.get("warnings")
            shown = ", ".join(clip(str(told), 128) for told in warnings[:3]) if isinstance(warnings, list) else ""
            if not answer or "request_id" in answer:
                path = one.path.removeprefix("/v1/")
                raise unreadable(f'empty response from "{path}", warnings: [{shown}]')
        return token, answer

    def _token(
        self, deadline: Deadline, *, refused: VaultToken | None = None, holds_nothing: bool = False
    ) -> tuple[VaultToken, bool]:
        """The token to ask with, and whether it was made just now.

        A session of all pods has one of its own, so that a withdrawn trust ends with it; a pod's takes the newest.
        """
        made: list[VaultToken] = []

        def log_in_now() -> VaultToken:
            made.append(self._vault.login(self._identity, self._credentials, deadline))
            return made[-1]

        with self._lock:
            own = self._own
            usable = own is not None and own is not refused and own.serves(self._vault.clock())
            if usable and own is not None and not (holds_nothing and own.leases):
                return own, False
            if self._owner and not holds_nothing:
                token = self._vault.tokens.get(self._identity, log_in_now, deadline, refused=refused)
            else:
                token = log_in_now()
                self._vault.tokens.publish(self._identity, token)
            if made and not self._owner:
                self._own = token
            return token, bool(made)
