"""The suite that holds what is kept to the Rule: under the whole identity, for whoever has proven it.

A provider passes it like the other suite:

    class TestMyEconomy(EconomyContract):
        @pytest.fixture
        def stage(self) -> Iterator[Stage]: ...
"""

# ruff: noqa: D102, S101  # a test's name says what it promises; asserts are what a suite is made of

import base64
import contextlib
import dataclasses
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc
import pytest

from sscsi_shared.deadline import Deadline, Instant
from sscsi_shared.economy.asking import Economy
from sscsi_shared.economy.options import EconomyOptions
from sscsi_shared.mount import Place, Read
from sscsi_shared.parameters import read_mount
from sscsi_shared.pipeline import Pipeline
from sscsi_shared.provider import Login
from sscsi_shared.secret import SecretBytes
from sscsi_shared.server.servicer import ProviderServicer
from sscsi_shared.testing.caller import TARGET, Caller, listening
from sscsi_shared.testing.daemon import dialled, serving
from sscsi_shared.testing.stage import POD, Stage, Wanted, pod_attributes

Code: Final = grpc.StatusCode
FALSE_CLAIMS: Final[Mapping[str, Mapping[str, object]]] = {
    "of another account": {"sub": f"system:serviceaccount:{POD.namespace}:other"},
    "of another namespace": {"sub": f"system:serviceaccount:other:{POD.service_account}"},
    "of nobody": {"sub": None},
    "for another audience": {"aud": ["somebody else"]},
    "for nobody": {"aud": []},
    "expired": {"exp": 1_000_000_000},
    "without an end": {"exp": None},
    "of another pod": {"kubernetes.io": {"pod": {"name": POD.name, "uid": "other"}}},
}


class Turned:
    """A clock that runs, and that a test turns forward."""

    def __init__(self) -> None:
        self.forward = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.forward


class Kept:
    """A provider with an economy, and what was counted there."""

    def __init__(self, caller: Caller, clock: Turned, counted: Counter[str]) -> None:
        self.caller: Final = caller
        self.clock: Final = clock
        self.counted: Final = counted


@contextlib.contextmanager
def keeping(stage: Stage) -> Iterator[Kept]:
    """Serve the stage's provider with everything kept as by default; in the end no secret may have been told."""
    clock, counted = Turned(), Counter[str]()
    economy: Economy[Any, Any, Any, Any] = Economy(
        stage.provider, EconomyOptions(), clock=clock, count=lambda what, number: counted.update({what: number})
    )
    pipeline: Pipeline[Any, Any, Any, Any] = Pipeline(stage.provider, stage.cluster, economy)
    servicer = ProviderServicer(pipeline, stage.provider.name, "0.0.0")
    with contextlib.ExitStack() as stack:
        records = stack.enter_context(listening())
        channel = stack.enter_context(dialled(stack.enter_context(serving(servicer))))
        stack.callback(stage.mend)
        caller = Caller(channel, stage, records, [])
        yield Kept(caller, clock, counted)
    caller.assert_silent(vars(economy))


