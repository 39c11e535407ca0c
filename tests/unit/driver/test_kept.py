"""Answers of the API server: for how long they count, who asks, and what a silent one costs."""

import threading
from collections.abc import Callable

import grpc
import pytest

from hand import Hand
from sscsi_driver.errors import ErrorType, PublishError
from sscsi_driver.kept import Kept
from sscsi_driver.kube import Silent

SILENT = Silent("get it", "nobody there")
REFUSED = PublishError("no such class", code=grpc.StatusCode.UNKNOWN, error_type=ErrorType.CLASS_NOT_FOUND)


class Source:
    """Answers with the number of the question, or fails."""

    def __init__(self) -> None:
        self.asked = 0
        self.failure: PublishError | None = None

    def __call__(self) -> int:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return self.asked


def kept_of(hand: Hand, source: Callable[[], int]) -> Callable[[], int]:
    kept: Kept[int] = Kept(hand)
    return lambda: kept.get("class shop/db", source)


def test_an_answer_counts_for_ten_seconds() -> None:
    hand, source = Hand(), Source()
    get = kept_of(hand, source)
    seen = []
    for passed in (0, 9, 1, 0):
        hand.at += passed
        seen.append(get())
    assert seen == [1, 1, 2, 2]


def test_a_failure_counts_for_two_seconds() -> None:
    hand, source = Hand(), Source()
    source.failure = REFUSED
    get = kept_of(hand, source)
    for passed in (0, 0.5, 1):
        hand.at += passed
        with pytest.raises(PublishError, match="no such class"):
            get()
    assert source.asked == 1
    hand.at += 0.5
    source.failure = None
    assert get() == 2


def test_a_refusal_ends_what_was_known() -> None:
    hand, source = Hand(), Source()
    get = kept_of(hand, source)
    get()
    hand.at += 10
    source.failure = REFUSED
    with pytest.raises(PublishError):
        get()
    hand.at += 2
    source.failure = SILENT
    with pytest.raises(PublishError, match="nobody there"):
        get()


def test_a_silent_server_is_asked_every_ten_seconds_while_the_last_answer_serves(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hand, source = Hand(), Source()
    get = kept_of(hand, source)
    get()
    source.failure = SILENT
    for _ in range(59):
        hand.at += 10
        assert [get(), get()] == [1, 1]
    assert source.asked == 60
    assert caplog.text.count("class shop/db is used as it was") == 1
    hand.at += 10
    with pytest.raises(PublishError, match="nobody there"):
        get()
    source.failure = None
    hand.at += 10
    assert get() == 62, "stale for 10 minutes, not for ever"


def test_equal_questions_at_one_time_are_one() -> None:
    asked, go = threading.Semaphore(0), threading.Event()
    count = 0

    def slow() -> int:
        nonlocal count
        count += 1
        asked.release()
        assert go.wait(10)
        return count

    get = kept_of(Hand(), slow)
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(get())) for _ in range(100)]
    for thread in threads:
        thread.start()
    assert asked.acquire(timeout=10)
    go.set()
    for thread in threads:
        thread.join(10)
    assert answers == [1] * 100


def test_of_many_the_latest_are_kept() -> None:
    kept: Kept[int] = Kept(Hand())
    source = Source()
    for number in range(1001):
        kept.get(f"class shop/{number}", source)
    kept.get("class shop/1000", source)
    assert source.asked == 1001
    kept.get("class shop/0", source)
    assert source.asked == 1002
