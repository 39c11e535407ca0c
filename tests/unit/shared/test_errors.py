"""What the errors say."""

import pytest

from sscsi_shared.errors import (
    AccessDenied,
    AuthenticationFailed,
    BackendThrottled,
    BackendUnavailable,
    InvalidParameters,
    MountError,
    MountFailed,
    ObjectError,
    ObjectNotFound,
    ObjectUnusable,
    OutOfTime,
    Overloaded,
    after,
    clip,
    first_or_all,
    fresh,
)

ALL: list[tuple[type[MountError], bool]] = [
    (InvalidParameters, False),
    (AuthenticationFailed, False),
    (AccessDenied, False),
    (ObjectNotFound, False),
    (ObjectUnusable, False),
    (BackendThrottled, True),
    (BackendUnavailable, True),
    (OutOfTime, True),
    (Overloaded, True),
]


@pytest.mark.parametrize(("kind", "transient"), ALL)
def test_each_class_has_a_reason_of_its_own(kind: type[MountError], transient: bool) -> None:
    assert kind.reason == kind.__name__
    assert kind.transient is transient


def test_only_outcomes_of_objects_are_object_errors() -> None:
    assert [kind.__name__ for kind, _ in ALL if issubclass(kind, ObjectError)] == [
        "AccessDenied",
        "ObjectNotFound",
        "ObjectUnusable",
        "BackendThrottled",
        "BackendUnavailable",
        "OutOfTime",
    ]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (AccessDenied("No.", hint="Ask."), "No. Ask."),
        (AccessDenied("No."), "No."),
        (InvalidParameters("Bad."), "Bad."),
        (InvalidParameters("Bad.", path="objects[0]", hint="Mend."), "objects[0]: Bad. Mend."),
        (InvalidParameters("Bad.", path="objects", line=2, column=3), "objects (line 2, column 3): Bad."),
        (InvalidParameters("Bad.", line=2), "(line 2, column 1): Bad."),
    ],
    ids=range(6),
)
def test_text(error: MountError, text: str) -> None:
    assert str(error) == text


@pytest.mark.parametrize(
    ("text", "limit", "clipped"),
    [
        ("a\n b\t c ", 512, "a b c"),
        ("x" * 10, 10, "x" * 10),
        ("x" * 11, 10, "x" * 7 + "…"),
        ("é" * 10, 10, "é" * 3 + "…"),
        ("a\ud800b", 10, "a?b"),
        ("", 10, ""),
    ],
    ids=range(6),
)
def test_clip(text: str, limit: int, clipped: str) -> None:
    assert clip(text, limit) == clipped
    assert len(clipped.encode()) <= limit


def test_several_failures_are_told_in_order() -> None:
    error = MountFailed([ObjectNotFound("a is absent."), BackendThrottled("b is slow.", retry_after=3)])
    assert str(error) == "2 objects failed. [1] a is absent. [2] b is slow."
    assert error.retry_after == 3
    assert MountFailed([ObjectNotFound("a")] * 2).retry_after is None


def test_several_failures_may_pass_by_themselves_if_one_of_them_may() -> None:
    passing = MountFailed([ObjectNotFound("a"), BackendThrottled("b"), OutOfTime("c")])
    assert (passing.reason, passing.transient) == ("BackendThrottled", True)
    assert (fresh(passing).reason, fresh(passing).transient) == ("BackendThrottled", True)
    lasting = MountFailed([ObjectNotFound("a"), AccessDenied("b")])
    assert (lasting.reason, lasting.transient) == ("MountFailed", False)


def test_at_most_ten_failures_are_named() -> None:
    text = str(MountFailed([ObjectNotFound(f"o{n}.") for n in range(13)]))
    assert "[10] o9." in text
    assert "o10" not in text
    assert text.endswith("and 3 more")


def test_one_failure_is_itself() -> None:
    one, two = ObjectNotFound("a"), AccessDenied("b")
    assert first_or_all([one]) is one
    several = first_or_all([one, two])
    assert isinstance(several, MountFailed)
    assert several.failures == (one, two)


def test_a_fresh_copy_holds_neither_cause_nor_frames() -> None:
    try:
        try:
            raise ValueError("SECRET")  # noqa: TRY301
        except ValueError as cause:
            raise BackendThrottled("slow.", hint="Wait.", retry_after=3) from cause
    except BackendThrottled as error:
        copy = fresh(error)
    assert (type(copy), str(copy), copy.retry_after, copy.args) == (BackendThrottled, "slow. Wait.", 3, ("slow.",))
    assert (copy.__cause__, copy.__context__, copy.__traceback__) == (None, None, None)


def test_what_came_before_the_last_failure_is_told() -> None:
    first, last = BackendThrottled("a is slow."), ObjectNotFound("b is absent.", hint="Look.")
    assert after([last]) is last
    told = after([first, last])
    assert str(told) == "b is absent. Tried before: a is slow. Look."
    assert isinstance(told, ObjectNotFound)
    assert str(last) == "b is absent. Look."
    assert len(str(after([ObjectNotFound("x" * 5000), last])).encode()) < 600
