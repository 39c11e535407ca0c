"""Single flight: equal questions at one time are asked once."""

import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Final, Generic, TypeAlias, TypeVar

from sscsi_shared.cancellation import Cancellation
from sscsi_shared.deadline import Deadline

KeyT = TypeVar("KeyT", bound=Hashable)
OutcomeT = TypeVar("OutcomeT")

Lead: TypeAlias = Callable[[Sequence[KeyT], Deadline], Mapping[KeyT, OutcomeT]]
"""Asks for some keys; one outcome for each."""


class FlightCrashed(RuntimeError):
    """The mount that asked for all of us met a mistake of our own; it has the incident."""


class Flights(Generic[KeyT, OutcomeT]):
    """Questions on their way.

    Who asks first leads: its own thread asks, for everybody. The others wait, each for as long as it may. When a leader
    gives up, it asks on for those who still wait; when nobody waits, the question is dropped. When a leader's time is
    up, it answers its own caller, and one of those who have time left asks anew.

    Args:
        known: the outcome of a key that needs no asking any more; asked under a lock. `lead` must see to it that what
            it brought is known before it returns, or it may be asked for once more.
        joined: told how many keys were joined to a flight of somebody else's.
    """

    def __init__(
        self, known: Callable[[KeyT], OutcomeT | None], joined: Callable[[int], None] = lambda _number: None
    ) -> None:
        self._known = known
        self._joined = joined
        self._lock = threading.Lock()
        self._flights: dict[KeyT, _Flight[KeyT, OutcomeT]] = {}

    def ask(self, keys: Sequence[KeyT], lead: "Lead[KeyT, OutcomeT]", deadline: Deadline) -> Mapping[KeyT, OutcomeT]:
        """An outcome for each key; those for which the time was too short are missing.

        Raises:
            FlightCrashed: `lead` of somebody else raised something.
            Exception: what our own `lead` raised.
        """
        found: dict[KeyT, OutcomeT] = {}
        rest = list(dict.fromkeys(keys))
        while rest:
            flight, joined = self._sort(rest, found)
            if flight is not None:
                found.update(self._lead(flight, lead, deadline))
            for other, theirs in joined.items():
                outcomes = other.wait(deadline)
                found |= {key: outcomes[key] for key in theirs if key in outcomes}
            own = flight.keys if flight is not None else frozenset()
            rest = [key for key in rest if key not in found and key not in own]
            if deadline.expired:
                break
        return found

    def _sort(
        self, keys: Sequence[KeyT], found: dict[KeyT, OutcomeT]
    ) -> "tuple[_Flight[KeyT, OutcomeT] | None, dict[_Flight[KeyT, OutcomeT], list[KeyT]]]":
        """What is known goes into `found`; a flight for what nobody asks for; the flights of others that we joined."""
        own: list[KeyT] = []
        joined: dict[_Flight[KeyT, OutcomeT], list[KeyT]] = {}
        with self._lock:
            for key in keys:
                outcome = self._known(key)
                if outcome is not None:
                    found[key] = outcome
                    continue
                flight = self._flights.get(key)
                if flight is not None and (flight in joined or flight.board()):
                    joined.setdefault(flight, []).append(key)
                else:
                    own.append(key)
            mine = _Flight[KeyT, OutcomeT](own) if own else None
            if mine is not None:
                self._flights |= dict.fromkeys(own, mine)
        self._joined(sum(map(len, joined.values())))
        return mine, joined

    def _lead(
        self, flight: "_Flight[KeyT, OutcomeT]", lead: "Lead[KeyT, OutcomeT]", deadline: Deadline
    ) -> Mapping[KeyT, OutcomeT]:
        outcomes: Mapping[KeyT, OutcomeT] = {}
        crashed = True
        limits = Deadline(deadline.at, deadline.clock, flight.cancellation)
        try:
            with deadline.telling(flight.leave):
                outcomes = lead(list(flight.keys), limits)
            crashed = False
            return outcomes
        finally:
            with self._lock:
                for key in flight.keys:
                    if self._flights.get(key) is flight:
                        del self._flights[key]
            # What a flight brought after its time is nothing that others should take for an answer.
            flight.land({} if limits.expired else outcomes, crashed=crashed)


class _Flight(Generic[KeyT, OutcomeT]):
    """A group of keys that one thread asks for, and how many wait for any of them."""

    def __init__(self, keys: Sequence[KeyT]) -> None:
        self.keys: Final = dict.fromkeys(keys).keys()
        self.cancellation: Final = Cancellation()
        self._changed = threading.Condition()
        self._waiting = 1
        self._landed = False
        self._crashed = False
        self._outcomes: Mapping[KeyT, OutcomeT] = {}

    def board(self) -> bool:
        """Wait with the others; False if it is too late for that."""
        with self._changed:
            if self._landed or not self._waiting:
                return False
            self._waiting += 1
            return True

    def leave(self) -> None:
        """Wait no longer; the last one ends the flight."""
        with self._changed:
            self._waiting -= 1
            last = self._waiting == 0
        if last:
            self.cancellation.cancel("nobody waits for the answer")

    def wait(self, deadline: Deadline) -> Mapping[KeyT, OutcomeT]:
        """The outcomes, once it has landed; none if our time ends before, or its leader's did."""
        try:
            with deadline.telling(self._wake), self._changed:
                while not self._landed and not deadline.expired:
                    self._changed.wait(deadline.remaining())
                if self._crashed:
                    raise FlightCrashed
                return self._outcomes
        finally:
            self.leave()

    def land(self, outcomes: Mapping[KeyT, OutcomeT], *, crashed: bool) -> None:
        with self._changed:
            self._outcomes = outcomes
            self._crashed = crashed
            self._landed = True
            self._changed.notify_all()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
