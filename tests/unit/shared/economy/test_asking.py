"""The economy as the pipeline meets it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import pytest

from hand import Hand
from sscsi_shared.cluster import Cluster
from sscsi_shared.deadline import Deadline, Instant
from sscsi_shared.economy.asking import Economy
from sscsi_shared.economy.options import OFF, EconomyOptions
from sscsi_shared.errors import (
    AccessDenied,
    AuthenticationFailed,
    BackendThrottled,
    BackendUnavailable,
    ObjectError,
    ObjectNotFound,
    OutOfTime,
)
from sscsi_shared.mount import MountInput, MountPlan, Place, Read
from sscsi_shared.provider import Login
from sscsi_shared.secret import SecretBytes

EAST, WEST = Place("east"), Place("west")


@dataclass(frozen=True)
class Who:
    name: str
    role: str = "reader"
    proxies: tuple[str, ...] = ()
    fips: bool = False


@dataclass(frozen=True)
class Key:
    """A second kind of object."""

    name: str


WEB, API = Who("web"), Who("api")


class Backend:
    """A provider over dictionaries, which notes what it is asked."""

    name = "noted"

    def __init__(self, options: EconomyOptions) -> None:
        self.clock = Hand()
        self.contents: dict[str, str] = {"db": "1", "api": "1", "tls": "1"}
        self.trouble: dict[object, ObjectError] = {}
        self.refused: set[str] = set()
        self.ended = False
        self.pinned = False
        self.calls: Counter[str] = Counter()
        self.counted: Counter[str] = Counter()
        self.logins: list[Who] = []
        self.economy: Economy[MountInput, Any, Who, None] = Economy(
            self, options, clock=self.clock, now=self.clock, count=self._count, jitter=lambda: 0.5
        )

    def _count(self, what: str, number: int) -> None:
        self.counted[what] += number

    def parse(self, mount: MountInput) -> MountInput:
        return mount

    def identify(self, request: MountInput, cluster: Cluster, deadline: Deadline) -> Login[Who, None]:
        raise AssertionError("the pipeline's part")

    def plan(self, request: MountInput, identity: Who) -> MountPlan[Any]:
        raise AssertionError("the pipeline's part")

    def open(self, login: Login[Who, None], place: Place, deadline: Deadline) -> "OneSession":
        self.calls["login"] += 1
        self.logins.append(login.identity)
        if login.identity.name in self.refused:
            raise AuthenticationFailed(f"{login.identity.name} may not come in")
        if isinstance(trouble := self.trouble.get("login"), ObjectError):
            raise trouble
        return OneSession(self, login.identity)

    def read(self, *objects: Any, who: Who = WEB, place: Place = EAST, **more: Any) -> dict[Any, Any]:
        """Contents as text, errors as they are."""
        login = Login(who, None, backend=more.pop("backend", None))
        found = self.economy.read(login, place, objects, Deadline.after(more.pop("seconds", 20.0)), **more)
        return {
            one: outcome.only.contents.reveal().decode() if isinstance(outcome, Read) else outcome
            for one, outcome in found.items()
        }


class OneSession:
    def __init__(self, backend: Backend, who: Who) -> None:
        self._backend = backend
        self._who = who
        self.expires_at: Instant | None = None

    def fetch(self, objects: Sequence[Any], deadline: Deadline) -> Mapping[Any, Read | ObjectError]:
        backend = self._backend
        backend.calls["fetch"] += 1
        if backend.ended:
            backend.ended = False
            raise AuthenticationFailed("the session has ended")
        found: dict[Any, Read | ObjectError] = {}
        for one in objects:
            backend.calls[f"read {one}"] += 1
            content = f"{self._who.name}'s {backend.contents.get(str(one), '')}"
            found[one] = backend.trouble.get(one) or Read.of(SecretBytes(content.encode()), "1", pinned=backend.pinned)
        return found

    def close(self) -> None:
        self._backend.calls["close"] += 1


@pytest.fixture
def backend() -> Backend:
    return Backend(EconomyOptions())


def test_asked_once_for_its_time(backend: Backend) -> None:
    assert backend.read("db", "api") == {"db": "web's 1", "api": "web's 1"}
    backend.contents["db"] = "2"
    backend.clock.at += 14.9
    assert backend.read("db", "tls") == {"db": "web's 1", "tls": "web's 1"}
    backend.clock.at += 0.1
    assert backend.read("db") == {"db": "web's 2"}
    assert backend.calls == {"login": 1, "fetch": 3, "read db": 2, "read api": 1, "read tls": 1}
    assert backend.counted == {"login": 1, "read": 4, "hit": 1, "joined": 0, "backed_off": 0, "login_joined": 0}


def test_what_is_kept_says_when_it_was_read(backend: Backend) -> None:
    def read_at(name: str) -> float | None:
        found = backend.economy.read(Login(WEB, None), EAST, [name], Deadline.after(20.0))[name]
        assert isinstance(found, Read)
        return found.read_at

    began = backend.clock.at
    assert read_at("db") == began
    backend.clock.at += 14.0
    assert (read_at("db"), read_at("api")) == (began, began + 14)
    backend.clock.at += 2.0
    assert read_at("db") == began + 16
    backend.pinned = True
    assert read_at("tls") is None, "it is as true at any time"


def test_an_object_asked_twice_is_read_once(backend: Backend) -> None:
    assert backend.read("db", "db") == {"db": "web's 1"}
    assert backend.calls["read db"] == 1


def test_nobody_gets_what_another_identity_has_read(backend: Backend) -> None:
    assert backend.read("db") == {"db": "web's 1"}
    assert backend.read("db", who=API) == {"db": "api's 1"}
    assert backend.read("db", place=WEST) == {"db": "web's 1"}
    assert backend.calls == {"login": 3, "fetch": 3, "read db": 3}


@pytest.mark.parametrize("field", [field.name for field in fields(Who)])
def test_each_fact_of_an_identity_counts(backend: Backend, field: str) -> None:
    other = {"name": "api", "role": "admin", "proxies": ("p",), "fips": True}[field]
    backend.read("db")
    changed = replace(WEB, **{field: other})  # type: ignore[arg-type]
    backend.read("db", who=changed)
    assert backend.logins == [WEB, changed]
    assert backend.calls["read db"] == 2


def test_pods_that_share_nothing(backend: Backend) -> None:
    for pod in ("a", "b", "a"):
        backend.read("db", pod_uid=pod)
    backend.read("db")
    assert backend.calls == {"login": 3, "fetch": 3, "read db": 3}


@pytest.mark.parametrize("refusal", [AccessDenied("no"), ObjectNotFound("none")])
def test_a_refusal_is_remembered_for_five_seconds(backend: Backend, refusal: ObjectError) -> None:
    backend.trouble["db"] = refusal
    for _ in range(3):
        found = backend.read("db", "api")
        assert (type(found["db"]), found["api"]) == (type(refusal), "web's 1")
    assert backend.calls["read db"] == 1
    del backend.trouble["db"]
    backend.clock.at += 5
    assert backend.read("db") == {"db": "web's 1"}


def test_trust_is_looked_at_again_and_ends_what_is_pinned_too(backend: Backend) -> None:
    backend.pinned = True
    backend.read("db")
    backend.clock.at += 899
    assert backend.read("db") == {"db": "web's 1"}
    assert backend.calls == {"login": 1, "fetch": 1, "read db": 1}
    backend.refused.add("web")
    backend.clock.at += 1
    for _ in range(2):
        with pytest.raises(AuthenticationFailed, match="web may not come in"):
            backend.read("db")
    assert backend.calls["login"] == 2, "the refusal is remembered"
    backend.refused.clear()
    backend.clock.at += 5
    backend.read("db")
    assert backend.calls == {"login": 3, "fetch": 2, "read db": 2, "close": 1}


def test_a_kept_session_that_the_backend_has_ended_is_opened_again(backend: Backend) -> None:
    backend.read("db")
    backend.ended = True
    assert backend.read("api") == {"api": "web's 1"}
    assert backend.calls["login"] == 2
    assert backend.read("db") == {"db": "web's 1"}


def test_a_new_session_that_is_refused_at_once_is_a_refusal(backend: Backend) -> None:
    backend.ended = True
    with pytest.raises(AuthenticationFailed, match="the session has ended"):
        backend.read("db")
    with pytest.raises(AuthenticationFailed, match="the session has ended"):
        backend.read("db")
    assert backend.calls["login"] == 1


def test_a_throttling_backend_is_left_alone_by_all_who_share_it(backend: Backend) -> None:
    backend.trouble["db"] = BackendThrottled("role web: slow down", retry_after=7)
    assert isinstance(backend.read("db", backend="account")["db"], BackendThrottled)
    found = backend.read("api", who=API, backend="account")["api"]
    assert isinstance(found, BackendThrottled)
    assert found.retry_after == 7
    assert "web" not in str(found)
    assert backend.read("api", who=API, backend="another account") == {"api": "api's 1"}
    assert backend.read("api", who=API, place=WEST, backend="account") == {"api": "api's 1"}
    assert backend.read(Key("k"), who=API, backend="account") == {Key("k"): "api's "}, "another kind has another quota"
    backend.trouble.clear()
    backend.clock.at += 7
    assert backend.read("api", who=API, backend="account") == {"api": "api's 1"}
    assert backend.read("db", backend="account") == {"db": "web's 1"}


def test_logins_have_a_back_off_of_their_own(backend: Backend) -> None:
    backend.read("db", backend="account")
    backend.trouble["login"] = BackendUnavailable("no answer")
    for _ in range(2):
        outcome = backend.read("db", who=API, backend="account")["db"]
        assert isinstance(outcome, BackendUnavailable)
    assert backend.calls["login"] == 2
    assert backend.read("api", backend="account") == {"api": "web's 1"}, "who is in may read"


def test_no_time_no_call(backend: Backend) -> None:
    assert isinstance(backend.read("db", seconds=0)["db"], OutOfTime)
    assert backend.calls.total() == 0


def test_off_asks_every_time() -> None:
    backend = Backend(OFF)
    backend.read("db")
    backend.trouble["db"] = BackendThrottled("x")
    backend.read("db")
    backend.trouble["db"] = AccessDenied("x")
    backend.read("db")
    del backend.trouble["db"]
    assert backend.read("db") == {"db": "web's 1"}
    assert backend.calls == {"login": 4, "fetch": 4, "read db": 4, "close": 4}


def test_everything_ends_though_nobody_asks(backend: Backend) -> None:
    backend.read("db")
    assert (backend.economy.held_sessions, backend.economy.held_bytes > 1000) == (1, True)
    assert backend.economy.sweep()
    backend.clock.at += 15
    backend.economy.sweep()
    assert (backend.economy.held_sessions, backend.economy.held_bytes) == (1, 0)
    backend.clock.at += 900
    assert not backend.economy.sweep()
    assert backend.economy.held_sessions == 0
    assert backend.calls["close"] == 1


def test_the_timer_runs_by_itself() -> None:
    backend = Backend(EconomyOptions(ttl=3600))
    backend.read("db")
    backend.clock.at += 4000
    ends = Deadline.after(20)
    while backend.economy.held_bytes and not ends.expired:
        backend.economy._sweeper.wake()
    assert backend.economy.held_bytes == 0
