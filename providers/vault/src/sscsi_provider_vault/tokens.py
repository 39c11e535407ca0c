"""Tokens of Vault's: one for an identity, shared by its pods, and what hangs on it."""

import threading
from collections.abc import Callable
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
        seconds: that it lasted when it was given or renewed; 0 = for ever.
        began: when that was, on the clock.
        renewable: whether it can be renewed.
        leases: ids of the leases that end with it.
        last: whether less was granted than asked for: its max TTL is near.
        not_before: when a failed renewal may be tried again.
    """

    token: SecretText
    policies: tuple[str, ...]
    seconds: float
    began: float
    renewable: bool = False
    leases: set[str] = field(default_factory=set)
    last: bool = False
    not_before: float = 0.0

    def serves(self, now: float) -> bool:
        """Whether it may be used for something new."""
        return not self.seconds or now < self.began + USED_SHARE * self.seconds

    @property
    def due(self) -> float:
        """When it should be renewed, on the clock."""
        may = self.seconds and self.renewable and not self.last
        return self.began + RENEW_SHARE * self.seconds if may else float("inf")

    @property
    def ends(self) -> float:
        """When it ends, on the clock."""
        return self.began + self.seconds if self.seconds else float("inf")


class Tokens:
    """The newest token of each identity, for those who come without one of their own.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._current: dict[VaultIdentity, VaultToken] = {}
        self._logins: dict[VaultIdentity, threading.Lock] = {}

    def publish(self, identity: VaultIdentity, token: VaultToken) -> None:
        """Let others use a token."""
        with self._lock:
            self._current[identity] = token

    def withdraw(self, identity: VaultIdentity, token: VaultToken) -> None:
        """Nobody takes it any more."""
        with self._lock:
            if self._current.get(identity) is token:
                del self._current[identity]
            if identity not in self._current:
                self._logins.pop(identity, None)

    def get(
        self,
        identity: VaultIdentity,
        log_in: Callable[[], VaultToken],
        deadline: Deadline,
        *,
        refused: VaultToken | None = None,
    ) -> VaultToken:
        """The identity's token; a new one where there is none that serves, or where it was refused.

        Logins of one identity wait for each other: those who come together share one.

        Raises:
            AuthenticationFailed: the login was refused.
            OutOfTime: others took all the time.
        """
        with self._lock:
            gate = self._logins.setdefault(identity, threading.Lock())
        if not gate.acquire(timeout=deadline.remaining()):
            raise OutOfTime("There was no time left to log in.")
        try:
            with self._lock:
                current = self._current.get(identity)
            if current is not None and current is not refused and current.serves(self._clock()):
                return current
            made = log_in()
            self.publish(identity, made)
            return made
        finally:
            gate.release()


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
        float(seconds) if isinstance(seconds, int | float) and seconds > 0 else 0.0,
        clock(),
        auth.get("renewable") is True,
    )


def revoke(server: Server, identity: VaultIdentity, token: VaultToken) -> None:
    """Give a token back; a failure is no matter, it ends by itself."""
    if token.leases:
        return  # what a pod uses would end with it
    try:
        call = Call("revoke", "POST", "/v1/auth/token/revoke-self", writes=True)
        server.ask(call, identity.vault_namespace, token.token, Deadline.after(_REVOKE_SECONDS))
    except BackendUnavailable:
        pass
