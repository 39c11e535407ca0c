"""The scheduler of rotations, by value, with clocks that stand until they are turned."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hand import Hand
from sscsi_driver.schedule import AT_ONCE, TOKEN_SECONDS, Ended, Group, Outcome, Schedule, State

INTERVAL = 120.0
WEB = Group("shop", "demo", "web")
JOBS = Group("shop", "demo", "jobs")
A, B, C, D = (Path(f"/pods/{name}") for name in "abcd")


class Rig:
    def __init__(self, jitter: float = 0.0) -> None:
        self.clock = Hand(1000.0)
        self.now = Hand(1_700_000_000.0)
        self.schedule = Schedule(self.clock, self.now, lambda: jitter)

    def add(
        self,
        *targets: Path,
        group: Group = WEB,
        provider: str = "aws",
        interval: float | None = INTERVAL,
        tokens: float | None = None,
        due: bool = False,
    ) -> None:
        for target in targets:
            until = None if tokens is None else self.now() + tokens
            self.schedule.add(target, group, provider, interval=interval, tokens_until=until, due=due)

    def after(self, seconds: float) -> set[Path]:
        self.clock.at += seconds
        self.now.at += seconds
        return set(self.schedule.take().targets)

    def filled(self, *targets: Path, interval: float | None = INTERVAL) -> None:
        for target in targets:
            self.schedule.done(target, Outcome(Ended.FILLED, interval=interval))

    def failed(self, ended: Ended, *targets: Path, retry_after: float | None = None) -> None:
        for target in targets:
            self.schedule.done(target, Outcome(ended, retry_after=retry_after))


@pytest.fixture
def rig() -> Rig:
    return Rig()


class TestIntervals:
    def test_a_volume_comes_due_once_in_each_interval(self, rig: Rig) -> None:
        rig.add(A)
        assert rig.after(INTERVAL - 1) == set()
        assert rig.after(1) == {A}
        assert rig.after(1) == set(), "it is being fetched"
        rig.filled(A)
        assert rig.after(INTERVAL - 2) == set()
        assert rig.after(1) == {A}

    def test_a_true_interval_whatever_kubelet_does(self, rig: Rig) -> None:
        """The existing driver fetches at every republish once a quiet interval has passed."""
        rig.add(A)
        fetches = 0
        for _ in range(60):  # an hour of republishes
            for target in rig.after(60):
                fetches += 1
                rig.filled(target)
            rig.schedule.republished(A, None)
        assert fetches == 30

    def test_jitter_makes_it_later_never_sooner(self) -> None:
        rig = Rig(jitter=1.0)
        rig.add(A)
        assert rig.after(INTERVAL * 1.1 - 0.1) == set()
        assert rig.after(0.2) == {A}

    def test_each_class_has_its_own(self, rig: Rig) -> None:
        rig.add(A, interval=10.0)
        rig.add(B, group=JOBS, interval=600.0)
        assert rig.after(10) == {A}
        rig.filled(A, interval=10.0)
        assert rig.after(590) == {A, B}

    def test_never_means_never(self, rig: Rig) -> None:
        rig.add(A, interval=None)
        assert rig.after(1e9) == set()
        assert rig.schedule.force(lambda _, group: True) == 1
        assert rig.after(0) == {A}

    def test_a_class_that_changes_its_interval_is_heard_with_the_next_fetch(self, rig: Rig) -> None:
        rig.add(A)
        assert rig.after(INTERVAL) == {A}
        rig.filled(A, interval=600.0)
        assert rig.after(599) == set()
        assert rig.after(1) == {A}

    def test_a_volume_of_an_earlier_process_is_due_at_once(self, rig: Rig) -> None:
        rig.add(A, due=True)
        assert rig.after(0) == {A}


class TestGroups:
    def test_volumes_of_one_class_and_identity_go_together(self, rig: Rig) -> None:
        rig.add(A)
        rig.after(100)
        rig.add(B)
        rig.add(C, group=JOBS)
        assert rig.after(20) == {A, B}
        assert rig.after(100) == {C}

    def test_they_are_fetched_one_after_the_other(self, rig: Rig) -> None:
        rig.add(A)
        rig.add(B, group=JOBS)
        rig.add(C)
        rig.clock.at += INTERVAL
        assert rig.schedule.take().targets == (A, C, B)

    def test_the_last_one_takes_its_group_along(self, rig: Rig) -> None:
        rig.add(A)
        rig.after(60)
        rig.schedule.remove(A)
        rig.add(A)
        assert rig.after(60) == set()
        assert rig.after(60) == {A}

    def test_no_more_of_one_provider_at_once_than_others_can_bear(self, rig: Rig) -> None:
        many = [Path(f"/pods/{number}") for number in range(20)]
        rig.add(*many)
        rig.add(A, provider="vault")
        first = rig.after(INTERVAL)
        assert len(first - {A}) == AT_ONCE
        assert A in first
        rig.filled(*first)
        assert len(rig.after(0)) == AT_ONCE


class TestTokens:
    def test_tokens_with_less_than_a_minute_are_not_used(self, rig: Rig) -> None:
        rig.add(A, tokens=INTERVAL + TOKEN_SECONDS - 1)
        rig.clock.at += INTERVAL
        rig.now.at += INTERVAL
        taken = rig.schedule.take()
        assert (taken.targets, taken.skipped) == ((), Counter({State.TOKENS: 1}))
        assert rig.schedule.take().skipped == Counter(), "it is said once"
        assert rig.schedule.states() == Counter({State.TOKENS: 1})

        assert rig.schedule.republished(A, rig.now() + 3600)
        assert rig.after(0) == {A}

    def test_exactly_a_minute_is_enough(self, rig: Rig) -> None:
        rig.add(A, tokens=INTERVAL + TOKEN_SECONDS)
        assert rig.after(INTERVAL) == {A}

    def test_stale_ones_again_change_nothing(self, rig: Rig) -> None:
        rig.add(A, tokens=30)
        assert rig.after(INTERVAL) == set()
        rig.schedule.republished(A, rig.now() + 30)
        assert rig.after(0) == set()

    def test_not_even_by_force(self, rig: Rig) -> None:
        rig.add(A, tokens=30)
        rig.schedule.force(lambda _, group: True)
        assert rig.after(0) == set()


class TestBackoff:
    def test_a_backend_in_trouble_stops_its_group_only(self, rig: Rig) -> None:
        rig.add(A)
        rig.add(B, group=JOBS)
        assert rig.after(INTERVAL) == {A, B}
        rig.failed(Ended.BACKEND_TROUBLE, A)
        rig.filled(B)
        assert rig.schedule.states()[State.BACKED_OFF] == 1
        assert rig.after(1.9) == set()
        assert rig.after(0.1) == {A}
        rig.failed(Ended.BACKEND_TROUBLE, A)
        assert rig.after(3.9) == set()
        assert rig.after(0.1) == {A}

    def test_a_provider_that_is_gone_stops_all_of_its_volumes(self, rig: Rig) -> None:
        rig.add(A)
        rig.add(B, group=JOBS)
        rig.add(C, provider="vault", group=Group("shop", "other"))
        assert rig.after(INTERVAL) == {A, B, C}
        rig.failed(Ended.PROVIDER_TROUBLE, A, B)
        rig.filled(C)
        assert rig.after(1.9) == set()
        assert len(rig.after(0.1)) == 1, "one goes first"
        assert rig.after(10) == set()

    def test_after_the_first_success_all_follow(self, rig: Rig) -> None:
        rig.add(A, B, C)
        assert rig.after(INTERVAL) == {A, B, C}
        rig.failed(Ended.PROVIDER_TROUBLE, A, B, C)
        (first,) = rig.after(2)
        rig.filled(first)
        assert rig.after(0) == {A, B, C} - {first}

    def test_failures_on_their_way_together_count_once(self, rig: Rig) -> None:
        rig.add(A, B, C)
        rig.after(INTERVAL)
        rig.clock.at += 1
        rig.failed(Ended.BACKEND_TROUBLE, A, B, C)
        assert len(rig.after(2)) == 1

    def test_the_one_that_goes_first_may_vanish(self, rig: Rig) -> None:
        rig.add(A, B)
        rig.after(INTERVAL)
        rig.failed(Ended.PROVIDER_TROUBLE, A, B)
        (first,) = rig.after(2)
        rig.schedule.remove(first)
        assert rig.after(0) == {A, B} - {first}

    def test_a_backend_may_ask_for_patience_but_not_for_ever(self, rig: Rig) -> None:
        rig.add(A, interval=None)
        rig.schedule.force(lambda _, group: True)
        rig.after(0)
        rig.failed(Ended.BACKEND_TROUBLE, A, retry_after=90.0)
        assert rig.after(89) == set()
        assert rig.after(1) == {A}
        rig.failed(Ended.BACKEND_TROUBLE, A, retry_after=1e12)
        assert rig.after(3600) == {A}

    def test_it_is_bounded(self, rig: Rig) -> None:
        rig.add(A)
        assert rig.after(INTERVAL) == {A}
        for _ in range(100):
            rig.failed(Ended.BACKEND_TROUBLE, A)
            assert rig.after(300) == {A}

    def test_a_refusal_waits_for_the_next_round(self, rig: Rig) -> None:
        rig.add(A)
        assert rig.after(INTERVAL) == {A}
        rig.failed(Ended.FAILED, A)
        assert rig.after(INTERVAL - 1) == set()
        assert rig.after(1) == {A}

    def test_force_does_not_wait(self, rig: Rig) -> None:
        rig.add(A)
        rig.add(B, group=JOBS)
        rig.after(INTERVAL)
        rig.failed(Ended.PROVIDER_TROUBLE, A, B)
        assert rig.schedule.force(lambda _, group: group.account == "web") == 1
        assert rig.after(0) == {A}

    def test_force_in_the_middle_of_a_fetch_means_another_one(self, rig: Rig) -> None:
        rig.add(A)
        assert rig.after(INTERVAL) == {A}
        rig.schedule.force(lambda _, group: True)
        assert rig.after(0) == set()
        rig.filled(A)
        assert rig.after(0) == {A}
        rig.filled(A)
        assert rig.after(0) == set()


def test_the_end_of_a_volume_that_is_gone_is_no_error(rig: Rig) -> None:
    rig.add(A)
    rig.after(INTERVAL)
    rig.schedule.remove(A)
    rig.filled(A)
    assert A not in rig.schedule
    assert rig.schedule.states() == Counter()


class ScheduleMachine(RuleBasedStateMachine):
    """Whatever happens: no volume is fetched twice at once, and none is forgotten."""

    targets = st.sampled_from((A, B, C, D))
    groups = st.sampled_from((WEB, JOBS))

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig()
        self.fetching: set[Path] = set()
        self.known: set[Path] = set()

    @rule(path=targets, group=groups, provider=st.sampled_from(("aws", "vault")), due=st.booleans())
    def add(self, path: Path, group: Group, provider: str, due: bool) -> None:
        self.rig.add(path, group=group, provider=provider, due=due)
        self.known.add(path)
        self.fetching.discard(path)

    @rule(path=targets)
    def remove(self, path: Path) -> None:
        self.rig.schedule.remove(path)
        self.known.discard(path)
        self.fetching.discard(path)

    @rule(seconds=st.floats(0, 400))
    def look(self, seconds: float) -> None:
        taken = self.rig.after(seconds)
        assert not taken & self.fetching
        assert taken <= self.known
        self.fetching |= taken

    @precondition(lambda self: self.fetching)
    @rule(ended=st.sampled_from(Ended), data=st.data())
    def end(self, ended: Ended, data: st.DataObject) -> None:
        target = data.draw(st.sampled_from(sorted(self.fetching)))
        self.fetching.discard(target)
        self.rig.schedule.done(target, Outcome(ended, interval=INTERVAL))

    @rule(group=groups)
    def force(self, group: Group) -> None:
        self.rig.schedule.force(lambda _, one: one == group)

    @invariant()
    def all_are_accounted_for(self) -> None:
        states = self.rig.schedule.states()
        assert sum(states.values()) == len(self.known)
        assert states[State.FETCHING] == len(self.fetching)

    def teardown(self) -> None:
        """Once everything is well again, each volume is fetched within an interval and the longest back-off."""
        seen: set[Path] = set()
        for _ in range(60):
            for target in self.fetching | self.rig.after(15):
                self.rig.filled(target)
                seen.add(target)
            self.fetching = set()
        assert seen >= self.known


TestMachine = ScheduleMachine.TestCase
