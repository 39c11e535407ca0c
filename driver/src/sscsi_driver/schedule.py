"""PURE: which filled volumes are asked for again now, which later, and what they wait for.

Volumes that share class and identity are one group: they come due together, so that the provider reads once for all of
them. Time is injected: `clock` only grows and drives intervals, `now` is the wall's and only judges tokens.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final, TypeAlias

from sscsi_shared.deadline import Clock, Instant

TOKEN_SECONDS: Final = 60.0
"""A service account token that ends sooner is not used: kubelet sends a newer one with the next publish."""
FIRST_BACKOFF_SECONDS: Final = 2.0
MAX_BACKOFF_SECONDS: Final = 300.0
MAX_RETRY_AFTER_SECONDS: Final = 3600.0
"""A backend may ask for more patience than this; a class's author may have chosen that backend."""
JITTER: Final = 0.1
"""How much later than the interval a round may come, as a share of it, so that nodes don't come all at once."""
AT_ONCE: Final = 8
"""Volumes of one provider that are fetched at the same time: a provider that hangs holds up no other."""


@dataclass(frozen=True, slots=True)
class Group:
    """Whose volumes come due together.

    Attributes:
        namespace: of pods and class.
        of_class: the class's name.
        account: the service account.
        variant: tells pods apart that ask for more than the class says.
    """

    namespace: str
    of_class: str
    account: str = ""
    variant: str = ""


class State(Enum):
    """What a volume waits for."""

    WAITING = "its interval"
    DUE = "a worker"
    FETCHING = "the provider"
    TOKENS = "tokens"
    BACKED_OFF = "a provider or backend in trouble"


class Ended(Enum):
    """How a fetch ended, for the schedule."""

    FILLED = "the volume is up to date"
    FAILED = "refused: the next try is at the next round"
    BACKEND_TROUBLE = "the backend throttles or is down: the group backs off"
    PROVIDER_TROUBLE = "the provider is not there: all of its volumes back off"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A fetch that has ended.

    Attributes:
        ended: how.
        provider: who was asked, once that is known.
        interval: seconds between two rounds, as the class now says, where the volume was filled; None = never.
        retry_after: seconds that the backend asks to be left alone.
    """

    ended: Ended
    provider: str = ""
    interval: float | None = None
    retry_after: float | None = None


Place: TypeAlias = Group | str
"""What backs off: a group, or a provider by its name."""


@dataclass(slots=True)
class _Backoff:
    failures: int = 0
    closed_at: float = 0.0
    until: float = 0.0
    probing: bool = False


@dataclass(slots=True)
class _Round:
    """A group's rhythm. `interval` None = never by itself."""

    interval: float | None
    began: float
    due_at: float
    members: dict[Path, "_Entry"] = field(default_factory=dict)


@dataclass(slots=True)
class _Entry:
    group: Group
    provider: str
    tokens_until: Instant | None
    state: State = State.WAITING
    forced: bool = False
    again: bool = False
    began: float = 0.0

    @property
    def places(self) -> tuple[Place, Place]:
        return self.provider, self.group


@dataclass(frozen=True, slots=True)
class Taken:
    """What `take` found.

    Attributes:
        targets: to be fetched now; each is to be reported by `done`.
        skipped: how many volumes that have just come due must wait, by what for.
    """

    targets: tuple[Path, ...]
    skipped: Counter[State]


