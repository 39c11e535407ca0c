"""What the steps of the demo prove with."""

import time
from collections.abc import Callable
from typing import Final

WAIT_SECONDS: Final = 15.0


class NotShown(Exception):
    """A step did not prove what it says."""


def expect(true: bool, otherwise: str) -> None:
    """Go on only if it is true.

    Raises:
        NotShown: it is not.
    """
    if not true:
        raise NotShown(otherwise)


def until(true: Callable[[], bool], otherwise: str) -> None:
    """Go on once it is true.

    Raises:
        NotShown: it is not within WAIT_SECONDS.
    """
    ends = time.monotonic() + WAIT_SECONDS
    while not true():
        expect(time.monotonic() < ends, otherwise)
        time.sleep(0.01)
