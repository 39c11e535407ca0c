"""What Vault lends for a time: kept, renewed, and lent anew before it ends.

A lease ends with the token that it was read with, so that token is renewed as long as the lease counts. The provider
contract has no unmount: a lease counts as in use for a while after the last Mount that asked for it. Whatever is due
is lent anew by the next Mount, under another token; the old one is left to end by itself: a program may still use it.
"""

import logging
import random
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from sscsi_provider_vault.identity import Endpoint, VaultIdentity
from sscsi_provider_vault.tokens import RENEW_SHARE, VaultToken
from sscsi_shared.deadline import Clock
from sscsi_shared.errors import BackendUnavailable
from sscsi_shared.mount import Read

log = logging.getLogger(__name__)

DUE_SHARE: Final = 0.85
"""Of the life of a lease or a certificate, after which the next Mount lends anew."""
JITTER: Final = 0.1
_LAST_SHARE: Final = 0.5
"""The same of what is left where no renewal will bring more: there has to be time for the next Mount."""
IDLE_SECONDS: Final = 24 * 3600.0
TICK_SECONDS: Final = 5.0
_AGAIN_SECONDS: Final = 10.0
_UNCLAIMED_SECONDS: Final = 60.0
_SIDE_BY_SIDE: Final = 8
_MOST_BYTES: Final = 64 << 20
_LESS: Final = 0.95
"""Of what was asked for: what is granted below it is the last."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How long an answer holds.

    Attributes:
        lease_id: empty for what ends by itself: a certificate.
        seconds: from now.
        renewable: whether the lease can be renewed.
    """

    lease_id: str
    seconds: float
    renewable: bool


@dataclass(slots=True, eq=False)
class Lease:
    """One answer that holds for a time.

    Attributes:
        read: the answer.
        terms: when it was lent.
        token: that it was read with.
        began: when it was lent or renewed.
        seconds: that were granted then.
        asked: when a Mount asked for it last.
        early: by how much of its life it is due earlier than others.
        not_before: when a failed renewal may be tried again.
        last: whether less was granted than asked for: its max TTL is near.
    """

    read: Read
    terms: Terms
    token: VaultToken
    began: float
    seconds: float
    asked: float
    early: float
    not_before: float = 0.0
    last: bool = False

    @property
    def size(self) -> int:
        """Of the answer, in bytes."""
        return sum(len(item.contents) for item in self.read.items)

    @property
    def due(self) -> float:
        """When the next Mount should lend anew: before its own end, and before its token's."""
        own = self.began + (_LAST_SHARE if self.last else DUE_SHARE - self.early) * self.seconds
        token = self.token
        if not self.terms.lease_id or token.ends == float("inf"):
            return own
        return min(own, token.began + (_LAST_SHARE if token.last else DUE_SHARE - self.early) * token.seconds)

    @property
    def renew_at(self) -> float:
        """When it should be renewed."""
        if not self.terms.renewable or not self.terms.lease_id or self.last:
            return float("inf")
        return self.began + (RENEW_SHARE - self.early) * self.seconds


Renew = Callable[[VaultIdentity, str, VaultToken, float], float | None]
"""Renews a lease (its id; empty = the token itself) for so many seconds; the seconds granted, None where it is refused.
It raises BackendUnavailable where nobody answers."""


