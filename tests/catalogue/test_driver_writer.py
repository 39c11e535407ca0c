"""reference/driver.md section 20a, "Atomic writer" and "WritePayloads": the layout that programs rely on."""

# ruff: noqa: PTH208 -- names as the kernel gives them

import os
import stat
from pathlib import Path

import pytest

from sscsi_shared.errors import InvalidParameters
from sscsi_shared.mount import SecretFile
from sscsi_shared.publish import publish
from sscsi_shared.secret import SecretBytes


def files(*paths: str, contents: bytes = b"x", mode: int = 0o644) -> list[SecretFile]:
    return [SecretFile(path, mode, SecretBytes(contents)) for path in paths]


def visible(target: Path) -> set[str]:
    """Paths of files below the links that a pod sees."""
    found = set()
    for name in os.listdir(target):
        if name.startswith(".."):
            continue
        top = target / name
        found |= {name} if top.is_file() else {str(one.relative_to(target)) for one in top.rglob("*") if one.is_file()}
    return found


def versions(target: Path) -> list[str]:
    return [name for name in os.listdir(target) if name.startswith("..2")]


def test_a_missing_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        publish(tmp_path / "missing", files("a"))


@pytest.mark.parametrize(
    "path", ["", "/a", "..", "../a", "a/../b", "..a", "a//b", "./a", "a/", "a/./b", "x" * 256, "a/" * 2050 + "a"]
)
def test_paths_that_are_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(InvalidParameters):
        publish(tmp_path, files("fine", path))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("path", ["a", ".a", "a/..x", "a/b/c/d", r"a\b", "x" * 255, "\u00e4", "a b"])
def test_paths_that_pass(tmp_path: Path, path: str) -> None:
    publish(tmp_path, files(path))
    assert (tmp_path / path).read_bytes() == b"x"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("foo", "bar"), ("foo",)),
        (("foo", "d/bar"), ("foo",)),
        (("foo", "d/e/bar"), ("foo",)),
        (("foo", "d/e/f/bar"), ("foo",)),
        (("foo", "d/e/f/g/bar"), ("foo",)),
        (("foo", "d/bar", "d/baz"), ("foo", "d/baz")),
        (("foo", "d/e/bar", "d/baz"), ("foo", "d/baz")),
        (("foo", "bar"), ()),
        (("foo",), ("foo", "bar")),
        (("foo", "bar"), ("foo", "baz")),
        (("d/foo",), ("d",)),
        (("d",), ("d/foo",)),
    ],
    ids=str,
)
def test_what_is_removed(tmp_path: Path, before: tuple[str, ...], after: tuple[str, ...]) -> None:
    publish(tmp_path, files(*before))
    assert publish(tmp_path, files(*after))
    assert visible(tmp_path) == set(after)
    assert len(versions(tmp_path)) == 1


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o444, 0o600, 0o644, 0o664, 0o755, 0o777])
def test_modes_and_a_change_of_mode_alone(tmp_path: Path, mode: int) -> None:
    """Better: the existing writer never applies a change of mode alone."""
    publish(tmp_path, files("a", ".dot", "d/e", mode=mode))
    for path in ("a", ".dot", "d/e"):
        assert stat.S_IMODE((tmp_path / path).stat().st_mode) == mode
    assert not publish(tmp_path, files("a", ".dot", "d/e", mode=mode))
    assert publish(tmp_path, files("a", ".dot", "d/e", mode=mode ^ 0o040))
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode ^ 0o040


def test_binary(tmp_path: Path) -> None:
    contents = bytes(range(256)) * 64
    publish(tmp_path, files("a", contents=contents))
    assert (tmp_path / "a").read_bytes() == contents


def test_many_updates_keep_one_version(tmp_path: Path) -> None:
    for number in range(5):
        assert publish(tmp_path, files("a", "d/b", contents=str(number).encode()))
        assert len(versions(tmp_path)) == 1
    assert (tmp_path / "d" / "b").read_bytes() == b"4"


def test_what_a_provider_wrote_before_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "foo").write_bytes(b"provider's")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "old").touch()
    publish(tmp_path, files("foo", "d/new"))
    assert visible(tmp_path) == {"foo", "d/new"}
    assert (tmp_path / "foo").is_symlink()
