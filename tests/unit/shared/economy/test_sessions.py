"""Logins, kept: bounded in number and age, closed when nobody uses them."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from hand import Hand
from sscsi_shared.deadline import Deadline, Instant
from sscsi_shared.economy.access import Access
from sscsi_shared.economy.sessions import Sessions
from sscsi_shared.economy.values import REFUSED_SECONDS
from sscsi_shared.errors import AuthenticationFailed, BackendUnavailable, MountError, ObjectError, OutOfTime
from sscsi_shared.mount import Place, Read

EAST, WEST = Place("east"), Place("west")
WEB, API = Access("web", EAST), Access("api", EAST)
NOW = 1_700_000_000.0
LONG = 20.0


class OneSession:
    def __init__(self, expires_at: Instant | None = None) -> None:
        self.expires_at = expires_at
        self.closed = 0

    def fetch(self, objects: Sequence[str], deadline: Deadline) -> Mapping[str, Read | ObjectError]:
        raise AssertionError("nobody reads here")

    def close(self) -> None:
        self.closed += 1


class Logins:
    """Sessions under test, and every login that was made."""

    def __init__(self, *, max_age: float = 900, most: int = 256) -> None:
        self.clock = Hand()
        self.made: list[OneSession] = []
        self.lifetime: float | None = 3600
        self.error: MountError | None = None
        self.joined: list[int] = []
        self.sessions: Sessions[str] = Sessions(
            max_age=max_age,
            most=most,
            clock=self.clock,
            now=lambda: NOW + self.clock.at,
            joined=self.joined.append,
        )

    def open(self, deadline: Deadline) -> OneSession:
        if self.error is not None:
            raise self.error
        ends = None if self.lifetime is None else NOW + self.clock.at + self.lifetime
        self.made.append(OneSession(ends))
        return self.made[-1]

    def use(self, access: Access = WEB, login: Callable[[Deadline], OneSession] | None = None) -> int:
        """Which login it was, counted from 0."""
        with self.sessions.held(access, login or self.open, Deadline.after(LONG)) as held:
            assert isinstance(held.session, OneSession)
            assert not held.session.closed
            return self.made.index(held.session)


def test_one_login_serves_an_identity_at_a_place() -> None:
    logins = Logins()
    assert [logins.use(access) for access in (WEB, WEB, API, Access("web", WEST), WEB)] == [0, 0, 1, 2, 0]
    assert len(logins.sessions) == 3


def test_too_old_to_be_trusted_on() -> None:
    logins = Logins(max_age=900)
    logins.use()
    logins.clock.at += 899
    assert logins.use() == 0
    logins.clock.at += 1
    assert logins.use() == 1
    assert logins.made[0].closed == 1


@pytest.mark.parametrize(("lifetime", "used_for"), [(600, 540), (100, 75), (8, 6), (None, 900)])
def test_it_is_left_before_it_ends(lifetime: float | None, used_for: float) -> None:
    logins = Logins()
    logins.lifetime = lifetime
    logins.use()
    logins.clock.at += used_for - 1
    assert logins.use() == 0
    logins.clock.at += 1
    assert logins.use() == 1


def test_one_that_has_ended_when_it_comes_is_used_once() -> None:
    logins = Logins()
    logins.lifetime = -5
    assert [logins.use(), logins.use()] == [0, 1]
    assert [one.closed for one in logins.made] == [1, 1]


def test_the_least_recently_used_is_closed_first() -> None:
    logins = Logins(most=2)
    logins.use(Access("a", EAST))
    logins.use(Access("b", EAST))
    logins.use(Access("a", EAST))
    logins.use(Access("c", EAST))
    assert [one.closed for one in logins.made] == [0, 1, 0]
    assert len(logins.sessions) == 2


def test_who_uses_it_finishes_before_it_is_closed() -> None:
    logins = Logins()
    with logins.sessions.held(WEB, logins.open, Deadline.after(LONG)):
        logins.sessions.drop(WEB)
        assert logins.made[0].closed == 0
        assert logins.use() == 1
    assert [one.closed for one in logins.made] == [1, 0]


def test_only_the_one_that_was_meant_is_dropped() -> None:
    logins = Logins()
    with logins.sessions.held(WEB, logins.open, Deadline.after(LONG)) as first:
        logins.sessions.drop(WEB, first)
        logins.use()
        logins.sessions.drop(WEB, first)
    assert logins.use() == 1


def test_a_refused_login_is_remembered_and_ends_the_identity_everywhere() -> None:
    logins = Logins()
    logins.use(WEB)
    logins.use(API)
    logins.error = AuthenticationFailed("no such role")
    with pytest.raises(AuthenticationFailed, match="no such role"):
        logins.use(Access("web", WEST))
    assert [one.closed for one in logins.made] == [1, 0]
    logins.error = None
    with pytest.raises(AuthenticationFailed, match="no such role"):
        logins.use(Access("web", WEST))
    assert logins.use(API) == 1
    logins.clock.at += REFUSED_SECONDS
    assert logins.use(Access("web", WEST)) == 2


def test_trouble_is_not_remembered_here() -> None:
    logins = Logins()
    logins.error = BackendUnavailable("no answer")
    with pytest.raises(BackendUnavailable):
        logins.use()
    logins.error = None
    assert logins.use() == 0


def test_the_error_of_each_is_its_own() -> None:
    logins = Logins()
    logins.error = AuthenticationFailed("no")
    errors = []
    for _ in range(2):
        with pytest.raises(AuthenticationFailed) as caught:
            logins.use()
        errors.append(caught.value)
    assert errors[0] is not errors[1]
    assert errors[1].__cause__ is None


def test_no_age_no_keeping() -> None:
    logins = Logins(max_age=0)
    assert [logins.use(), logins.use()] == [0, 1]
    assert [one.closed for one in logins.made] == [1, 1]
    assert len(logins.sessions) == 0


@pytest.mark.parametrize("max_age", [0, 900])
def test_all_who_come_at_once_share_one_login(max_age: float) -> None:
    logins = Logins(max_age=max_age)
    begun, go = threading.Event(), threading.Event()
    users = threading.Barrier(10)

    def slow(deadline: Deadline) -> OneSession:
        begun.set()
        assert go.wait(LONG)
        return logins.open(deadline)

    def use() -> None:
        with logins.sessions.held(WEB, slow, Deadline.after(LONG)) as held:
            users.wait(LONG)
            assert isinstance(held.session, OneSession)
            assert not held.session.closed

    with ThreadPoolExecutor(10) as pool:
        first = pool.submit(use)
        assert begun.wait(LONG)
        others = [pool.submit(use) for _ in range(9)]
        while sum(logins.joined) < 9:
            threading.Event().wait(0.01)
        go.set()
        for future in (first, *others):
            future.result(LONG)
    assert len(logins.made) == 1
    assert logins.made[0].closed == (0 if max_age else 1)


def test_no_time_to_wait_for_anothers_login() -> None:
    logins = Logins()
    begun, go = threading.Event(), threading.Event()

    def slow(deadline: Deadline) -> OneSession:
        begun.set()
        assert go.wait(LONG)
        return logins.open(deadline)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(logins.use, WEB, slow)
        assert begun.wait(LONG)
        with pytest.raises(OutOfTime), logins.sessions.held(WEB, logins.open, Deadline.after(0.05)):
            raise AssertionError("there was no session")
        go.set()
        first.result(LONG)


def test_the_timer_closes_what_nobody_asks_for() -> None:
    logins = Logins()
    logins.use()
    assert logins.sessions.sweep()
    logins.clock.at += 900
    assert not logins.sessions.sweep()
    assert (logins.made[0].closed, len(logins.sessions)) == (1, 0)
