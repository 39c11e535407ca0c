"""Single flight, with threads that meet where the test wants them to."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from hand import Hand
from sscsi_shared.cancellation import Cancellation
from sscsi_shared.deadline import Clock, Deadline
from sscsi_shared.economy.flights import FlightCrashed, Flights

LONG = 20.0


class Backend:
    """Counts what it is asked for; answers when it is let."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.begun = threading.Semaphore(0)
        self.answer = threading.Event()
        self.limits: list[Deadline] = []
        self.error: Exception | None = None

    def lead(self, keys: Sequence[str], deadline: Deadline) -> Mapping[str, str]:
        self.asked.append(list(keys))
        self.limits.append(deadline)
        self.begun.release()
        with deadline.telling(self.answer.set):
            assert self.answer.wait(LONG)
        if self.error is not None:
            raise self.error
        return {} if deadline.expired else {key: key.upper() for key in keys}


class Crowd:
    """Threads that ask."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.known: dict[str, str] = {}
        self.joins: list[int] = []
        self.joined = threading.Semaphore(0)
        self.backend = Backend()
        self.flights: Flights[str, str] = Flights(self.known.get, self._join)
        self._pool = pool

    def _join(self, number: int) -> None:
        self.joins.append(number)
        if number:
            self.joined.release()

    def ask(
        self,
        *keys: str,
        seconds: float = LONG,
        clock: Clock = time.monotonic,
        cancellation: Cancellation | None = None,
    ) -> "Future[Mapping[str, str]]":
        deadline = Deadline.after(seconds, clock, cancellation)
        return self._pool.submit(self.flights.ask, keys, self.backend.lead, deadline)

    def leader(self, *keys: str, **more: object) -> "Future[Mapping[str, str]]":
        future = self.ask(*keys, **more)  # type: ignore[arg-type]
        assert self.backend.begun.acquire(timeout=LONG)
        return future

    def joiner(self, *keys: str, **more: object) -> "Future[Mapping[str, str]]":
        future = self.ask(*keys, **more)  # type: ignore[arg-type]
        assert self.joined.acquire(timeout=LONG)
        return future


@pytest.fixture
def all_of_us() -> Iterator[Crowd]:
    with ThreadPoolExecutor(64) as pool:
        yield Crowd(pool)


def test_equal_questions_are_asked_once(all_of_us: Crowd) -> None:
    futures = [all_of_us.leader("a", "b")] + [all_of_us.joiner("b", "a") for _ in range(20)]
    all_of_us.backend.answer.set()
    assert [future.result(LONG) for future in futures] == [{"a": "A", "b": "B"}] * 21
    assert all_of_us.backend.asked == [["a", "b"]]
    assert sum(all_of_us.joins) == 40


def test_only_what_nobody_asks_for_is_asked_for(all_of_us: Crowd) -> None:
    all_of_us.known["k"] = "known"
    first = all_of_us.leader("a", "b")
    second = all_of_us.leader("b", "c", "k", "c")
    all_of_us.backend.answer.set()
    assert second.result(LONG) == {"b": "B", "c": "C", "k": "known"}
    assert first.result(LONG) == {"a": "A", "b": "B"}
    assert all_of_us.backend.asked == [["a", "b"], ["c"]]


def test_what_is_known_needs_nobody(all_of_us: Crowd) -> None:
    all_of_us.known["k"] = "known"
    assert all_of_us.ask("k", seconds=0).result(LONG) == {"k": "known"}
    assert all_of_us.backend.asked == []


def test_who_gives_up_waits_no_longer_and_the_flight_goes_on(all_of_us: Crowd) -> None:
    leaders, joiners = Cancellation(), Cancellation()
    leader = all_of_us.leader("a", cancellation=leaders)
    impatient = all_of_us.joiner("a", cancellation=joiners)
    patient = all_of_us.joiner("a")
    joiners.cancel("gone")
    assert impatient.result(LONG) == {}
    leaders.cancel("gone")
    assert not leader.done()
    all_of_us.backend.answer.set()
    assert patient.result(LONG) == {"a": "A"}
    assert all_of_us.backend.asked == [["a"]]


def test_a_flight_ends_when_nobody_waits(all_of_us: Crowd) -> None:
    leaders, joiners = Cancellation(), Cancellation()
    leader = all_of_us.leader("a", cancellation=leaders)
    joiner = all_of_us.joiner("a", cancellation=joiners)
    leaders.cancel("gone")
    assert all_of_us.backend.limits[0].remaining() > 0
    joiners.cancel("gone")
    assert joiner.result(LONG) == leader.result(LONG) == {}
    assert all_of_us.backend.limits[0].expired
    all_of_us.backend.answer.set()
    assert all_of_us.ask("a").result(LONG) == {"a": "A"}, "the next one asks anew"


def test_nobody_joins_a_flight_that_was_given_up(all_of_us: Crowd) -> None:
    gone = Cancellation()

    def lead_slowly(keys: Sequence[str], deadline: Deadline) -> Mapping[str, str]:
        all_of_us.backend.begun.release()
        assert all_of_us.backend.answer.wait(LONG)
        return {}

    pool = ThreadPoolExecutor(1)
    slow = pool.submit(all_of_us.flights.ask, ["a"], lead_slowly, Deadline.after(LONG, cancellation=gone))
    assert all_of_us.backend.begun.acquire(timeout=LONG)
    gone.cancel("gone")
    fresh = all_of_us.leader("a")
    all_of_us.backend.answer.set()
    assert fresh.result(LONG) == {"a": "A"}
    assert slow.result(LONG) == {}


def test_when_the_leaders_time_is_up_one_of_the_others_asks_anew(all_of_us: Crowd) -> None:
    leaders_clock = Hand()
    leader = all_of_us.leader("a", clock=leaders_clock)
    others = [all_of_us.joiner("a") for _ in range(5)]
    leaders_clock.at += LONG
    all_of_us.backend.answer.set()
    assert leader.result(LONG) == {}
    assert [other.result(LONG) for other in others] == [{"a": "A"}] * 5
    assert 2 <= len(all_of_us.backend.asked) <= 6


def test_a_joiner_whose_time_is_up_leaves(all_of_us: Crowd) -> None:
    leader = all_of_us.leader("a")
    assert all_of_us.joiner("a", seconds=0.05).result(LONG) == {}
    all_of_us.backend.answer.set()
    assert leader.result(LONG) == {"a": "A"}


def test_a_mistake_of_the_leaders_is_told_to_all(all_of_us: Crowd) -> None:
    all_of_us.backend.error = ZeroDivisionError("of course")
    leader, joiner = all_of_us.leader("a"), all_of_us.joiner("a")
    all_of_us.backend.answer.set()
    with pytest.raises(ZeroDivisionError):
        leader.result(LONG)
    with pytest.raises(FlightCrashed):
        joiner.result(LONG)
    all_of_us.backend.error = None
    assert all_of_us.ask("a").result(LONG) == {"a": "A"}


def test_two_who_need_each_others_answers(all_of_us: Crowd) -> None:
    first = all_of_us.leader("a")
    second = all_of_us.leader("b")
    both = [all_of_us.joiner("a", "b"), all_of_us.joiner("b", "a")]
    all_of_us.backend.answer.set()
    assert {**first.result(LONG), **second.result(LONG)} == {"a": "A", "b": "B"}
    assert [one.result(LONG) for one in both] == [{"a": "A", "b": "B"}] * 2
