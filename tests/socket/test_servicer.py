"""The provider contract over a real unix socket: codes, texts, deadlines."""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servicer_rig import ATTRIBUTES, RESULT, Rig
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import (
    AccessDenied,
    AuthenticationFailed,
    BackendThrottled,
    BackendUnavailable,
    InvalidParameters,
    MountError,
    MountFailed,
    ObjectNotFound,
    ObjectUnusable,
    OutOfTime,
    Overloaded,
)
from sscsi_shared.mount import MountInput, MountResult, SecretFile
from sscsi_shared.secret import SecretBytes
from sscsi_shared.server.servicer import status_of
from sscsi_shared.testing.caller import FORBIDDEN
from sscsi_shared.v1alpha1 import provider_pb2 as pb

Code = grpc.StatusCode


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def rig(stack: ExitStack) -> Rig:
    return Rig(stack)


def test_version_whatever_is_asked(rig: Rig) -> None:
    for version in ("v1alpha1", "", "v9"):
        answer = rig.stub.Version(pb.VersionRequest(version=version), timeout=20)
        assert answer == pb.VersionResponse(
            version="v1alpha1", runtime_name="sscsi-provider-test", runtime_version="1.2.3"
        )


@pytest.mark.parametrize(("read_at", "said"), [(None, {}), (1_800_000_000.25, {"sscsi-read-at": "1800000000.250000"})])
def test_of_when_a_volume_is_stands_beside_it(rig: Rig, read_at: float | None, said: dict[str, str]) -> None:
    rig.mounter.answer = lambda mount, deadline: replace(RESULT, read_at=read_at)
    _, call = rig.stub.Mount.with_call(
        pb.MountRequest(attributes=ATTRIBUTES, permission="420", secrets="null", target_path="/t"), timeout=20
    )
    assert dict(call.trailing_metadata()) == said


def test_a_volume_on_the_wire(rig: Rig) -> None:
    seen: list[MountInput] = []

    def answer(mount: MountInput, deadline: Deadline) -> MountResult:
        seen.append(mount)
        return RESULT

    rig.mounter.answer = answer
    response = rig.mount(current_object_version=[pb.ObjectVersion(id="db", version="v0")])
    assert response == pb.MountResponse(
        object_version=[pb.ObjectVersion(id="db", version="v1")],
        files=[pb.File(path="db", mode=0o400, contents=b"canary\\x00\\xff")],
    )
    assert (seen[0].pod.name, seen[0].target_path, seen[0].current_versions) == ("web-0", "/t", {"db": "v0"})
    assert [reason for reason, _ in rig.observed] == ["OK"]
    assert rig.observed[0][1] >= 0


PASSING = [BackendThrottled, BackendUnavailable, OutOfTime, Overloaded]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidParameters("m"), Code.INVALID_ARGUMENT),
        (AuthenticationFailed("m"), Code.UNAUTHENTICATED),
        (AccessDenied("m"), Code.PERMISSION_DENIED),
        (ObjectNotFound("m"), Code.NOT_FOUND),
        (ObjectUnusable("m"), Code.FAILED_PRECONDITION),
        *((kind("m"), Code.UNKNOWN) for kind in PASSING),
        (MountFailed([ObjectNotFound("a"), ObjectNotFound("b")]), Code.NOT_FOUND),
        (MountFailed([ObjectNotFound("a"), AccessDenied("b")]), Code.FAILED_PRECONDITION),
        (MountFailed([ObjectNotFound("a"), AccessDenied("b"), OutOfTime("c")]), Code.UNKNOWN),
        (MountFailed([MountFailed([OutOfTime("a")]), AccessDenied("b")]), Code.UNKNOWN),
    ],
    ids=range(13),
)
def test_each_reason_has_its_status(rig: Rig, error: MountError, code: grpc.StatusCode) -> None:
    rig.mounter.fail(error)
    assert rig.refused() == (code, str(error), {"sscsi-reason": error.reason})
    assert [reason for reason, _ in rig.observed] == [error.reason]


class Unheard(MountError):
    """A kind that the table does not know: a third party's."""

    reason = "Unheard"


class UnheardOf(AccessDenied):
    """A third party's own kind of a known one."""

    reason = "SealedVault"


def test_kinds_of_third_parties() -> None:
    assert status_of(Unheard("m")) is Code.FAILED_PRECONDITION
    assert status_of(UnheardOf("m")) is Code.PERMISSION_DENIED


