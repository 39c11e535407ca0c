"""Points in time, on a clock that the test owns."""

import pytest

from hand import Hand
from sscsi_shared.cancellation import Cancellation
from sscsi_shared.deadline import Deadline


def test_a_deadline_runs_out() -> None:
    clock = Hand(100.0)
    deadline = Deadline.after(10, clock)
    assert deadline == Deadline(110.0, clock)
    assert (deadline.remaining(), deadline.expired) == (10, False)
    clock.at = 109.5
    assert (deadline.remaining(), deadline.expired) == (0.5, False)
    clock.at = 110.0
    assert (deadline.remaining(), deadline.expired) == (0, True)
    clock.at = 1000.0
    assert (deadline.remaining(), deadline.expired) == (0, True)


@pytest.mark.parametrize(("seconds", "allowed"), [(4, 4), (10, 10), (60, 10), (0, 0)])
def test_a_step_takes_no_more_than_is_left(seconds: float, allowed: float) -> None:
    assert Deadline.after(10, Hand()).at_most(seconds) == allowed


def test_the_real_clock_is_monotonic_time() -> None:
    deadline = Deadline.after(3600)
    assert 3590 < deadline.remaining() <= 3600


def test_parts_and_bounds_belong_to_the_same_caller() -> None:
    gone = Cancellation()
    clock = Hand(100.0)
    deadline = Deadline.after(30, clock, gone)
    assert deadline.share(3) == Deadline(110.0, clock, gone)
    assert deadline.share(1) == deadline
    assert deadline.within(4) == Deadline(104.0, clock, gone)
    assert deadline.within(60) == deadline
    clock.at = 130.0
    assert deadline.share(2).expired
    clock.at = 100.0
    gone.cancel("left")
    assert all(one.expired for one in (deadline, deadline.share(2), deadline.within(4)))


def test_a_wait_is_told_that_the_caller_left() -> None:
    gone = Cancellation()
    told: list[str] = []
    deadline = Deadline.after(30, Hand(), gone)
    with deadline.telling(lambda: told.append("left")):
        gone.cancel("left")
    assert told == ["left"]
    with Deadline.after(30, Hand()).telling(lambda: told.append("never")):
        pass
    assert told == ["left"]