class EconomyContract:
    """Subclass it with a name that starts with `Test`, and override the fixture `stage`."""

    @pytest.fixture
    def stage(self) -> Iterator[Stage]:
        """The provider under test and its backend."""
        raise NotImplementedError("override the fixture `stage` and yield a Stage")

    @pytest.fixture
    def kept(self, stage: Stage) -> Iterator[Kept]:
        """The driver's part; see `keeping`."""
        with keeping(stage) as kept:
            yield kept

    def test_a_repeat_asks_nothing(self, kept: Kept) -> None:
        wanted = kept.caller.put("shop-db", "shop-api")
        first = kept.caller.volume(*wanted)
        counted = kept.counted.copy()
        assert kept.caller.volume(*wanted) == first
        assert (kept.counted - counted)["hit"] == 2
        assert kept.counted["read"] == 2
        assert kept.counted["login"] == 1

    def test_all_who_come_at_once_are_one(self, kept: Kept) -> None:
        wanted = kept.caller.put("shop-db", "shop-api", "shop-tls")
        with ThreadPoolExecutor(20) as pods:
            volumes = list(pods.map(lambda _: kept.caller.volume(*wanted), range(20)))
        assert all(volume == volumes[0] for volume in volumes)
        assert (kept.counted["read"], kept.counted["login"]) == (3, 1)

    def test_a_change_is_seen_one_time_to_live_later(self, kept: Kept) -> None:
        wanted = kept.caller.put("shop-db")
        kept.caller.volume(*wanted)
        kept.caller.put("shop-db")
        kept.clock.forward += EconomyOptions().ttl
        assert kept.caller.volume(*wanted).files["shop-db"] == kept.caller.contents["shop-db"].encode()

    @pytest.mark.parametrize("hook", ["deny", "remove"])
    def test_a_right_that_is_gone_is_seen_one_time_to_live_later(self, kept: Kept, stage: Stage, hook: str) -> None:
        wanted = kept.caller.put("shop-db")
        kept.caller.volume(*wanted)
        getattr(stage, hook)("shop-db")
        kept.clock.forward += EconomyOptions().ttl
        reason, code = {
            "deny": ("AccessDenied", Code.PERMISSION_DENIED),
            "remove": ("ObjectNotFound", Code.NOT_FOUND),
        }[hook]
        kept.caller.refusal(reason, code, *wanted)
        asked = kept.counted["read"]
        kept.caller.refusal(reason, code, *wanted)
        assert kept.counted["read"] == asked, "the refusal is remembered"

    def test_a_trust_that_is_gone_is_seen_one_sessions_age_later(self, kept: Kept, stage: Stage) -> None:
        wanted = kept.caller.put("shop-db")
        kept.caller.volume(*wanted)
        stage.refuse_login()
        kept.clock.forward += EconomyOptions().max_age
        kept.caller.refusal("AuthenticationFailed", Code.UNAUTHENTICATED, *wanted)

    def test_a_backend_in_trouble_is_left_alone(self, kept: Kept, stage: Stage) -> None:
        wanted = kept.caller.put("shop-db")
        stage.break_down()
        kept.caller.refusal("BackendUnavailable", Code.UNKNOWN, *wanted)
        asked = kept.counted["read"] + kept.counted["login"]
        refusal = kept.caller.refusal("BackendUnavailable", Code.UNKNOWN, *wanted)
        assert refusal.retry_after is not None
        assert kept.counted["read"] + kept.counted["login"] == asked
        stage.mend()
        kept.clock.forward += 60
        assert kept.caller.volume(*wanted).files

    @pytest.mark.parametrize("case", [*FALSE_CLAIMS, "opaque", "nothing"])
    def test_what_is_known_is_only_for_who_proves_it(self, kept: Kept, case: str) -> None:
        own = kept.caller.tokens()
        if own is None:
            pytest.skip("this provider needs no token")
        wanted = kept.caller.put("shop-db")
        kept.caller.volume(*wanted)
        counted = kept.counted.copy()
        entries = {
            audience: {"token": "opaque" if case == "opaque" else _claiming(entry["token"], FALSE_CLAIMS.get(case, {}))}
            for audience, entry in json.loads(own).items()
        }
        tokens = None if case == "nothing" else json.dumps(entries)
        kept.caller.refusal("AuthenticationFailed", Code.UNAUTHENTICATED, *wanted, tokens=tokens)
        assert kept.counted == counted, "nobody was asked, neither memory nor backend"

    def test_each_fact_of_an_identity_is_a_login_of_its_own(self, stage: Stage) -> None:
        deadline = Deadline.after(30)
        stage.put("shop-db", "anything")
        mount = read_mount(json.dumps(_attributes(stage)), "null", "420", TARGET, ())
        request = stage.provider.parse(mount)
        login = stage.provider.identify(request, stage.cluster, deadline)
        place, one = stage.provider.plan(request, login.identity).reads[0].candidates[0]
        logins = _Logins()
        economy: Economy[Any, Any, Any, Any] = Economy(logins, EconomyOptions())  # type: ignore[arg-type]

        def content(identity: object) -> bytes:
            found = economy.read(Login(identity, login.credentials), place, [one], deadline)[one]
            assert isinstance(found, Read)
            return found.only.contents.reveal()

        own = content(login.identity)
        assert content(login.identity) == own
        identities = dict(_altered(login.identity))
        assert identities, "an identity is a dataclass or a text"
        for number, (field, identity) in enumerate(identities.items(), start=2):
            assert content(identity) != own, f"{field} does not count: another identity gets what this one has read"
            assert logins.number == number, field


class _Logins:
    """A provider whose every login reads something else."""

    def __init__(self) -> None:
        self.number = 0
        self.expires_at: Instant | None = None

    def open(self, login: Login[Any, Any], place: Place, deadline: Deadline) -> "_Logins":
        del login, place, deadline
        self.number += 1
        return self

    def fetch(self, objects: Sequence[Any], deadline: Deadline) -> Mapping[Any, Read]:
        del deadline
        return {one: Read.of(SecretBytes(f"of login {self.number}".encode()), "1") for one in objects}

    def close(self) -> None:
        """Nothing to give back."""


def _attributes(stage: Stage) -> dict[str, str]:
    return stage.attributes(Wanted("shop-db")) | pod_attributes(POD, stage.tokens(POD))


def _altered(identity: Any) -> Iterator[tuple[str, Any]]:
    """The identity with one fact changed, for each of its facts."""
    if not dataclasses.is_dataclass(identity):
        yield "identity", _other(identity)
        return
    for field in dataclasses.fields(identity):
        value = getattr(identity, field.name)
        if dataclasses.is_dataclass(value):
            for name, inner in _altered(value):
                yield f"{field.name}.{name}", dataclasses.replace(identity, **{field.name: inner})  # type: ignore[type-var]
        else:
            yield field.name, dataclasses.replace(identity, **{field.name: _other(value)})  # type: ignore[type-var]


def _other(value: object) -> object:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, tuple):
        return (*value, "other")
    return f"{value} other"


def _claiming(token: str, claims: Mapping[str, object]) -> str:
    """The token with other claims, as somebody could write it who can't sign; None takes a claim away."""
    head, body, signature = token.split(".")
    told = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))) | claims
    left = {name: value for name, value in told.items() if value is not None}
    return ".".join((head, base64.urlsafe_b64encode(json.dumps(left).encode()).decode().rstrip("="), signature))
