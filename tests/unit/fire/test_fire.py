"""The frame of `make fire`: dice, tables, and a reader that sees what is not whole."""

from pathlib import Path

import pytest
from fire.case import Broken, Part, Shown
from fire.generations import generation, secret_files
from fire.plan import Plan, Size
from fire.reading import Reader, exact
from fire.table import HEAD, Row, page, section

from sscsi_shared.mount import SecretFile
from sscsi_shared.publish import publish
from sscsi_shared.secret import SecretBytes

PLAN = Plan(7, Size.SHORT)
PART = Part("one", "One", "It holds.", ())


def test_the_dice_of_a_case_are_those_of_the_seed() -> None:
    assert PLAN.dice("a").random() == Plan(7, Size.FULL).dice("a").random()
    assert PLAN.dice("a").random() != PLAN.dice("b").random() != Plan(8, Size.SHORT).dice("b").random()
    assert (PLAN.count(1, 10), Plan(7, Size.FULL).count(1, 10)) == (1, 10)


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (Row("f", Shown("fine", 1000, "kills", 0.04)), "| f | fine | 1,000 kills | below 0.1 s |"),
        (Row("f", Shown("fi\nne", 1, "kill", 1.26)), "| f | fi ne | 1 kill | 1.3 s |"),
        (Row("f", Shown("a|b", 1, "kill")), "| f | a\\|b | 1 kill |  |"),
        (Row("f", None, "no tmpfs"), "| f | **not run**: no tmpfs |  |  |"),
        (Row("f", None, "half a set", broken=True), "| f | **broken**: half a set |  |  |"),
    ],
)
def test_a_row(row: Row, line: str) -> None:
    assert row.line() == line


def test_the_page_keeps_the_tables_of_parts_that_did_not_run() -> None:
    one = section(PART, PLAN, [Row("f", Shown("fine", 1, "kill"))])
    two = section(Part("two", "Two", "It holds too.", ()), PLAN, [])
    whole = page("", ["One", "Two"], {"Two": two, "One": one})
    assert whole == f"{HEAD}\n{one}\n{two}"
    other = section(PART, PLAN, [])
    assert page(whole, ["One", "Two"], {"One": other}) == f"{HEAD}\n{other}\n{two}"
    assert page(whole, ["Two"], {}) == f"{HEAD}\n{two}"


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    publish(tmp_path, secret_files(7, 3))
    return tmp_path


def put(volume: Path, files: list[SecretFile]) -> None:
    """Behind the writer's back."""
    version = volume / (volume / "..data").readlink()
    for file in files:
        (version / file.path).write_bytes(file.contents.reveal())


def test_a_reader_sees_a_whole_volume(volume: Path) -> None:
    reader = Reader(volume, 7)
    assert reader.read() == 3
    assert (reader.whole, reader.files) == (1, len(generation(7, 3)))
    exact(volume, 7, 3)


def test_a_reader_sees_what_is_not_whole(volume: Path) -> None:
    put(volume, [SecretFile("always", 0o400, SecretBytes(generation(7, 4)["always"].contents))])
    with pytest.raises(Broken, match="several generations"):
        Reader(volume, 7).read()


def test_a_reader_sees_half_a_file(volume: Path) -> None:
    put(volume, [SecretFile("always", 0o400, SecretBytes(b"3 always"))])
    with pytest.raises(Broken, match="generation 3 has other files"):
        Reader(volume, 7).read()


def test_a_reader_sees_that_a_file_is_missing(volume: Path) -> None:
    (volume / (volume / "..data").readlink() / "always").unlink()
    with pytest.raises(Broken, match=r"not complete|still leads there"):
        Reader(volume, 7).read()


def test_a_reader_sees_that_it_goes_back(volume: Path) -> None:
    reader = Reader(volume, 7)
    reader.read()
    publish(volume, secret_files(7, 2))
    with pytest.raises(Broken, match="generation 2 was seen after 3"):
        reader.read()


def test_litter_is_seen(volume: Path) -> None:
    (volume / "..data_tmp").symlink_to("x")
    with pytest.raises(Broken, match="litter"):
        exact(volume, 7, 3)
