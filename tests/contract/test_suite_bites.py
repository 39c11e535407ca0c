"""The contract suite fails a provider that breaks a promise."""

import hashlib
import itertools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
import pytest

from memory_stage import MemoryStage
from sscsi_shared.cluster import Cluster
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import BackendThrottled, ObjectError, ObjectNotFound, ObjectUnusable
from sscsi_shared.mount import MountInput, MountPlan, Place, Read
from sscsi_shared.provider import Login
from sscsi_shared.secret import SecretBytes
from sscsi_shared.testing.caller import Caller
from sscsi_shared.testing.contract import ProviderContract, calling
from sscsi_shared.testing.economy_contract import EconomyContract, keeping
from sscsi_shared.testing.memory import MemoryIdentity, MemoryProvider, MemoryRequest, MemorySession
from sscsi_shared.testing.stage import Stage

Outcome = Read | ObjectError
count = itertools.count()


def twisted(twist: Callable[[str, Outcome], Outcome]) -> type[MemoryProvider]:
    """A provider whose outcomes are not what they should be."""

    class TwistedSession(MemorySession):
        def fetch(self, objects: Sequence[str], deadline: Deadline) -> Mapping[str, Outcome]:
            return {name: twist(name, outcome) for name, outcome in super().fetch(objects, deadline).items()}

    class Twisted(MemoryProvider):
        def open(self, login: Login[MemoryIdentity, None], place: Place, deadline: Deadline) -> MemorySession:
            super().open(login, place, deadline)
            return TwistedSession(self._store)

    return Twisted


def changed(read: Read, **fields: Any) -> Read:
    return replace(read, items=(replace(read.only, **fields),))


def tells_contents(name: str, outcome: Outcome) -> Outcome:
    assert isinstance(outcome, Read)
    return ObjectUnusable(f"{name} holds {outcome.only.contents.reveal().decode()}")


def logs_contents(name: str, outcome: Outcome) -> Outcome:
    if isinstance(outcome, Read):
        logging.getLogger("sdk").debug("response body: %s", outcome.only.contents.reveal())
    return outcome


def version_is_a_digest(name: str, outcome: Outcome) -> Outcome:
    assert isinstance(outcome, Read)
    return changed(outcome, version=hashlib.sha256(outcome.only.contents.reveal()).hexdigest())


def version_stays(name: str, outcome: Outcome) -> Outcome:
    assert isinstance(outcome, Read)
    return changed(outcome, version="1")


def version_is_random(name: str, outcome: Outcome) -> Outcome:
    assert isinstance(outcome, Read)
    return changed(outcome, version=str(next(count)))


def no_version(name: str, outcome: Outcome) -> Outcome:
    assert isinstance(outcome, Read)
    return changed(outcome, version="")


def strips(name: str, outcome: Outcome) -> Outcome:
    assert isinstance(outcome, Read)
    return changed(outcome, contents=SecretBytes(outcome.only.contents.reveal().strip()))


def counts_retries(name: str, outcome: Outcome) -> Outcome:
    return BackendThrottled(f"{name}: attempt {next(count)} throttled") if isinstance(outcome, ObjectError) else outcome


def absent_is_empty(name: str, outcome: Outcome) -> Outcome:
    return Read.of(SecretBytes(b""), "0") if isinstance(outcome, ObjectNotFound) else outcome


def raises(name: str, outcome: Outcome) -> Outcome:
    if isinstance(outcome, ObjectError):
        raise RuntimeError(name)  # noqa: TRY004  # a mistake, as SDKs make them
    return outcome


class Trusting(MemoryProvider):
    """Asks for no proof."""

    def identify(self, request: MemoryRequest, cluster: Cluster, deadline: Deadline) -> Login[MemoryIdentity, None]:
        return Login(MemoryIdentity(request.pod.namespace, "anybody", "", ""), None)


@dataclass(frozen=True)
class Forgetful(MemoryIdentity):
    namespace: str = field(compare=False)


class Forgets(MemoryProvider):
    """Its identity leaves out a fact."""

    def identify(self, request: MemoryRequest, cluster: Cluster, deadline: Deadline) -> Login[MemoryIdentity, None]:
        login = super().identify(request, cluster, deadline)
        who = login.identity
        return Login(Forgetful(who.namespace, who.name, who.issuer, who.audience), None)


