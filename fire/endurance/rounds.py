"""Calls, several at once, in rounds between which nothing is in progress."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from fire.endurance.holding import Course, Holding, expect_no_growth, holding

AT_ONCE = 8
_ROUND = 100


def run(course: Course, pid: int, most_mib: float, call: Callable[[int], None]) -> tuple[int, Holding, Holding]:
    """Make the calls; how many there were, and what the process held after the warm-up and at the end.

    Args:
        course: how many.
        pid: of the daemon.
        most_mib: the most that it may hold.
        call: makes one of a number; raises where its answer is wrong.

    Raises:
        Broken: the daemon holds more and more.
    """
    done, began = 0, time.monotonic()
    warm: Holding | None = None
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while warm is None or course.goes_on(done, began):
            list(pool.map(call, range(done, done + _ROUND)))
            done += _ROUND
            if warm is None and done >= course.warm_up:
                time.sleep(1)
                warm = holding(pid)
    return done, warm, expect_no_growth(pid, warm, most_mib)