class Leases:
    """Keeps them.

    Args:
        clock: seconds that only grow.
        renew: see Renew.
        idle_seconds: how long a lease counts as in use after the last Mount that asked for it.
        most_bytes: of answers that are kept; beyond it the ones go that were not asked for the longest.
        jitter: a number from 0 to 1.
    """

    def __init__(
        self,
        clock: Clock,
        renew: Renew,
        *,
        idle_seconds: float = IDLE_SECONDS,
        most_bytes: int = _MOST_BYTES,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock
        self._renew = renew
        self._idle_seconds = idle_seconds
        self._most_bytes = most_bytes
        self._jitter = jitter
        self._lock = threading.Lock()
        # By what was asked for as whom, and by owner; None = nobody has asked for it in their own name yet.
        self._lent: dict[tuple[VaultIdentity, Hashable], dict[str | None, Lease]] = {}
        self._bytes = 0
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def __len__(self) -> int:
        with self._lock:
            return sum(map(len, self._lent.values()))

    def is_lent(self, who: VaultIdentity, what: Hashable) -> bool:
        """Whether what was asked for is known to be lent for a time."""
        return (who, what) in self._lent

    def find(self, who: VaultIdentity, owner: str, what: Hashable) -> Read | None:
        """What is lent to the owner already, and not due; it is in use from now on.

        Args:
            who: the identity.
            owner: a pod's uid; empty = all pods of the identity.
            what: the request.
        """
        now = self._clock()
        with self._lock:
            owners = self._lent.get((who, what), {})
            lease = owners.get(owner)
            if lease is None and (lease := owners.pop(None, None)) is not None:
                owners[owner] = lease
            if lease is None:
                return None
            lease.asked = now
            return lease.read if now < lease.due else None

    def token_of(self, who: VaultIdentity, owner: str, what: Hashable) -> VaultToken | None:
        """The token of the owner's lease, due or not."""
        with self._lock:
            lease = self._lent.get((who, what), {}).get(owner)
            return None if lease is None else lease.token

    def lend(
        self, who: VaultIdentity, owner: str | None, what: Hashable, read: Read, terms: Terms, token: VaultToken
    ) -> None:
        """Keep an answer; owner None = the first that asks."""
        now = self._clock()
        lease = Lease(read, terms, token, now, terms.seconds, now, self._jitter() * JITTER)
        _hold(lease)
        with self._lock:
            if owner in self._lent.get((who, what), {}):
                self._drop(who, what, owner)
            self._lent.setdefault((who, what), {})[owner] = lease
            self._bytes += lease.size
            self._make_room()
        self._begin()

    def tick(self) -> None:
        """Renew what is due for it, tokens too; forget what nobody has asked for, or what has ended.

        Servers are asked side by side: one that does not answer keeps no other waiting.
        """
        now = self._clock()
        with self._lock:
            for who, what, owner, lease in self._all():
                idle = self._idle_seconds if owner is not None else min(_UNCLAIMED_SECONDS, self._idle_seconds)
                if now - lease.asked > idle or now >= lease.began + lease.seconds:
                    self._drop(who, what, owner)
            servers: dict[Endpoint, list[tuple[VaultIdentity, Lease]]] = {}
            for who, _, _, lease in self._all():
                if lease.terms.lease_id:
                    servers.setdefault(who.endpoint, []).append((who, lease))
        if servers:
            with ThreadPoolExecutor(min(_SIDE_BY_SIDE, len(servers)), "leases") as pool:
                list(pool.map(self._renew_all, servers.values()))

    def close(self) -> None:
        """Stop."""
        self._stopped.set()

    def _all(self) -> list[tuple[VaultIdentity, Hashable, str | None, Lease]]:
        return [(*key, owner, lease) for key, owners in self._lent.items() for owner, lease in owners.items()]

    def _drop(self, who: VaultIdentity, what: Hashable, owner: str | None) -> None:
        owners = self._lent[who, what]
        self._bytes -= owners.pop(owner).size
        if not owners:
            del self._lent[who, what]

    def _make_room(self) -> None:
        if self._bytes > self._most_bytes:
            for who, what, owner, _ in sorted(self._all(), key=lambda one: one[3].asked):
                if self._bytes <= self._most_bytes:
                    return
                self._drop(who, what, owner)

    def _renew_all(self, leases: Sequence[tuple[VaultIdentity, Lease]]) -> None:
        """What is due at one server; the first silence ends it, until the next tick."""
        now = self._clock()
        tokens = {lease.token: who for who, lease in leases}
        try:
            for token, who in tokens.items():
                if max(token.due, token.not_before) <= now:
                    self._renew_token(who, token)
            for who, lease in leases:
                if max(lease.renew_at, lease.not_before) <= now:
                    self._renew_lease(who, lease)
        except BackendUnavailable as error:
            log.warning("leases could not be renewed: %s", error)

    def _renew_token(self, who: VaultIdentity, token: VaultToken) -> None:
        granted = self._renew(who, "", token, token.seconds)
        if granted is None:
            token.not_before = self._clock() + _AGAIN_SECONDS
            return
        token.last = granted < token.seconds * _LESS
        token.began, token.seconds = self._clock(), granted

    def _renew_lease(self, who: VaultIdentity, lease: Lease) -> None:
        granted = self._renew(who, lease.terms.lease_id, lease.token, lease.terms.seconds)
        now = self._clock()
        if granted is None:
            lease.not_before = now + _AGAIN_SECONDS
            return
        lease.last = granted < lease.terms.seconds * _LESS
        lease.began, lease.seconds = now, granted
        _hold(lease)

    def _begin(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._tick_on, name="leases", daemon=True)
                self._thread.start()

    def _tick_on(self) -> None:
        while not self._stopped.wait(TICK_SECONDS):
            try:
                self.tick()
            except Exception:
                log.exception("leases could not be looked after")


def _hold(lease: Lease) -> None:
    """Its token is not given back before its end."""
    if lease.terms.lease_id:
        lease.token.lends_until = max(lease.token.lends_until, lease.began + lease.seconds)


def terms_of(answer: Mapping[str, Any], now: float) -> Terms | None:
    """How long an answer holds; None where it is for ever, or only as long as nobody changes it.

    A lease has an id. A certificate has its own end: `expiration` (PKI, seconds since 1970).

    Args:
        answer: Vault's.
        now: seconds since 1970.
    """
    lease_id, seconds = answer.get("lease_id"), answer.get("lease_duration")
    if isinstance(lease_id, str) and lease_id and isinstance(seconds, int | float) and seconds > 0:
        return Terms(lease_id, float(seconds), answer.get("renewable") is True)
    data = answer.get("data")
    if isinstance(data, Mapping) and "certificate" in data:
        ends = data.get("expiration")
        if isinstance(ends, int | float) and ends > now:
            return Terms("", float(ends - now), renewable=False)
    return None
