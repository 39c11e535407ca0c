"""The economy as the pipeline sees it: asks the backend for what nobody knows yet, once."""

import random
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, Generic

from sscsi_shared.deadline import Clock, Deadline, Instant
from sscsi_shared.economy.access import Access
from sscsi_shared.economy.backoff import BackOff
from sscsi_shared.economy.flights import Flights
from sscsi_shared.economy.options import EconomyOptions
from sscsi_shared.economy.sessions import Held, Sessions
from sscsi_shared.economy.sweeper import Sweeper
from sscsi_shared.economy.values import Values
from sscsi_shared.errors import AuthenticationFailed, MountError, ObjectError, OutOfTime, fresh
from sscsi_shared.mount import ObjectT, Place, Read
from sscsi_shared.provider import CredentialT, IdentityT, Login, Provider, RequestT, Session

LOGIN: Final = "login"
"""The lane of logins; reads have one for each kind of object."""


class Economy(Generic[RequestT, ObjectT, IdentityT, CredentialT]):
    """Sessions, values and back-off of one provider.

    Rule: everything is kept under the whole identity, and who asks has proven it before. A session comes first, so that
    a withdrawn trust ends what was read by it, too.

    Args:
        provider: who logs in and reads.
        options: bounds.
        clock: seconds that only grow.
        now: seconds since 1970.
        count: told what became of objects and logins, and of how many: `read`, `hit`, `joined`, `backed_off`,
            `login`, `login_joined`.
        jitter: a number from 0 to 1.
    """

    def __init__(
        self,
        provider: Provider[RequestT, ObjectT, IdentityT, CredentialT],
        options: EconomyOptions,
        *,
        clock: Clock = time.monotonic,
        now: Clock = time.time,
        count: Callable[[str, int], None] = lambda _what, _number: None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._provider = provider
        self._per_pod = options.per_pod
        self._clock = clock
        self._now = now
        self._count = count
        self._values: Values[ObjectT] = Values(
            ttl=options.ttl, pinned_ttl=max(options.ttl, options.max_age), max_bytes=options.max_bytes, clock=clock
        )
        self._sessions: Sessions[ObjectT] = Sessions(
            max_age=options.max_age,
            most=options.most_sessions,
            clock=clock,
            now=now,
            joined=partial(count, "login_joined"),
        )
        self._back_off: BackOff[Hashable] = BackOff(first=options.back_off, clock=clock, jitter=jitter)
        self._flights: Flights[tuple[Access, ObjectT], Read | MountError] = Flights(
            self._known, partial(count, "joined")
        )
        self._sweeper = Sweeper(self.sweep)

    @property
    def per_pod(self) -> bool:
        """Whether no pod shares with another, whatever its class says."""
        return self._per_pod

    @property
    def held_bytes(self) -> int:
        """What the kept contents come to."""
        return self._values.size

    @property
    def held_sessions(self) -> int:
        """How many logins are kept."""
        return len(self._sessions)

    def read(
        self,
        login: Login[IdentityT, CredentialT],
        place: Place,
        objects: Sequence[ObjectT],
        deadline: Deadline,
        *,
        pod_uid: str = "",
    ) -> Mapping[ObjectT, Read | ObjectError]:
        """Exactly one outcome for each object.

        Args:
            login: on whose behalf; its proof has been looked at.
            place: where.
            objects: what.
            deadline: the caller's.
            pod_uid: not empty = share with nobody but this pod.

        Raises:
            AuthenticationFailed: the login was refused.
        """
        access = Access((login.identity, pod_uid), place)
        opened: list[Session[ObjectT]] = []

        def log_in(deadline: Deadline) -> Session[ObjectT]:
            try:
                opened.append(self._open(login, place, deadline))
            except AuthenticationFailed:
                self._values.drop(access.who)
                raise
            return opened[-1]

        try:
            with self._sessions.held(access, log_in, deadline) as held:
                outcomes = self._flights.ask(
                    [(access, one) for one in objects], partial(self._lead, login, held, bool(opened)), deadline
                )
        except ObjectError as error:
            return {one: fresh(error) for one in objects}
        finally:
            self._sweeper.wake()
        return {one: _told(outcomes.get((access, one))) for one in objects}

    def sweep(self) -> bool:
        """Drop what has ended; whether anything is left to look after."""
        left = [self._values.sweep(), self._sessions.sweep(), self._back_off.sweep()]
        return any(left)

    def close(self) -> None:
        """Close the logins that are kept: the process ends."""
        self._sessions.close()

    def _known(self, key: tuple[Access, ObjectT]) -> Read | MountError | None:
        outcome = self._values.get(*key)
        if outcome is not None:
            self._count("hit", 1)
        return outcome

    def _open(self, login: Login[IdentityT, CredentialT], place: Place, deadline: Deadline) -> Session[ObjectT]:
        if deadline.expired:
            raise OutOfTime("There was no time left to log in.")
        lane = (_backend(login), place, LOGIN)
        if (instead := self._back_off.enter(lane, login.identity, f"{place}, login")) is not None:
            self._count("backed_off", 1)
            raise instead
        self._count("login", 1)
        try:
            session = self._provider.open(login, place, deadline)
        except MountError as error:
            self._back_off.note(lane, login.identity, [error])
            raise
        self._back_off.note(lane, login.identity, [session])
        return session

    def _lead(
        self,
        login: Login[IdentityT, CredentialT],
        held: Held[ObjectT],
        fresh_login: bool,
        keys: Sequence[tuple[Access, ObjectT]],
        deadline: Deadline,
    ) -> Mapping[tuple[Access, ObjectT], Read | MountError]:
        """Ask for what nobody asks for yet, and keep it."""
        access = keys[0][0]
        objects = [one for _, one in keys]
        began, moment = self._clock(), self._now()
        outcomes: dict[ObjectT, Read | MountError]
        try:
            found = self._fetch(login, access, held, fresh_login, objects, deadline)
            outcomes = {one: _dated(outcome, moment) for one, outcome in found.items()}
        except AuthenticationFailed as error:
            self._sessions.refuse(access, error)
            self._values.drop(access.who)
            outcomes = dict.fromkeys(objects, fresh(error))
        except MountError as error:
            outcomes = dict.fromkeys(objects, fresh(error))
        for one, outcome in outcomes.items():
            self._values.put(access, one, outcome, began)
        return {(access, one): outcome for one, outcome in outcomes.items()}

    def _fetch(
        self,
        login: Login[IdentityT, CredentialT],
        access: Access,
        held: Held[ObjectT],
        fresh_login: bool,
        objects: Sequence[ObjectT],
        deadline: Deadline,
    ) -> Mapping[ObjectT, Read | ObjectError]:
        """Read; where the backend has ended a session that we kept, once more with a new one."""
        if deadline.expired:
            return dict.fromkeys(objects, OutOfTime("There was no time left to ask the backend."))
        try:
            return self._fetch_open_lanes(login, access, held.session, objects, deadline)
        except AuthenticationFailed:
            self._sessions.drop(access, held)
            if fresh_login:
                raise
        with self._sessions.held(access, partial(self._open, login, access.place), deadline) as again:
            return self._fetch_open_lanes(login, access, again.session, objects, deadline)

    def _fetch_open_lanes(
        self,
        login: Login[IdentityT, CredentialT],
        access: Access,
        session: Session[ObjectT],
        objects: Sequence[ObjectT],
        deadline: Deadline,
    ) -> Mapping[ObjectT, Read | ObjectError]:
        outcomes: dict[ObjectT, Read | ObjectError] = {}
        lanes = {one: (_backend(login), access.place, _lane(one)) for one in objects}
        for lane in dict.fromkeys(lanes.values()):
            if (instead := self._back_off.enter(lane, login.identity, access.place)) is not None:
                outcomes |= {one: instead for one in objects if lanes[one] == lane}
        self._count("backed_off", len(outcomes))
        asked = [one for one in objects if one not in outcomes]
        if asked:
            self._count("read", len(asked))
            found = session.fetch(asked, deadline)
            outcomes |= found
            for lane in dict.fromkeys(lanes[one] for one in asked):
                self._back_off.note(lane, login.identity, [found[one] for one in asked if lanes[one] == lane])
        return outcomes


def _backend(login: Login[IdentityT, CredentialT]) -> Hashable:
    return login.identity if login.backend is None else login.backend


def _lane(one: object) -> Hashable:
    """Whose limits a read counts against, beside the login's backend (provider.py)."""
    return getattr(one, "lane", type(one).__name__)


def _dated(outcome: Read | ObjectError, moment: Instant) -> Read | ObjectError:
    """With the time of its fetch; what is pinned is as true at any time."""
    return replace(outcome, read_at=moment) if isinstance(outcome, Read) and not outcome.pinned else outcome


def _told(outcome: Read | MountError | None) -> Read | ObjectError:
    """An outcome for one mount; an error is a copy, since it is raised there.

    Raises:
        MountError: the session was refused.
    """
    if outcome is None:
        return OutOfTime("The backend did not answer in time.")
    if isinstance(outcome, Read):
        return outcome
    if isinstance(outcome, ObjectError):
        return fresh(outcome)
    raise fresh(outcome)