class Schedule:
    """One node's volumes. Not safe for several threads at once: its caller holds a lock.

    Args:
        clock: seconds that only grow.
        now: seconds since 1970.
        jitter: from 0 to 1, for each round anew.
    """

    def __init__(self, clock: Clock, now: Clock, jitter: Callable[[], float]) -> None:
        self._clock = clock
        self._now = now
        self._jitter = jitter
        self._entries: dict[Path, _Entry] = {}
        self._rounds: dict[Group, _Round] = {}
        self._backoffs: dict[Place, _Backoff] = {}

    def add(
        self,
        target: Path,
        group: Group,
        provider: str,
        *,
        interval: float | None,
        tokens_until: Instant | None,
        due: bool = False,
    ) -> None:
        """A volume was filled, or found filled.

        Args:
            target: its path.
            group: whose it is.
            provider: who fills it; empty if that is not known yet.
            interval: seconds between two rounds of the group; None = never.
            tokens_until: when the first of its tokens ends; None = it needs none, or nobody said.
            due: whether it is to be fetched at once, as one that an earlier process filled.
        """
        self.remove(target)
        entry = self._entries[target] = _Entry(group, provider, tokens_until, State.DUE if due else State.WAITING)
        began = self._clock()
        if group not in self._rounds:
            self._rounds[group] = _Round(interval, began, self._next(began, interval))
        self._set_interval(self._rounds[group], interval)
        self._rounds[group].members[target] = entry

    def remove(self, target: Path) -> None:
        """The volume is gone."""
        entry = self._entries.pop(target, None)
        if entry is None:
            return
        members = self._rounds[entry.group].members
        del members[target]
        self._release(entry)
        if not members:
            del self._rounds[entry.group]
            self._backoffs.pop(entry.group, None)

    def republished(self, target: Path, tokens_until: Instant | None) -> bool:
        """Kubelet published the volume again, with newer tokens; whether it is waiting to be fetched."""
        entry = self._entries[target]
        entry.tokens_until = tokens_until
        if entry.state is State.TOKENS and self._fresh(entry):
            entry.state = State.DUE
        return entry.state is not State.WAITING or self._rounds[entry.group].due_at <= self._clock()

    def force(self, wanted: Callable[[Path, Group], bool]) -> int:
        """Let volumes be fetched now, whatever their interval and whoever backs off; how many."""
        count = 0
        for target, entry in self._entries.items():
            if not wanted(target, entry.group):
                continue
            count += 1
            if entry.state is State.FETCHING:  # what it reads may be older than the wish
                entry.again = True
            else:
                entry.forced, entry.state = True, State.DUE
        return count

    def take(self) -> Taken:
        """The volumes to be fetched now."""
        now = self._clock()
        for rhythm in self._rounds.values():
            if rhythm.due_at <= now:
                self._begin(rhythm, now)
        busy = Counter(entry.provider for entry in self._entries.values() if entry.state is State.FETCHING)
        taken: list[Path] = []
        skipped: Counter[State] = Counter()
        for target, entry in self._by_round():
            if entry.state in (State.WAITING, State.FETCHING):
                continue
            before, entry.state = entry.state, self._judge(entry, now, busy)
            if entry.state is State.FETCHING:
                entry.began = now
                busy[entry.provider] += 1
                taken.append(target)
            elif entry.state is not before and entry.state is not State.DUE:
                skipped[entry.state] += 1
        return Taken(tuple(taken), skipped)

    def done(self, target: Path, outcome: Outcome) -> None:
        """A fetch that `take` began has ended; nothing if the volume is gone meanwhile."""
        entry = self._entries.get(target)
        if entry is None or entry.state is not State.FETCHING:
            return
        self._release(entry)
        entry.provider = outcome.provider or entry.provider
        entry.state = State.DUE if entry.again else State.WAITING
        entry.forced, entry.again = entry.again, False
        if outcome.ended is Ended.FILLED:
            self._set_interval(self._rounds[entry.group], outcome.interval)
        if outcome.ended is Ended.PROVIDER_TROUBLE:
            self._back_off(entry.provider, entry, outcome.retry_after)
            return
        self._backoffs.pop(entry.provider, None)  # it answered
        if outcome.ended is Ended.BACKEND_TROUBLE:
            self._back_off(entry.group, entry, outcome.retry_after)
        else:
            self._backoffs.pop(entry.group, None)

    def states(self) -> Counter[State]:
        """How many volumes wait for what."""
        return Counter(entry.state for entry in self._entries.values())

    def __contains__(self, target: Path) -> bool:
        return target in self._entries

    def _begin(self, rhythm: _Round, now: float) -> None:
        """A round of a group begins."""
        rhythm.began, rhythm.due_at = now, self._next(now, rhythm.interval)
        for entry in rhythm.members.values():
            if entry.state is State.WAITING:
                entry.state = State.DUE

    def _next(self, began: float, interval: float | None) -> float:
        return math.inf if interval is None else began + interval * (1 + JITTER * self._jitter())

    def _set_interval(self, rhythm: _Round, interval: float | None) -> None:
        if rhythm.interval != interval:
            rhythm.interval, rhythm.due_at = interval, self._next(rhythm.began, interval)

    def _by_round(self) -> Iterator[tuple[Path, _Entry]]:
        """All volumes, those of a group one after the other, so that a provider's memory serves them."""
        for rhythm in self._rounds.values():
            yield from rhythm.members.items()

    def _judge(self, entry: _Entry, now: float, busy: Mapping[str, int]) -> State:
        """What a volume that is due waits for; FETCHING = nothing."""
        if not self._fresh(entry):
            return State.TOKENS
        backoffs = [self._backoffs[place] for place in entry.places if place in self._backoffs]
        if not entry.forced and any(backoff.until > now or backoff.probing for backoff in backoffs):
            return State.BACKED_OFF
        if busy.get(entry.provider, 0) >= AT_ONCE:
            return State.DUE
        for backoff in backoffs:
            backoff.probing = True  # one goes first
        return State.FETCHING

    def _fresh(self, entry: _Entry) -> bool:
        return entry.tokens_until is None or entry.tokens_until - self._now() >= TOKEN_SECONDS

    def _back_off(self, place: Place, entry: _Entry, retry_after: float | None) -> None:
        entry.state = State.DUE if entry.forced else State.BACKED_OFF
        now = self._clock()
        backoff = self._backoffs.setdefault(place, _Backoff())
        if backoff.failures and entry.began <= backoff.closed_at:
            return  # it was on its way already when the first of them failed
        pause = min(MAX_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(backoff.failures, 30))
        pause = max(pause, min(retry_after or 0.0, MAX_RETRY_AFTER_SECONDS)) * (1 + JITTER * self._jitter())
        backoff.failures += 1
        backoff.closed_at, backoff.until = now, now + pause

    def _release(self, entry: _Entry) -> None:
        """A fetch that may have gone first has ended."""
        if entry.state is State.FETCHING:
            for place in entry.places:
                if place in self._backoffs:
                    self._backoffs[place].probing = False
