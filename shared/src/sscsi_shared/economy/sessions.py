"""Logins, kept for a while: bounded in number and in age, and closed when nobody uses them any more."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, Generic

from sscsi_shared.deadline import Clock, Deadline
from sscsi_shared.economy.access import Access
from sscsi_shared.economy.flights import Flights
from sscsi_shared.economy.values import REFUSED_SECONDS
from sscsi_shared.errors import AuthenticationFailed, MountError, OutOfTime, fresh
from sscsi_shared.mount import ObjectT, Place
from sscsi_shared.provider import Session

log = logging.getLogger(__name__)

MARGIN_SECONDS: Final = 60.0
"""How long before its end a session is no longer used; a quarter of its life where that is less."""
_MAX_REFUSALS: Final = 1024
_SIDE_BY_SIDE: Final = 16


class Held(Generic[ObjectT]):
    """A session, and who uses it.

    Attributes:
        session: the provider's.
        place: where it is.
        until: when it is too old, on the clock.
        users: how many use it now.
        kept: whether others may still take it.
    """

    __slots__ = ("kept", "place", "session", "until", "users")

    def __init__(self, session: Session[ObjectT], place: Place, until: float, *, kept: bool) -> None:
        self.session: Final = session
        self.place: Final = place
        self.until: Final = until
        self.users = 0
        self.kept = kept


class Sessions(Generic[ObjectT]):
    """Sessions by access; the least recently used ones go first.

    Args:
        max_age: seconds that one is used at most, so that a withdrawn trust is noticed; 0 = each is used once.
        most: how many are kept.
        clock: seconds that only grow.
        now: seconds since 1970.
        joined: told how many waited for somebody else's login.
    """

    def __init__(self, *, max_age: float, most: int, clock: Clock, now: Clock, joined: Callable[[int], None]) -> None:
        self._max_age = max_age
        self._most = most
        self._clock = clock
        self._now = now
        self._lock = threading.Lock()
        self._held: OrderedDict[Access, Held[ObjectT]] = OrderedDict()
        self._refused: OrderedDict[Access, tuple[MountError, float]] = OrderedDict()
        self._flights: Flights[Access, Held[ObjectT] | MountError] = Flights(self._known, joined)

    def __len__(self) -> int:
        return len(self._held)

    @contextmanager
    def held(
        self, access: Access, login: Callable[[Deadline], Session[ObjectT]], deadline: Deadline
    ) -> Iterator[Held[ObjectT]]:
        """A session that can be used, logged in by us or by somebody else for the same identity.

        Raises:
            MountError: why there is none. A refused login is remembered for 5 s.
        """
        own: list[Held[ObjectT]] = []

        def lead(_: Sequence[Access], deadline: Deadline) -> dict[Access, Held[ObjectT] | MountError]:
            try:
                made = self._keep(access, login(deadline))
            except AuthenticationFailed as error:
                self.refuse(access, error)
                return {access: fresh(error)}
            except MountError as error:
                return {access: fresh(error)}
            own.append(made)
            return {access: made}

        held = self._taken(access, lead, own, deadline)
        try:
            yield held
        finally:
            self._give_back(held)

    def refuse(self, access: Access, error: AuthenticationFailed) -> None:
        """Forget the identity's sessions everywhere, and remember that it was refused here."""
        with self._lock:
            others = [other for other in self._held if other.who == access.who]
        for other in others:
            self.drop(other)
        if not self._max_age:
            return
        with self._lock:
            self._refused[access] = fresh(error), self._clock() + REFUSED_SECONDS
            while len(self._refused) > _MAX_REFUSALS:
                self._refused.popitem(last=False)

    def drop(self, access: Access, only: Held[ObjectT] | None = None) -> None:
        """Let nobody take this session any more, if it is (still) this one."""
        with self._lock:
            held = self._held.get(access)
            if held is None or (only is not None and held is not only):
                return
            del self._held[access]
            idle = self._put_away(held)
        self._close(idle)

    def sweep(self) -> bool:
        """Close what is too old; whether anything is left."""
        with self._lock:
            now = self._clock()
            old = [key for key, held in self._held.items() if held.until <= now]
            idle = [one for key in old for one in self._put_away(self._held.pop(key))]
            self._refused = OrderedDict((key, value) for key, value in self._refused.items() if value[1] > now)
            left = bool(self._held or self._refused)
        self._close(idle)
        return left

    def close(self) -> None:
        """Close them all, but those in use; side by side, so that a silent place keeps no other waiting."""
        with self._lock:
            idle = [one for held in self._held.values() for one in self._put_away(held)]
            self._held.clear()
        if idle:
            with ThreadPoolExecutor(min(_SIDE_BY_SIDE, len(idle)), "closing") as pool:
                list(pool.map(lambda held: self._close([held]), idle))

    def _known(self, access: Access) -> Held[ObjectT] | MountError | None:
        with self._lock:
            now = self._clock()
            held = self._held.get(access)
            if held is not None and held.until > now:
                self._held.move_to_end(access)
                return held
            error, until = self._refused.get(access, (None, 0.0))
            return fresh(error) if error is not None and until > now else None

    def _taken(
        self,
        access: Access,
        lead: Callable[[Sequence[Access], Deadline], dict[Access, Held[ObjectT] | MountError]],
        own: list[Held[ObjectT]],
        deadline: Deadline,
    ) -> Held[ObjectT]:
        """The session, with us among its users. One that ended between the answer and that is asked for again."""
        while True:
            outcome = self._flights.ask([access], lead, deadline).get(access)
            if isinstance(outcome, MountError):
                raise fresh(outcome)
            if outcome is None:
                raise OutOfTime("The backend did not answer the login in time.")
            with self._lock:
                if outcome in own:  # counted when it was made
                    return outcome
                if outcome.kept or outcome.users:
                    outcome.users += 1
                    return outcome

    def _keep(self, access: Access, session: Session[ObjectT]) -> Held[ObjectT]:
        """Keep it for others, and count ourselves as its first user."""
        seconds = self._max_age
        if session.expires_at is not None:
            left = max(0.0, session.expires_at - self._now())
            seconds = min(seconds, left - min(MARGIN_SECONDS, left / 4))
        held = Held(session, access.place, self._clock() + seconds, kept=seconds > 0)
        held.users = 1
        idle: list[Held[ObjectT]] = []
        with self._lock:
            self._refused.pop(access, None)
            if held.kept:
                before = self._held.pop(access, None)
                idle += self._put_away(before) if before is not None else []
                self._held[access] = held
                while len(self._held) > self._most:
                    idle += self._put_away(self._held.popitem(last=False)[1])
        self._close(idle)
        return held

    def _give_back(self, held: Held[ObjectT]) -> None:
        with self._lock:
            held.users -= 1
            idle = [held] if not held.users and not held.kept else []
        self._close(idle)

    @staticmethod
    def _put_away(held: Held[ObjectT]) -> list[Held[ObjectT]]:
        """Under the lock: nobody takes it any more; it is to be closed now if nobody uses it, else by the last user."""
        held.kept = False
        return [] if held.users else [held]

    @staticmethod
    def _close(idle: Sequence[Held[ObjectT]]) -> None:
        for held in idle:
            try:
                held.session.close()
            except Exception as error:  # noqa: BLE001  # what was read is good all the same
                log.warning("a session at %s could not be closed: %s", held.place, type(error).__name__)