class Modeless(MemoryProvider):
    """All files are for everybody."""

    def plan(self, request: MemoryRequest, identity: MemoryIdentity) -> MountPlan[str]:
        outputs = ((one, tuple(replace(output, mode=0o666) for output in one.outputs)) for one in request.reads)
        return MountPlan(tuple(replace(one, outputs=changed) for one, changed in outputs))


@dataclass(frozen=True)
class Wordy(MemoryRequest):
    token: str


class TokenInTheRequest(MemoryProvider):
    """Keeps a token as plain text."""

    def parse(self, mount: MountInput) -> MemoryRequest:
        request = super().parse(mount)
        return Wordy(request.reads, request.pod, request.tokens, request.tokens.for_audience("memory").token.reveal())


SUITE = ProviderContract()
BROKEN: list[tuple[type[MemoryProvider], Callable[[Caller, Stage], None]]] = [
    (twisted(logs_contents), lambda caller, stage: SUITE.test_objects_become_files(caller)),
    (twisted(version_is_a_digest), lambda caller, stage: SUITE.test_versions_are_no_digests_to_guess_by(caller)),
    (twisted(version_stays), lambda caller, stage: SUITE.test_rotation_changes_one_version(caller)),
    (twisted(version_is_random), lambda caller, stage: SUITE.test_a_repeat_gives_the_same(caller)),
    (twisted(version_is_random), lambda caller, stage: SUITE.test_rotation_changes_one_version(caller)),
    (twisted(no_version), lambda caller, stage: SUITE.test_objects_become_files(caller)),
    (twisted(strips), lambda caller, stage: SUITE.test_contents_are_untouched(caller)),
    (twisted(absent_is_empty), SUITE.test_all_bad_objects_are_told_at_once),
    (twisted(raises), SUITE.test_all_bad_objects_are_told_at_once),
    (Trusting, lambda caller, stage: SUITE.test_a_token_that_proves_nothing(caller, "of a stranger")),
    (Modeless, lambda caller, stage: SUITE.test_paths_and_modes_of_the_class(caller)),
    (TokenInTheRequest, SUITE.test_no_value_on_the_way_shows_a_secret),
]


@pytest.mark.parametrize(("provider", "promise"), BROKEN, ids=range(len(BROKEN)))
def test_a_broken_promise_is_found(provider: type[MemoryProvider], promise: Callable[[Caller, Stage], None]) -> None:
    stage = MemoryStage()
    with calling(stage) as caller:
        promise(caller, stage)
    stage = MemoryStage(provider)
    with pytest.raises(AssertionError), calling(stage) as caller:
        promise(caller, stage)


ECONOMY = EconomyContract()


@pytest.mark.parametrize("case", ["of another account", "opaque", "nothing"])
def test_a_provider_that_shares_with_who_proves_nothing_is_found(case: str) -> None:
    with pytest.raises(AssertionError), keeping(MemoryStage(Trusting)) as kept:
        ECONOMY.test_what_is_known_is_only_for_who_proves_it(kept, case)


def test_an_identity_that_forgets_a_fact_is_found() -> None:
    ECONOMY.test_each_fact_of_an_identity_is_a_login_of_its_own(MemoryStage())
    with pytest.raises(AssertionError, match="namespace does not count"):
        ECONOMY.test_each_fact_of_an_identity_is_a_login_of_its_own(MemoryStage(Forgets))


def test_texts_that_change_between_retries_are_found() -> None:
    stage = MemoryStage(twisted(counts_retries))
    with pytest.raises(AssertionError, match="the same between retries"), calling(stage) as caller:
        SUITE.test_trouble_passes(caller, stage, "throttle", "BackendThrottled", grpc.StatusCode.UNKNOWN)


def test_a_secret_in_a_status_is_found() -> None:
    stage = MemoryStage(twisted(tells_contents))
    with pytest.raises(AssertionError, match="a secret is in"), calling(stage) as caller:
        caller.mount(*caller.put("shop-db"))
