"""What was read becomes a volume's content."""

from dataclasses import dataclass, replace

import pytest

from sscsi_shared.errors import AccessDenied, InvalidParameters, MountFailed, ObjectNotFound, ObjectUnusable
from sscsi_shared.mount import MountPlan, MountResult, ObjectVersion, Output, Place, PlannedRead, Read, SecretFile
from sscsi_shared.render import EMPTY, MAX_RESULT_BYTES, check_plan, named, render
from sscsi_shared.secret import SecretBytes
from sscsi_shared.transform import JsonKey

HERE = Place("here")


def planned(name: str, *outputs: Output, optional: bool = False) -> PlannedRead[str]:
    return PlannedRead(name, ((HERE, name),), outputs or (Output(name, 0o644, name),), optional)


def plan(*reads: PlannedRead[str]) -> MountPlan[str]:
    return MountPlan(reads)


def read(contents: bytes, version: str = "1") -> Read:
    return Read.of(SecretBytes(contents), version)


def test_files_and_versions_in_the_order_of_the_class() -> None:
    both = (Output("db/user", 0o400, "db:user", JsonKey("user")), Output("db/all", 0o640, "db"))
    result = render(plan(planned("z"), planned("db", *both)), [read(b"last"), read(b'{"user": "web"}', "v7")])
    assert result == MountResult(
        files=(
            SecretFile("z", 0o644, SecretBytes(b"last")),
            SecretFile("db/user", 0o400, SecretBytes(b"web")),
            SecretFile("db/all", 0o640, SecretBytes(b'{"user": "web"}')),
        ),
        versions=(ObjectVersion("z", "1"), ObjectVersion("db:user", "v7"), ObjectVersion("db", "v7")),
    )


def test_the_oldest_read_says_of_when_the_volume_is() -> None:
    moments = [replace(read(b"a"), read_at=5.0), read(b"b"), replace(read(b"c"), read_at=3.0)]
    assert render(plan(planned("a"), planned("b"), planned("c")), moments).read_at == 3.0
    assert render(plan(planned("b")), [read(b"b")]).read_at is None


def test_an_absent_optional_object_leaves_neither_file_nor_version() -> None:
    result = render(plan(planned("a", optional=True), planned("b")), [None, read(b"x")])
    assert (result.files, result.versions) == ((SecretFile("b", 0o644, SecretBytes(b"x")),), (ObjectVersion("b", "1"),))


@pytest.mark.parametrize("reads", [(), (planned("a", optional=True),)], ids=["no objects", "none that is there"])
def test_an_empty_volume_still_has_a_version(reads: tuple[PlannedRead[str], ...]) -> None:
    assert render(MountPlan(reads), [None] * len(reads)) == MountResult((), (EMPTY,))


def test_a_transform_that_fails_names_object_and_file() -> None:
    with pytest.raises(ObjectUnusable) as caught:
        render(plan(planned("db", Output("user", 0o644, "db", JsonKey("user")))), [read(b'{"name": "canary"}')])
    assert str(caught.value) == "db: key 'user' not found in JSON. Available keys: name."
    both = (Output("one", 0o644, "1", JsonKey("one")), Output("two", 0o644, "2", JsonKey("two")))
    with pytest.raises(MountFailed) as several:
        render(plan(planned("db", *both), planned("ok")), [read(b'{"key": "canary"}'), read(b"x")])
    assert [failure.message for failure in several.value.failures] == [
        "db (file `one`): key 'one' not found in JSON.",
        "db (file `two`): key 'two' not found in JSON.",
    ]
    assert "canary" not in str(several.value)


@pytest.mark.parametrize(
    ("outputs", "word"),
    [
        ([Output("../a", 0o644, "a")], "'..'"),
        ([Output("a", 0o644, "a"), Output("a", 0o644, "b")], "one file"),
        ([Output("a", 0o644, "a"), Output("a/b", 0o644, "b")], "under"),
        ([Output("a", 0o1777, "a")], "permission"),
        ([Output("a", 0o644, "id"), Output("b", 0o644, "id")], "`a` and `b` would be reported under one"),
    ],
)
def test_a_plan_that_can_not_be_rendered(outputs: list[Output], word: str) -> None:
    reads = plan(*(planned(f"o{n}", output) for n, output in enumerate(outputs)))
    with pytest.raises(InvalidParameters, match=word):
        check_plan(reads)
    with pytest.raises(InvalidParameters, match=word):
        render(reads, [read(b"x")] * len(outputs))


def test_reads_are_aligned_with_the_plan() -> None:
    with pytest.raises(ValueError, match="shorter"):
        render(plan(planned("a"), planned("b")), [read(b"x")])


def test_the_ceiling_counts_contents_paths_versions_and_framing() -> None:
    objects = plan(planned("a"), planned("b"))
    exact = (100 + 1 + 32) + (50 + 1 + 32) + 2 * (1 + 1 + 32)
    reads = [read(b"x" * 100), read(b"x" * 50)]
    assert len(render(objects, reads, max_bytes=exact).files) == 2
    with pytest.raises(ObjectUnusable) as caught:
        render(objects, reads, max_bytes=exact - 1)
    text = str(caught.value)
    assert text.startswith(f"The volume's 2 files come to {exact} bytes; at most {exact - 1} may be mounted at once.")
    assert "`a` with 100 bytes" in text
    assert "--max-call-recv-msg-size" in text


def test_the_default_ceiling_is_below_what_existing_drivers_receive() -> None:
    with pytest.raises(ObjectUnusable):
        render(plan(planned("a")), [read(b"x" * MAX_RESULT_BYTES)])
    assert MAX_RESULT_BYTES < 4 << 20


@dataclass(frozen=True)
class Odd:
    """A transform with a mistake in it."""

    def apply(self, contents: bytes) -> bytes:
        raise ZeroDivisionError


def test_a_bug_is_no_outcome() -> None:
    with pytest.raises(ZeroDivisionError):
        render(plan(planned("a", Output("a", 0o644, "a", Odd()))), [read(b"x")])


class Special(AccessDenied):
    def __init__(self, role: str, *, policy: str) -> None:
        super().__init__("No.", hint="Ask.", retry_after=3)
        self.role = role
        self.policy = policy


def test_naming_copies_and_keeps_what_the_error_carries() -> None:
    error = Special("web", policy="p")
    copy = named("db", error)
    assert type(copy) is Special
    assert (str(copy), copy.role, copy.policy, copy.retry_after) == ("db: No. Ask.", "web", "p", 3)
    assert copy.args == ("db: No.",)
    assert copy.__cause__ is error
    assert str(error) == "No. Ask."


def test_an_error_that_has_the_name_stays() -> None:
    error = ObjectNotFound("memory: there is no `db`.")
    assert named("db", error) is error


@pytest.mark.parametrize("text", ["There was no time left to ask the backend.", "db-2 is absent.", "mydb: no."])
def test_a_part_of_a_word_is_no_name(text: str) -> None:
    name = "b" if "backend" in text else "db"
    assert str(named(name, ObjectNotFound(text))) == f"{name}: {text}"
