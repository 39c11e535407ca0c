"""What fuzzing judges by: our errors are refusals, all else is a finding, and so is what takes too long or too much."""

import importlib
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fire.hostile.judge import Judge, Tally, load
from fire.hostile.stretch import stretched
from fire.hostile.target import Target, joined, pieces

from sscsi_shared.errors import InvalidParameters, MountError

GROUPS = ("parameters", "objects", "contents", "certificates", "driver")


def refuse(data: bytes) -> None:
    raise InvalidParameters("no")


def burn(data: bytes) -> None:
    ends = time.process_time() + 10
    while time.process_time() < ends:
        pass


def hoard(data: bytes) -> None:
    bytearray(b"x" * (256 << 20))


def odd(data: bytes) -> None:
    raise LookupError("x")


def silent(data: bytes) -> None:
    raise MountError("")


def judged(tmp_path: Path, read: Callable[[bytes], object]) -> tuple[Tally, list[str]]:
    judge = Judge(tmp_path)
    target = Target("t", read, (MountError,), [b"x"], seconds=0.5)
    judge.judge(target, b"x")
    judge.judge(target, b"y")
    judge.save()
    report = load(tmp_path)
    return report.tallies["t"], report.findings


def test_what_is_taken_and_what_is_refused(tmp_path: Path) -> None:
    assert judged(tmp_path, len)[1] == []
    tally, findings = judged(tmp_path, refuse)
    assert (tally.tried, tally.refused, findings) == (2, 2, [])


@pytest.mark.parametrize(
    ("read", "said"), [(odd, "LookupError: x"), (silent, "without a word"), (burn, "has no end"), (hoard, "MiB")]
)
def test_what_is_found_and_once(tmp_path: Path, read: Callable[[bytes], object], said: str) -> None:
    _, findings = judged(tmp_path, read)
    assert sum(said in one for one in findings) == 1
    assert next(tmp_path.glob("t-*")).read_bytes() == b"x", "the input is kept"


def test_stretched_inputs_are_of_the_seed_and_within_their_size() -> None:
    target = Target("t", len, (), [joined("a", "bc")], [b"["], most=10_000)
    one, again = (list(stretched(target, random.Random(4), 50)) for _ in range(2))
    assert one == again
    assert max(map(len, one)) > 5_000
    assert all(len(data) <= 10_003 for data in one)
    assert all(len(pieces(data, 2)) == 2 for data in one)


@pytest.mark.parametrize("group", GROUPS)
def test_every_reader_takes_one_of_its_examples(group: str, tmp_path: Path) -> None:
    judge = Judge(tmp_path, counted=False)
    for target in importlib.import_module(f"fire.hostile.of_{group}").targets():
        for data in target.seeds:
            judge.judge(target, data)
        tally = judge.report.tallies[target.name]
        assert tally.refused < tally.tried, f"{target.name} refuses all of its examples"
    assert judge.report.findings == []
