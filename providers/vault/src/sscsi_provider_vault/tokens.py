"""Tokens of Vault's: one for an identity, shared by its pods, and what hangs on it."""

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from sscsi_provider_vault.errors import Refusal, login_error
from sscsi_provider_vault.identity import VaultIdentity
from sscsi_provider_vault.server import Call, Server, json_body
from sscsi_shared.deadline import Clock, Deadline
from sscsi_shared.errors import AuthenticationFailed, BackendUnavailable, OutOfTime
from sscsi_shared.secret import SecretText

USED_SHARE: Final = 0.9
"""Of its life, until which a token is used for something new."""
RENEW_SHARE: Final = 2 / 3
_REVOKE_SECONDS: Final = 3.0


@dataclass(slots=True, eq=False)
class VaultToken:
    """A token.

    Attributes:
        token: opaque.
        policies: for messages.
        given: when it was logged in for, on the clock.
        seconds: that it lasted when it was given or renewed; 0 = for ever.
        began: when that was, on the clock.
        renewable: whether it can be renewed.
        lends_until: when the last of the leases ends that end with it, on the clock.
        last: whether less was granted than asked for: its max TTL is near.
        not_before: when a failed renewal may be tried again.
        holders: how many sessions and requests have it.
    """

    token: SecretText
    policies: tuple[str, ...]
    given: float
    seconds: float = 0.0
    began: float = field(init=False)
    renewable: bool = False
    lends_until: float = float("-inf")
    last: bool = False
    not_before: float = 0.0
    holders: int = 0

    def __post_init__(self) -> None:
        self.began = self.given

    def serves(self, now: float) -> bool:
        """Whether it may be used for something new."""
        return not self.last and (not self.seconds or now < self.began + USED_SHARE * self.seconds)

    @property
    def due(self) -> float:
        """When it should be renewed, on the clock."""
        may = self.seconds and self.renewable and not self.last
        return self.began + RENEW_SHARE * self.seconds if may else float("inf")

    @property
    def ends(self) -> float:
        """When it ends, on the clock."""
        return self.began + self.seconds if self.seconds else float("inf")


class Holder:
    """Who has tokens until its end: a session.

    Attributes:
        identity: as whom.
        tokens: that it has.
        closed: whether it has ended; a request of its may still be under way.
    """

    def __init__(self, identity: VaultIdentity) -> None:
        self.identity: Final = identity
        self.tokens: set[VaultToken] = set()
        self.closed = False


@dataclass(slots=True)
class _Gate:
    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: int = 0


class Tokens:
    """The newest token of each identity, which its sessions share; what nobody has any more is given back.

    Args:
        clock: seconds that only grow.
        revoke: gives a token back.
    """

    def __init__(self, clock: Clock, revoke: Callable[[VaultIdentity, VaultToken], object]) -> None:
        self._clock = clock
        self._revoke = revoke
        self._lock = threading.Lock()
        self._current: dict[VaultIdentity, VaultToken] = {}
        self._gates: dict[VaultIdentity, _Gate] = {}

    @contextmanager
    def taken(
        self,
        holder: Holder,
        log_in: Callable[[], VaultToken],
        deadline: Deadline,
        fits: Callable[[VaultToken], bool],
    ) -> Iterator[tuple[VaultToken, bool]]:
        """A token to ask with, and whether it was made just now: the newest if it fits, else a new one.

        Logins of one identity wait for each other: those who come together share one. The token is not given back
        within, nor until the holder is closed.

        Raises:
            AuthenticationFailed: the login was refused.
            OutOfTime: others took all the time.
        """
        token, made = self._take(holder, log_in, deadline, fits)
        try:
            yield token, made
        finally:
            self._leave(holder.identity, [token])

    def close(self, holder: Holder) -> None:
        """It has its tokens no more."""
        with self._lock:
            holder.closed = True
            tokens, holder.tokens = holder.tokens, set()
        self._leave(holder.identity, tokens)

    def _take(
        self,
        holder: Holder,
        log_in: Callable[[], VaultToken],
        deadline: Deadline,
        fits: Callable[[VaultToken], bool],
    ) -> tuple[VaultToken, bool]:
        with self._gate(holder.identity, deadline):
            with self._lock:
                current = self._current.get(holder.identity)
                if current is not None and current.serves(self._clock()) and fits(current):
                    self._hold(holder, current)
                    return current, False
            made = log_in()
            with self._lock:
                self._current[holder.identity] = made
                self._hold(holder, made)
            return made, True

    def _hold(self, holder: Holder, token: VaultToken) -> None:
        token.holders += 1
        if not holder.closed and token not in holder.tokens:
            holder.tokens.add(token)
            token.holders += 1

    def _leave(self, identity: VaultIdentity, tokens: Collection[VaultToken]) -> None:
        with self._lock:
            for token in tokens:
                token.holders -= 1
            idle = [token for token in tokens if not token.holders]
            if self._current.get(identity) in idle:
                del self._current[identity]
        for token in idle:
            if token.lends_until < self._clock():  # else what a pod uses would end with it
                self._revoke(identity, token)

    @contextmanager
    def _gate(self, identity: VaultIdentity, deadline: Deadline) -> Iterator[None]:
        with self._lock:
            gate = self._gates.setdefault(identity, _Gate())
            gate.waiting += 1
        try:
            if not gate.lock.acquire(timeout=deadline.remaining()):
                raise OutOfTime("There was no time left to log in.")
            try:
                yield
            finally:
                gate.lock.release()
        finally:
            with self._lock:
                gate.waiting -= 1
                if not gate.waiting:
                    del self._gates[identity]


def log_in(server: Server, identity: VaultIdentity, jwt: SecretText, clock: Clock, deadline: Deadline) -> VaultToken:
    """Log in with a service account's token; Kubernetes and JWT auth take the same body.

    Raises:
        AuthenticationFailed: refused, or an answer without a token.
        BackendThrottled: too many.
        BackendUnavailable: no answer.
    """
    body = json_body({"jwt": jwt.reveal(), "role": identity.role})
    call = Call("login", "POST", identity.login_path, body=body, hidden=(jwt,))
    answer = server.ask(call, identity.vault_namespace, None, deadline)
    if isinstance(answer, Refusal):
        raise login_error(answer, identity)
    auth: Any = answer.get("auth")
    token = auth.get("client_token") if isinstance(auth, dict) else None
    if not isinstance(token, str) or not token:
        raise AuthenticationFailed(
            "failed to login: the answer has no auth.client_token.",
            hint="Is the address an agent's or a proxy's that answers for Vault?",
        )
    seconds = auth.get("lease_duration")
    policies = auth.get("token_policies") or auth.get("policies") or ()
    return VaultToken(
        SecretText(token),
        tuple(one for one in policies if isinstance(one, str)) if isinstance(policies, list) else (),
        clock(),
        float(seconds) if isinstance(seconds, int | float) and seconds > 0 else 0.0,
        renewable=auth.get("renewable") is True,
    )


def revoke(server: Server, identity: VaultIdentity, token: VaultToken) -> None:
    """Give a token back; a failure is no matter, it ends by itself."""
    try:
        call = Call("revoke", "POST", "/v1/auth/token/revoke-self", writes=True)
        server.ask(call, identity.vault_namespace, token.token, Deadline.after(_REVOKE_SECONDS))
    except BackendUnavailable:
        pass
