"""Parallel reads for SDKs that read one object at a time.

One bounded pool for the process. Only leaf reads enter it: a read that waited for another one in the pool could wait
for ever.
"""

import contextvars
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import ObjectError, OutOfTime

ObjectT = TypeVar("ObjectT", bound=Hashable)
OutcomeT = TypeVar("OutcomeT")

POOL_SIZE: Final = 32
"""Threads. They begin when they are first needed."""
_pool: Final = ThreadPoolExecutor(POOL_SIZE, thread_name_prefix="fetch")


def leaf(call: Callable[[], OutcomeT]) -> "Future[OutcomeT]":
    """Begin one read in the pool, with the caller's context variables. It must not wait for another one."""
    return _pool.submit(contextvars.copy_context().run, call)


def fetch_each(
    read: Callable[[ObjectT, Deadline], OutcomeT], objects: Sequence[ObjectT], deadline: Deadline
) -> Mapping[ObjectT, OutcomeT | ObjectError]:
    """Read each distinct object once, in parallel; one outcome for each.

    The caller's context variables hold in the pool's threads. A read that has not begun when this returns or raises
    never will; one that has is left to end by the deadline that it was given.

    Args:
        read: reads one object; raises ObjectError for that object alone. It should give up by the deadline itself.
        objects: what to read.
        deadline: reads that have not ended by then, or when the caller gives up, come out as OutOfTime.

    Raises:
        AuthenticationFailed: a read found the login refused, or anything else that is no ObjectError: it ends them all
            at once. Of several the one for the first object.
    """
    wanted = list(dict.fromkeys(objects))
    flights: dict[ObjectT, Future[OutcomeT | ObjectError]] = {}
    landing = _Landing(len(wanted))
    try:
        for one in wanted:
            flights[one] = _pool.submit(contextvars.copy_context().run, _outcome, read, one, deadline)
            flights[one].add_done_callback(landing.landed)
        with deadline.telling(landing.enough.set):
            landing.enough.wait(deadline.remaining())
        return {
            one: flight.result() if flight.done() else OutOfTime("The backend did not answer in time.")
            for one, flight in flights.items()
        }
    finally:
        for flight in flights.values():
            flight.cancel()


def fetch_batches(
    ask: Callable[[tuple[ObjectT, ...], Deadline], Mapping[ObjectT, OutcomeT | ObjectError]],
    batches: Sequence[tuple[ObjectT, ...]],
    deadline: Deadline,
) -> dict[ObjectT, OutcomeT | ObjectError]:
    """Ask for batches, in parallel as `fetch_each`; what ends a batch is the outcome of each object in it.

    Args:
        ask: reads one batch; may leave objects out.
        batches: what to read.
        deadline: see `fetch_each`.

    Raises:
        AuthenticationFailed: see `fetch_each`.
    """
    found: dict[ObjectT, OutcomeT | ObjectError] = {}
    for batch, outcome in fetch_each(ask, batches, deadline).items():
        found |= dict.fromkeys(batch, outcome) if isinstance(outcome, ObjectError) else outcome
    return found


class _Landing:
    """Says when it is enough: all flights have landed, one has crashed, or the caller gave up."""

    def __init__(self, flights: int) -> None:
        self.enough: Final = threading.Event()
        self._lock = threading.Lock()
        self._left = flights
        if not flights:
            self.enough.set()

    def landed(self, flight: Future[Any]) -> None:
        with self._lock:
            self._left -= 1
            last = self._left == 0
        if last or flight.cancelled() or flight.exception() is not None:
            self.enough.set()


def _outcome(read: Callable[[ObjectT, Deadline], OutcomeT], one: ObjectT, deadline: Deadline) -> OutcomeT | ObjectError:
    """An ObjectError becomes a value, so that only what ends all reads counts as an exception of a flight."""
    try:
        return read(one, deadline)
    except ObjectError as error:
        return error
