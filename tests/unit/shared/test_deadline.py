"""Points in time, on a clock that the test owns."""

import pytest

from sscsi_shared.deadline import Deadline


class Hand:
    """A clock that stands until it is turned."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def test_a_deadline_runs_out() -> None:
    clock = Hand()
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
