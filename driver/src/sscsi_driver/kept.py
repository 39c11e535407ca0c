"""Answers that are kept for a while: equal questions at one time are asked once, failures are kept too, but shortly."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from sscsi_driver.errors import PublishError
from sscsi_driver.kube import Silent
from sscsi_driver.said import Said
from sscsi_shared.deadline import Clock

log = logging.getLogger(__name__)

T = TypeVar("T")

KEPT_SECONDS: Final = 10.0
STALE_SECONDS: Final = 600.0
"""How long an answer serves on while the API server is silent."""
FAILED_SECONDS: Final = 2.0
"""How long a failure is everybody's: kubelet's first retries come after 0.5, 1 and 2 s."""
_MAX_KEPT: Final = 1000


@dataclass(slots=True)
class _Entry(Generic[T]):
    flight: threading.Lock = field(default_factory=threading.Lock)
    answer: tuple[float, T] | None = None
    failure: tuple[float, PublishError] | None = None


class Kept(Generic[T]):
    """Answers by what they are about; of many the latest 1000.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry[T]] = OrderedDict()
        self._said = Said()

    def get(self, about: str, ask: Callable[[], T]) -> T:
        """The answer: one of the last 10 s, a new one, or, while the API server is silent, one of the last 10 min.

        Who asks first asks for all who come meanwhile; they wait as long as it does.

        Args:
            about: `class shop/db`; for the log too.
            ask: raises what it can't answer as PublishError.

        Raises:
            PublishError: what `ask` raised, up to 2 s ago.
        """
        entry = self._entry(about)
        if (answer := entry.answer) is not None and self._age(answer) < KEPT_SECONDS:
            return answer[1]
        with entry.flight:
            if self._is_due(entry):
                self._ask(about, entry, ask)
            return self._answer(about, entry)

    def _age(self, of: tuple[float, object]) -> float:
        return self._clock() - of[0]

    def _is_due(self, entry: _Entry[T]) -> bool:
        if entry.answer is None:
            return entry.failure is None or self._age(entry.failure) >= FAILED_SECONDS
        return min(self._age(one) for one in (entry.answer, entry.failure) if one is not None) >= KEPT_SECONDS

    def _entry(self, about: str) -> _Entry[T]:
        with self._lock:
            entry = self._entries.setdefault(about, _Entry())
            self._entries.move_to_end(about)
            while len(self._entries) > _MAX_KEPT:
                self._entries.popitem(last=False)
            return entry

    def _ask(self, about: str, entry: _Entry[T], ask: Callable[[], T]) -> None:
        try:
            answer = ask()
        except PublishError as error:
            entry.failure = self._clock(), error
            if not isinstance(error, Silent):  # it is known that the last answer holds no more
                entry.answer = None
        else:
            entry.answer, entry.failure = (self._clock(), answer), None
            self._said.over(about)

    def _answer(self, about: str, entry: _Entry[T]) -> T:
        failure, answer = entry.failure, entry.answer
        if failure is not None and (answer is None or self._age(answer) >= STALE_SECONDS):
            raise failure[1].saying(failure[1].message) from failure[1]
        if answer is None:
            raise AssertionError("an answer or a failure is there once somebody has asked")
        if failure is not None and self._said.is_news(about, "silent"):
            log.warning("the API server does not answer; %s is used as it was", about)
        return answer[1]
