"""The atomic writer under any sequence of contents: the volume is always exactly the last one, in one version."""

# ruff: noqa: PTH115, PTH208 -- names as the kernel gives them, not paths

import os
import stat
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sscsi_shared.errors import InvalidParameters
from sscsi_shared.mount import SecretFile
from sscsi_shared.publish import publish
from sscsi_shared.secret import SecretBytes

NAMES = st.sampled_from(["a", "b", ".c", "a b", "..d", "é", "x" * 255])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
HOSTILE = st.text(st.sampled_from("ab./\\\0 \n"), max_size=12) | PATHS
CONTENTS = st.binary(max_size=20)
MODES = st.integers(0, 0o777)
VOLUMES = st.dictionaries(PATHS, st.tuples(CONTENTS, MODES), max_size=6)


def files_of(volume: dict[str, tuple[bytes, int]]) -> list[SecretFile]:
    return [SecretFile(path, mode, SecretBytes(contents)) for path, (contents, mode) in volume.items()]


def seen(target: Path) -> dict[str, tuple[bytes, int]]:
    version = target / os.readlink(target / "..data")
    return {
        str(path.relative_to(version)): (path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
        for path in version.rglob("*")
        if path.is_file()
    }


@settings(max_examples=60, deadline=None)
@given(st.lists(VOLUMES, min_size=1, max_size=4))
def test_the_volume_is_the_last_content_that_was_accepted(volumes: list[dict[str, tuple[bytes, int]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder)
        last: dict[str, tuple[bytes, int]] | None = None
        for volume in volumes:
            try:
                changed = publish(target, files_of(volume), pause=lambda _: None)
            except InvalidParameters:
                continue
            assert changed or last == volume or (last is None and not volume)
            last = volume
            assert not publish(target, files_of(volume))
        if last is None:
            assert os.listdir(target) == []
            return
        assert seen(target) == last
        tops = {path.partition("/")[0] for path in last}
        assert set(os.listdir(target)) == tops | {"..data", os.readlink(target / "..data")}
        assert all(os.readlink(target / top) == f"..data/{top}" for top in tops)


@settings(max_examples=100, deadline=None)
@given(st.lists(HOSTILE, min_size=1, max_size=3), st.integers(-10, 0o10000))
def test_nothing_is_ever_written_outside(paths: list[str], mode: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "volume")
        target.mkdir()
        files = [SecretFile(path, mode, SecretBytes(b"x")) for path in paths]
        try:
            publish(target, files)
        except InvalidParameters:
            assert os.listdir(target) == []
        else:
            assert seen(target) == dict.fromkeys(paths, (b"x", mode))
        assert os.listdir(folder) == ["volume"]
