"""Back-off that all pods share."""

import pytest

from hand import Hand
from sscsi_shared.economy.backoff import MAX_ASKED_SECONDS, MAX_SECONDS, MAX_SILENT_SECONDS, BackOff
from sscsi_shared.errors import (
    AccessDenied,
    AuthenticationFailed,
    BackendThrottled,
    BackendUnavailable,
    ObjectError,
    ObjectNotFound,
    OutOfTime,
)

THROTTLED = BackendThrottled("role web asked too often for secret shop/db")
SILENT = BackendUnavailable("no answer about secret shop/db")


def back_off(clock: Hand, *, first: float = 1.0, jitter: float = 0.5) -> BackOff[str]:
    return BackOff(first=first, clock=clock, jitter=lambda: jitter)


def test_an_open_lane() -> None:
    assert back_off(Hand()).enter("east", "web", "east") is None


@pytest.mark.parametrize("error", [THROTTLED, SILENT])
def test_closed_for_a_while_then_one_goes_first(error: BackendThrottled | BackendUnavailable) -> None:
    clock = Hand()
    lanes = back_off(clock)
    lanes.note("east", "web", [error])
    instead = lanes.enter("east", "web", "east")
    assert type(instead) is type(error)
    assert instead.retry_after == 1.0
    assert lanes.enter("west", "web", "west") is None
    clock.at += 1
    assert lanes.enter("east", "web", "east") is None, "one goes first"
    assert lanes.enter("east", "web", "east") is not None, "the others wait for how it goes"
    lanes.note("east", "web", ["an answer"])
    assert lanes.enter("east", "web", "east") is None


def test_the_text_speaks_of_the_backend_alone_and_stays_the_same() -> None:
    clock = Hand()
    lanes = back_off(clock)
    lanes.note("east", "web", [THROTTLED])
    first = lanes.enter("east", "web", "eu-east-1")
    clock.at += 0.3
    assert str(first) == str(lanes.enter("east", "web", "eu-east-1"))
    assert "shop/db" not in str(first)
    assert "web" not in str(first)
    assert str(first).startswith("eu-east-1: ")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (THROTTLED, [1, 2, 4, 8, 16, MAX_SECONDS, MAX_SECONDS]),
        (SILENT, [1, 2, 4, *[MAX_SILENT_SECONDS] * 4]),
    ],
)
def test_twice_as_long_each_time_up_to_a_bound(error: ObjectError, expected: list[float]) -> None:
    clock = Hand()
    lanes = back_off(clock)
    waits = []
    for _ in expected:
        lanes.note("east", "web", [error])
        instead = lanes.enter("east", "web", "east")
        assert instead is not None
        waits.append(instead.retry_after)
        clock.at += 1000
    assert waits == expected


def test_ten_seconds_after_a_long_silence_everybody_is_back() -> None:
    clock = Hand()
    lanes = back_off(clock, jitter=1.0)
    for _ in range(100):
        lanes.note("east", "web", [SILENT])
    clock.at += 10
    assert lanes.enter("east", "web", "east") is None


@pytest.mark.parametrize(("jitter", "wait"), [(0.0, 0.5), (1.0, 1.5)])
def test_jitter(jitter: float, wait: float) -> None:
    lanes = back_off(Hand(), jitter=jitter)
    lanes.note("east", "web", [SILENT])
    instead = lanes.enter("east", "web", "east")
    assert instead is not None
    assert instead.retry_after == wait


@pytest.mark.parametrize(("asked", "wait"), [(7, 7), (0.1, 1.0), (86400, MAX_ASKED_SECONDS)])
def test_the_backends_own_word_counts_within_bounds(asked: float, wait: float) -> None:
    lanes = back_off(Hand())
    lanes.note("east", "web", [BackendThrottled("x", retry_after=asked)])
    instead = lanes.enter("east", "web", "east")
    assert instead is not None
    assert instead.retry_after == wait


@pytest.mark.parametrize(
    ("outcomes", "closed"),
    [
        ([THROTTLED, "content"], True),
        ([SILENT, SILENT], True),
        ([SILENT, OutOfTime("x")], True),
        ([SILENT, "content"], False),
        ([SILENT, ObjectNotFound("x")], False),
        ([AccessDenied("x")], False),
        ([AuthenticationFailed("x")], False),
        ([OutOfTime("x")], False),
        ([], False),
    ],
)
def test_what_closes_a_lane(outcomes: list[object], closed: bool) -> None:
    lanes = back_off(Hand())
    lanes.note("east", "web", outcomes)
    assert (lanes.enter("east", "web", "east") is not None) is closed


def test_our_own_haste_opens_no_lane() -> None:
    lanes = back_off(Hand())
    lanes.note("east", "web", [SILENT])
    lanes.note("east", "web", [OutOfTime("x")])
    assert lanes.enter("east", "web", "east") is not None


def test_off() -> None:
    lanes = back_off(Hand(), first=0)
    lanes.note("east", "web", [THROTTLED])
    assert lanes.enter("east", "web", "east") is None


def test_forgotten_after_a_while() -> None:
    clock = Hand()
    lanes = back_off(clock)
    lanes.note("east", "web", [SILENT])
    assert lanes.sweep()
    clock.at += 700
    assert not lanes.sweep()


def test_what_one_alone_meets_stops_nobody_else() -> None:
    clock = Hand()
    lanes = back_off(clock)
    lanes.note("east", "web", [SILENT])
    assert lanes.enter("east", "web", "east") is not None
    assert lanes.enter("east", "api", "east") is None
    lanes.note("east", "api", [SILENT])
    assert lanes.enter("east", "batch", "east") is not None, "two have met it: it is the backend"
    lanes.note("east", "batch", ["an answer"])
    lanes.note("east", "web", [SILENT])
    assert lanes.enter("east", "api", "east") is None


def test_throttling_is_everybodys() -> None:
    lanes = back_off(Hand())
    lanes.note("east", "web", [THROTTLED])
    assert lanes.enter("east", "api", "east") is not None
