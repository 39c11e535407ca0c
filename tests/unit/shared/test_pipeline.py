"""The way of a Mount, with a provider that notes what it is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from sscsi_shared.cluster import Cluster, NoCluster
from sscsi_shared.deadline import Deadline, Instant
from sscsi_shared.economy.asking import Economy
from sscsi_shared.economy.options import OFF, EconomyOptions
from sscsi_shared.errors import (
    AccessDenied,
    AuthenticationFailed,
    BackendUnavailable,
    InvalidParameters,
    MountFailed,
    ObjectError,
    ObjectNotFound,
    ObjectUnusable,
    OutOfTime,
)
from sscsi_shared.mount import MountInput, MountPlan, Output, Place, PlannedRead, PodInfo, Read
from sscsi_shared.pipeline import Pipeline
from sscsi_shared.provider import Login
from sscsi_shared.secret import SecretBytes
from sscsi_shared.tokens import ABSENT

EAST, WEST = Place("east"), Place("west")
MOUNT = MountInput({}, {}, PodInfo("shop", "web-0", "uid", "web"), ABSENT, "/target")


class FakeClock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def one(name: str, *places: Place, optional: bool = False) -> PlannedRead[str]:
    """An object that is called after its place, where it has several: `east:db`."""
    candidates = tuple((place, f"{place}:{name}") for place in places or (EAST,))
    return PlannedRead(name, candidates, (Output(name, 0o644, name),), optional)


@dataclass
class Noted:
    """A provider and its session in one, over a dictionary of outcomes."""

    reads: tuple[PlannedRead[str], ...]
    outcomes: dict[str, bytes | ObjectError] = field(default_factory=dict)
    refused: dict[Place, Exception] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    live_until: Instant | None = None
    takes: float = 0
    close_fails: bool = False
    clock: FakeClock = field(default_factory=FakeClock)
    shares: list[float] = field(default_factory=list)
    name: str = "noted"
    expires_at: Instant | None = None

    def parse(self, mount: MountInput) -> MountInput:
        self.calls.append("parse")
        return mount

    def identify(self, request: MountInput, cluster: Cluster, deadline: Deadline) -> Login[str, None]:
        self.calls.append("identify")
        return Login(request.pod.service_account, None, self.live_until)

    def plan(self, request: MountInput, identity: str) -> MountPlan[str]:
        self.calls.append(f"plan as {identity}")
        return MountPlan(self.reads)

    def open(self, login: Login[str, None], place: Place, deadline: Deadline) -> "Noted":
        self.calls.append(f"open {place}")
        if place in self.refused:
            self.clock.now += self.takes
            raise self.refused[place]
        return self

    def fetch(self, objects: Sequence[str], deadline: Deadline) -> Mapping[str, Read | ObjectError]:
        self.calls.append("fetch " + " ".join(objects))
        self.shares.append(deadline.remaining())
        self.clock.now += self.takes
        found: dict[str, Read | ObjectError] = {}
        for name in objects:
            outcome = self.outcomes.get(name, name.encode())
            found[name] = outcome if isinstance(outcome, ObjectError) else Read.of(SecretBytes(outcome), "1")
        return found

    def close(self) -> None:
        self.calls.append("close")
        if self.close_fails:
            raise OSError("already closed")

    def mount(self, seconds: float = 100) -> dict[str, bytes]:
        pipeline = Pipeline(self, NoCluster(), Economy(self, OFF), now=lambda: 1000.0)
        result = pipeline.mount(MOUNT, Deadline.after(seconds, self.clock))
        return {file.path: file.contents.reveal() for file in result.files}


def test_the_order_of_the_steps() -> None:
    noted = Noted((one("a"), one("b")))
    assert noted.mount() == {"a": b"east:a", "b": b"east:b"}
    assert noted.calls == ["parse", "identify", "plan as web", "open east", "fetch east:a east:b", "close"]


def test_one_login_for_each_place_and_one_read_for_each_object() -> None:
    same = PlannedRead("a", ((EAST, "east:a"),), (Output("copy", 0o400, "copy"),))
    noted = Noted((one("a"), one("c", WEST), one("b"), same))
    assert noted.mount() == {"a": b"east:a", "c": b"west:c", "b": b"east:b", "copy": b"east:a"}
    assert noted.calls[3:] == ["open east", "fetch east:a east:b", "close", "open west", "fetch west:c", "close"]


def test_a_plan_that_can_not_be_rendered_asks_nothing() -> None:
    noted = Noted((one("a"), one("a")))
    with pytest.raises(InvalidParameters):
        noted.mount()
    assert noted.calls[-1] == "plan as web"


def test_no_objects_need_no_login() -> None:
    noted = Noted(())
    assert noted.mount() == {}
    assert noted.calls[-1] == "plan as web"


def test_credentials_that_have_ended_are_not_tried() -> None:
    noted = Noted((one("a"),), live_until=1000.0)
    with pytest.raises(AuthenticationFailed):
        noted.mount()
    assert noted.calls[-1] == "plan as web"
    assert Noted((one("a"),), live_until=1001.0).mount() == {"a": b"east:a"}


def test_several_failures_are_told_in_the_order_of_the_class_and_named() -> None:
    noted = Noted((one("c", WEST), one("a"), one("b")))
    noted.outcomes = {"east:a": AccessDenied("No.", hint="Ask."), "west:c": ObjectNotFound("c is not there.")}
    with pytest.raises(MountFailed) as caught:
        noted.mount()
    assert [str(failure) for failure in caught.value.failures] == ["c is not there.", "a: No. Ask."]
    noted.outcomes.popitem()
    with pytest.raises(AccessDenied, match=r"^a: No\. Ask\.$"):
        noted.mount()


@pytest.mark.parametrize(
    "error", [AccessDenied("no"), ObjectUnusable("odd"), BackendUnavailable("down"), OutOfTime("x")]
)
def test_optional_means_absent_and_nothing_else(error: ObjectError) -> None:
    noted = Noted((one("a", optional=True), one("b")), {"east:a": ObjectNotFound("gone")})
    assert noted.mount() == {"b": b"east:b"}
    noted.outcomes["east:a"] = error
    with pytest.raises(type(error)):
        noted.mount()


def test_fail_over_after_what_may_pass_and_only_for_what_failed() -> None:
    noted = Noted((one("a", EAST, WEST), one("b", EAST, WEST)), {"east:b": BackendUnavailable("down")})
    assert noted.mount() == {"a": b"east:a", "b": b"west:b"}
    assert noted.calls[3:] == ["open east", "fetch east:a east:b", "close", "open west", "fetch west:b", "close"]


@pytest.mark.parametrize("error", [AccessDenied("no"), ObjectNotFound("gone"), ObjectUnusable("odd")])
def test_no_fail_over_after_a_clear_answer(error: ObjectError) -> None:
    noted = Noted((one("a", EAST, WEST),), {"east:a": error})
    with pytest.raises(type(error)):
        noted.mount()
    assert "open west" not in noted.calls


def test_the_last_candidate_has_the_last_word() -> None:
    noted = Noted((one("a", EAST, WEST),), {"east:a": BackendUnavailable("down"), "west:a": AccessDenied("no")})
    with pytest.raises(AccessDenied):
        noted.mount()


def test_a_place_that_is_down_fails_over_too() -> None:
    noted = Noted((one("a", EAST, WEST),), refused={EAST: BackendUnavailable("sts: down")})
    assert noted.mount() == {"a": b"west:a"}
    noted = Noted((one("a"), one("b", WEST)), refused={EAST: BackendUnavailable("sts: down")})
    with pytest.raises(BackendUnavailable, match=r"^a: sts: down"):
        noted.mount()


def test_a_refused_login_ends_the_mount() -> None:
    noted = Noted((one("a", EAST, WEST),), refused={EAST: AuthenticationFailed("no such role")})
    with pytest.raises(AuthenticationFailed):
        noted.mount()
    assert noted.calls[-1] == "open east"


def test_a_candidate_leaves_time_for_those_after_it() -> None:
    noted = Noted((one("a", EAST, WEST),), {"east:a": BackendUnavailable("down")}, takes=40)
    assert noted.mount(seconds=100) == {"a": b"west:a"}
    assert noted.shares == [50, 60]


def test_without_time_nobody_is_asked() -> None:
    noted = Noted((one("a"), one("b", WEST)), takes=100)
    with pytest.raises(OutOfTime, match=r"^b: "):
        noted.mount(seconds=100)
    assert "open west" not in noted.calls


def test_a_session_that_can_not_be_closed_spoils_nothing(caplog: pytest.LogCaptureFixture) -> None:
    noted = Noted((one("a"),), close_fails=True)
    assert noted.mount() == {"a": b"east:a"}
    assert caplog.messages == ["a session at east could not be closed: OSError"]


def test_a_session_is_closed_whatever_happens() -> None:
    class Buggy(Noted):
        def fetch(self, objects: Sequence[str], deadline: Deadline) -> Mapping[str, Read | ObjectError]:
            raise ZeroDivisionError

    noted = Buggy((one("a"),))
    with pytest.raises(ZeroDivisionError):
        noted.mount()
    assert noted.calls[-1] == "close"


def test_an_object_without_an_outcome_is_a_bug() -> None:
    class Forgetful(Noted):
        def fetch(self, objects: Sequence[str], deadline: Deadline) -> Mapping[str, Read | ObjectError]:
            return {}

    with pytest.raises(KeyError):
        Forgetful((one("a"),)).mount()


@pytest.mark.parametrize(
    ("scope", "options"), [("pod", EconomyOptions()), ("serviceAccount", EconomyOptions(per_pod=True))]
)
def test_what_is_a_pods_own_needs_a_pod(scope: str, options: EconomyOptions) -> None:
    noted = Noted((one("a"),))
    pipeline = Pipeline(noted, NoCluster(), Economy(noted, options), now=lambda: 1000.0)
    for uid in ("u-1", "u-2", "u-1"):
        mount = replace(MOUNT, pod=replace(MOUNT.pod, uid=uid), attributes={"sessionScope": scope})
        pipeline.mount(mount, Deadline.after(20))
    assert noted.calls.count("open east") == 2
    nobody = replace(MOUNT, pod=replace(MOUNT.pod, uid=""), attributes={"sessionScope": scope})
    with pytest.raises(AuthenticationFailed, match="which pod"):
        pipeline.mount(nobody, Deadline.after(20))


def test_a_scope_that_is_none() -> None:
    noted = Noted((one("a"),))
    pipeline = Pipeline(noted, NoCluster(), Economy(noted, OFF), now=lambda: 1000.0)
    with pytest.raises(InvalidParameters, match='sessionScope is "node"'):
        pipeline.mount(replace(MOUNT, attributes={"sessionScope": "node"}), Deadline.after(20))