def every_kind(kind: type[MountError]) -> Iterator[type[MountError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from every_kind(below)


def test_no_kind_has_a_forbidden_status() -> None:
    for kind in every_kind(MountError):
        if kind is not MountFailed and kind.__module__ in {"sscsi_shared.errors", __name__}:
            assert status_of(kind("m")) not in FORBIDDEN
            assert status_of(MountFailed([kind("m")] * 2)) not in FORBIDDEN


@pytest.mark.parametrize(
    ("seconds", "sent"), [(2.1, "3"), (0, "0"), (1e9, "3600"), (float("inf"), "3600"), (-1, None), (float("nan"), None)]
)
def test_how_long_to_wait(rig: Rig, seconds: float, sent: str | None) -> None:
    rig.mounter.fail(BackendThrottled("m", retry_after=seconds))
    assert rig.refused()[2].get("sscsi-retry-after") == sent


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\nlines\tand\r\nmore", "two lines and more"),
        ("nul \0 bell \x07 escape \x1b[31m", "nul \ufffd bell \ufffd escape \ufffd[31m"),
        ("percent %41 %", "percent %41 %"),
        ("x" * 60_000, "x" * 2045 + "…"),
        ("€" * 3000, "€" * 681 + "…"),
        ("😀" * 3000, "😀" * 511 + "…"),
        ("half \ud800 pair", "half \ufffd pair"),
    ],
    ids=range(7),
)
def test_a_text_arrives_on_one_line_cut_and_whole(rig: Rig, text: str, shown: str) -> None:
    rig.mounter.fail(AccessDenied(text))
    code, details, metadata = rig.refused()
    assert (code, metadata) == (Code.PERMISSION_DENIED, {"sscsi-reason": "AccessDenied"})
    assert details == shown


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(), max_size=3000))
def test_any_text_arrives(text: str) -> None:
    with ExitStack() as stack:
        rig = Rig(stack)
        rig.mounter.fail(ObjectNotFound(text))
        code, details, metadata = rig.refused()
    assert (code, metadata) == (Code.NOT_FOUND, {"sscsi-reason": "ObjectNotFound"})
    assert len(details.encode()) <= 2048
    assert details.isprintable()


class Panic(BaseException):
    """What a Rust extension throws."""


@pytest.mark.parametrize("kind", [ZeroDivisionError, KeyError, MemoryError, RecursionError, SystemExit, Panic])
def test_a_mistake_of_ours_is_an_incident(
    rig: Rig, caplog: pytest.LogCaptureFixture, kind: type[BaseException]
) -> None:
    secret = "canary"[::-1]  # turned round, since source lines are logged

    def answer(mount: MountInput, deadline: Deadline) -> MountResult:
        try:
            int(secret)
        except ValueError as error:
            raise kind(secret) from error
        return RESULT

    rig.mounter.answer = answer
    code, text, metadata = rig.refused()
    assert (code, metadata) == (Code.INTERNAL, {"sscsi-reason": "Internal"})
    found = re.search(r"incident ([0-9a-f]{12})\.$", text)
    assert found
    assert len(caplog.records) == 1
    logged = caplog.records[0].getMessage()
    for word in (found[1], kind.__qualname__, "builtins.ValueError", "test_servicer.py", "shop/web-0"):
        assert word in logged
    assert secret not in caplog.text + text
    assert [reason for reason, _ in rig.observed] == ["Internal"]
    rig.mounter.answer = lambda mount, deadline: RESULT
    assert rig.mount().files, "and life goes on"


@pytest.mark.parametrize(
    "result",
    [
        MountResult((SecretFile("\ud800", 0o400, SecretBytes(b"")),), ()),
        MountResult((SecretFile("a", 1 << 40, SecretBytes(b"")),), ()),
        None,
    ],
    ids=["path", "mode", "none"],
)
def test_an_answer_that_has_no_wire_form_is_an_incident(rig: Rig, result: Any) -> None:
    rig.mounter.answer = lambda mount, deadline: result
    assert rig.refused()[0] is Code.INTERNAL


def test_a_broken_counter_fails_no_mount(stack: ExitStack, caplog: pytest.LogCaptureFixture) -> None:
    def observe(reason: str, seconds: float) -> None:
        raise ZeroDivisionError("canary")

    rig = Rig(stack, observe=observe)
    assert rig.mount().files
    rig.mounter.fail(ObjectNotFound("gone"))
    assert rig.refused()[:2] == (Code.NOT_FOUND, "gone")
    assert "a mount could not be counted: ZeroDivisionError" in caplog.messages
    assert "canary" not in caplog.text


def test_one_line_in_the_log_for_a_failed_mount(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    rig.mounter.fail(AccessDenied("No.", hint="Ask\nthem."))
    rig.refused()
    assert caplog.messages == ["mount for shop/web-0 failed, AccessDenied: No. Ask them."]
    assert vars(caplog.records[0])["reason"] == "AccessDenied"
    caplog.clear()
    rig.refused(attributes="{")
    assert caplog.messages[0].startswith("mount for an unknown pod failed, InvalidParameters: ")


@pytest.mark.parametrize(
    ("timeout", "least", "most"), [(None, 99, 100), (200.0, 99, 100), (90.0, 85, 88), (10.0, 5, 8), (4.0, 1, 2.5)]
)
def test_our_deadline_comes_before_the_callers(rig: Rig, timeout: float | None, least: float, most: float) -> None:
    seen: list[float] = []

    def answer(mount: MountInput, deadline: Deadline) -> MountResult:
        seen.append(deadline.remaining())
        return RESULT

    rig.mounter.answer = answer
    rig.mount(timeout)
    assert least <= seen[0] <= most


def test_a_request_of_five_mebibytes_is_refused_by_us(rig: Rig) -> None:
    attributes = json.dumps({"objects": "x" * (5 << 20)})
    code, text, metadata = rig.refused(attributes=attributes)
    assert (code, metadata) == (Code.INVALID_ARGUMENT, {"sscsi-reason": "InvalidParameters"})
    assert "4 MiB" in text
