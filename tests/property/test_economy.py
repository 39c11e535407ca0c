"""What is kept never weakens what the backend says: random identities, rights, ends, throttling, and a turned clock.

The oracle remembers when each fact held. Whatever a mount gets, the backend must have been ready to give to that very
identity: within the last time to live (a pinned version: the last session's age), with trust within a session's age.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hand import Hand
from sscsi_shared.cluster import Cluster
from sscsi_shared.deadline import Deadline, Instant
from sscsi_shared.economy.asking import Economy
from sscsi_shared.economy.options import EconomyOptions
from sscsi_shared.economy.values import REFUSED_SECONDS
from sscsi_shared.errors import (
    AccessDenied,
    AuthenticationFailed,
    BackendThrottled,
    BackendUnavailable,
    MountError,
    ObjectError,
    ObjectNotFound,
)
from sscsi_shared.mount import MountInput, MountPlan, Place, Read
from sscsi_shared.provider import Login
from sscsi_shared.secret import SecretBytes

TTL, MAX_AGE, MAX_BYTES, MOST = 15.0, 100.0, 8 << 10, 2
EVERYWHERE = Place("everywhere")
IDENTITIES = ("web", "api", "batch")
OBJECTS = ("db", "tls", "pinned-1", "pinned-2")
DENIED, ABSENT = "denied", "absent"

Outcome: TypeAlias = Read | MountError
identities = st.sampled_from(IDENTITIES)
objects = st.sampled_from(OBJECTS)


class Timeline:
    """A fact that changes, and since when it has been what."""

    def __init__(self, clock: Hand, value: str) -> None:
        self._clock = clock
        self._values = [(float("-inf"), value)]

    @property
    def now(self) -> str:
        return self._values[-1][1]

    def becomes(self, value: str) -> None:
        self._values.append((self._clock.at, value))

    def within(self, seconds: float) -> set[str]:
        """All that it was in the last `seconds`."""
        since = self._clock.at - seconds
        ends = [at for at, _ in self._values[1:]] + [float("inf")]
        return {value for (_, value), end in zip(self._values, ends, strict=True) if end >= since}


class Backend:
    """A provider, and what it would say at each moment."""

    name = "random"

    def __init__(self) -> None:
        self.clock = Hand()
        self.trust = {who: Timeline(self.clock, "trusted") for who in IDENTITIES}
        self.facts = {(who, one): Timeline(self.clock, f"{who}:{one}:0") for who in IDENTITIES for one in OBJECTS}
        self.trouble: ObjectError | None = None
        self.generation = 0
        self.version = 0
        self.open_sessions = 0

    def parse(self, mount: MountInput) -> MountInput:
        raise AssertionError("the pipeline's part")

    def identify(self, request: MountInput, cluster: Cluster, deadline: Deadline) -> Login[str, None]:
        raise AssertionError("the pipeline's part")

    def plan(self, request: MountInput, identity: str) -> MountPlan[str]:
        raise AssertionError("the pipeline's part")

    def open(self, login: Login[str, None], place: Place, deadline: Deadline) -> "OneSession":
        if self.trust[login.identity].now != "trusted":
            raise AuthenticationFailed("refused")
        return OneSession(self, login.identity)


class OneSession:
    def __init__(self, backend: Backend, who: str) -> None:
        self._backend = backend
        self._who = who
        self._generation = backend.generation
        self.expires_at: Instant | None = backend.clock() + 3600

    def fetch(self, objects: Sequence[str], deadline: Deadline) -> Mapping[str, Read | ObjectError]:
        if self._generation != self._backend.generation:
            raise AuthenticationFailed("the session was ended")
        return {one: self._outcome(one) for one in objects}

    def _outcome(self, one: str) -> Read | ObjectError:
        if self._backend.trouble is not None:
            return self._backend.trouble
        fact = self._backend.facts[self._who, one].now
        if fact == DENIED:
            return AccessDenied("denied")
        if fact == ABSENT:
            return ObjectNotFound("absent")
        return Read.of(SecretBytes(fact.encode()), "1", pinned=one.startswith("pinned"))

    def close(self) -> None:
        pass


class EconomyMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.backend = Backend()
        self.clock = self.backend.clock
        self.economy: Economy[Any, str, str, None] = Economy(
            self.backend,
            EconomyOptions(ttl=TTL, max_age=MAX_AGE, most_sessions=MOST, max_bytes=MAX_BYTES),
            clock=self.clock,
            now=self.clock,
        )

    @rule(seconds=st.sampled_from([0.1, 1.0, 4.9, 5.0, 10.0, 14.9, 15.0, 50.0, 99.0, 100.0, 700.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.at += seconds

    @rule(one=objects)
    def content_changes(self, one: str) -> None:
        self.backend.version += 1
        for who in IDENTITIES:
            fact = self.backend.facts[who, one]
            if fact.now not in {DENIED, ABSENT} and not one.startswith("pinned"):
                fact.becomes(f"{who}:{one}:{self.backend.version}")

    @rule(who=identities, one=objects, word=st.sampled_from([DENIED, ABSENT]))
    def right_or_object_vanishes(self, who: str, one: str, word: str) -> None:
        self.backend.facts[who, one].becomes(word)

    @rule(who=identities, one=objects)
    def right_or_object_is_back(self, who: str, one: str) -> None:
        version = 0 if one.startswith("pinned") else self.backend.version
        self.backend.facts[who, one].becomes(f"{who}:{one}:{version}")

    @rule(who=identities, word=st.sampled_from(["trusted", "not trusted"]))
    def trust_changes(self, who: str, word: str) -> None:
        self.backend.trust[who].becomes(word)

    @rule()
    def sessions_are_ended(self) -> None:
        self.backend.generation += 1

    @rule(trouble=st.sampled_from([None, BackendThrottled("slow"), BackendUnavailable("broken")]))
    def backend_is_in_trouble_or_mended(self, trouble: ObjectError | None) -> None:
        self.backend.trouble = trouble

    @rule()
    def timer(self) -> None:
        self.economy.sweep()

    @rule(who=identities, wanted=st.lists(objects, min_size=1, max_size=4))
    def mount(self, who: str, wanted: list[str]) -> None:
        self._check(who, wanted, self._read(who, wanted))

    @rule(whose=st.lists(st.tuples(identities, st.lists(objects, min_size=1, max_size=4)), min_size=2, max_size=6))
    def mounts_at_once(self, whose: list[tuple[str, list[str]]]) -> None:
        with ThreadPoolExecutor(len(whose)) as pool:
            outcomes = list(pool.map(lambda one: self._read(*one), whose))
        for (who, wanted), outcome in zip(whose, outcomes, strict=True):
            self._check(who, wanted, outcome)

    @precondition(lambda self: self.backend.trouble is None)
    @rule(who=identities, one=objects)
    def everything_is_seen_in_the_end(self, who: str, one: str) -> None:
        """A time to live, a session's age, and what is remembered of trouble later, the truth is told."""
        self.clock.at += 1000
        outcome = self._read(who, [one])[one]
        fact = self.backend.facts[who, one].now
        if self.backend.trust[who].now != "trusted":
            assert isinstance(outcome, AuthenticationFailed)
        elif isinstance(outcome, Read):
            assert outcome.only.contents.reveal().decode() == fact
        else:
            assert type(outcome) is {DENIED: AccessDenied, ABSENT: ObjectNotFound}[fact]

    @invariant()
    def bounds_hold(self) -> None:
        assert self.economy.held_bytes <= MAX_BYTES
        assert self.economy.held_sessions <= MOST

    def _read(self, who: str, wanted: Sequence[str]) -> Mapping[str, Outcome]:
        try:
            return self.economy.read(Login(who, None), EVERYWHERE, wanted, Deadline.after(20))
        except MountError as error:
            return dict.fromkeys(wanted, error)

    def _check(self, who: str, wanted: Sequence[str], outcomes: Mapping[str, Outcome]) -> None:
        assert set(outcomes) == set(wanted)
        for one, outcome in outcomes.items():
            fact = self.backend.facts[who, one]
            if isinstance(outcome, Read):
                stale = MAX_AGE if one.startswith("pinned") else TTL
                assert outcome.only.contents.reveal().decode() in fact.within(stale)
                assert "trusted" in self.backend.trust[who].within(MAX_AGE)
            elif isinstance(outcome, AccessDenied):
                assert DENIED in fact.within(REFUSED_SECONDS)
            elif isinstance(outcome, ObjectNotFound):
                assert ABSENT in fact.within(REFUSED_SECONDS)
            elif isinstance(outcome, AuthenticationFailed):
                assert "not trusted" in self.backend.trust[who].within(REFUSED_SECONDS)
            else:
                assert isinstance(outcome, BackendThrottled | BackendUnavailable)


TestEconomy = EconomyMachine.TestCase
TestEconomy.settings = settings(max_examples=400, stateful_step_count=50, deadline=None)
