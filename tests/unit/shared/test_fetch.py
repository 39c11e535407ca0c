"""Parallel reads in one bounded pool."""

import contextvars
import threading
from collections import Counter

import pytest

from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import AuthenticationFailed, ObjectError, ObjectNotFound, OutOfTime
from sscsi_shared.fetch import POOL_SIZE, fetch_batches, fetch_each, leaf
from sscsi_shared.mount import Read
from sscsi_shared.secret import SecretBytes


def read_of(name: str) -> Read:
    return Read.of(SecretBytes(name.encode()), "1")


def soon() -> Deadline:
    return Deadline.after(20)


def test_one_outcome_for_each_distinct_object_in_order() -> None:
    calls: Counter[str] = Counter()

    def read(name: str, deadline: Deadline) -> Read:
        calls[name] += 1
        if name == "gone":
            raise ObjectNotFound("gone")
        return read_of(name)

    outcomes = fetch_each(read, ["b", "gone", "a", "b"], soon())
    assert list(outcomes) == ["b", "gone", "a"]
    assert (outcomes["a"], outcomes["b"]) == (read_of("a"), read_of("b"))
    assert isinstance(outcomes["gone"], ObjectNotFound)
    assert calls == {"a": 1, "b": 1, "gone": 1}


def test_nothing_to_read() -> None:
    assert fetch_each(lambda name, deadline: read_of(name), [], soon()) == {}


def test_reads_run_at_once_and_see_the_callers_context() -> None:
    role = contextvars.ContextVar("role", default="nobody")
    role.set("web")
    together = threading.Barrier(4)

    def read(name: str, deadline: Deadline) -> Read:
        together.wait(20)
        seen = role.get()
        role.set("changed in the pool")
        return read_of(seen)

    outcomes = fetch_each(read, list("abcd"), soon())
    assert set(outcomes) == set("abcd")
    assert all(outcome == read_of("web") for outcome in outcomes.values())
    assert role.get() == "web"


def test_more_objects_than_threads() -> None:
    running, most, lock = 0, 0, threading.Lock()

    def read(number: int, deadline: Deadline) -> Read:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        with lock:
            running -= 1
        return read_of(str(number))

    outcomes = fetch_each(read, range(5 * POOL_SIZE), soon())
    assert outcomes == {number: read_of(str(number)) for number in range(5 * POOL_SIZE)}
    assert 1 <= most <= POOL_SIZE


def test_what_is_late_is_out_of_time_and_what_has_not_begun_never_begins() -> None:
    release = threading.Event()
    begun: list[int] = []

    def read(number: int, deadline: Deadline) -> Read:
        begun.append(number)
        if number:
            release.wait(20)
        return read_of(str(number))

    try:
        outcomes = fetch_each(read, range(2 * POOL_SIZE), Deadline.after(0.5))
    finally:
        release.set()
    assert outcomes[0] == read_of("0")
    assert all(isinstance(outcomes[number], OutOfTime) for number in range(1, 2 * POOL_SIZE))
    assert fetch_each(lambda number, deadline: read_of("x"), [1], soon()) == {1: read_of("x")}
    assert len(begun) <= POOL_SIZE + 1


@pytest.mark.parametrize("kind", [AuthenticationFailed, ZeroDivisionError, SystemExit])
def test_what_is_no_outcome_ends_them_all_at_once(kind: type[BaseException]) -> None:
    release = threading.Event()

    def read(name: str, deadline: Deadline) -> Read:
        if name == "bad":
            raise kind("refused")
        if name == "gone":
            raise ObjectNotFound("gone")
        release.wait(20)
        return read_of(name)

    deadline = Deadline.after(10)
    try:
        with pytest.raises(kind, match="refused"):
            fetch_each(read, ["slow", "gone", "bad"], deadline)
        assert deadline.remaining() > 5, "it did not wait for the slow one"
    finally:
        release.set()


def test_the_reads_get_the_deadline() -> None:
    deadline = soon()
    seen: list[Deadline] = []

    def read(name: str, given: Deadline) -> Read:
        seen.append(given)
        return read_of(name)

    fetch_each(read, ["a"], deadline)
    assert seen == [deadline]


def test_a_single_read_in_the_pool_has_the_callers_context() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("mine")
    assert leaf(variable.get).result(timeout=10) == "mine"
    with pytest.raises(ZeroDivisionError):
        leaf(lambda: 1 // 0).result(timeout=10)


def test_what_ends_a_batch_is_the_outcome_of_each_object_in_it() -> None:
    gone = ObjectNotFound("gone")

    def ask(batch: tuple[str, ...], deadline: Deadline) -> dict[str, Read | ObjectError]:
        if "bad" in batch:
            raise gone
        return {name: read_of(name) for name in batch if name != "left out"}

    found = fetch_batches(ask, [("a", "left out"), ("b", "bad")], soon())
    assert found == {"a": read_of("a"), "b": gone, "bad": gone}
