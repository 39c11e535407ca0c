"""The atomic writer, on a plain directory: layout, what a change changes, and what a crash or a stranger left."""

# ruff: noqa: PTH115, PTH208 -- names as the kernel gives them, not paths

import os
import re
import stat
from pathlib import Path

import pytest

from sscsi_shared.errors import InvalidParameters
from sscsi_shared.mount import SecretFile
from sscsi_shared.publish import LINGER_SECONDS, is_published, publish
from sscsi_shared.secret import SecretBytes

NOON = 1767355445.0  # 2026-01-02 12:04:05 UTC


def file(path: str, contents: bytes = b"secret", mode: int = 0o644) -> SecretFile:
    return SecretFile(path, mode, SecretBytes(contents))


def seen(target: Path) -> dict[str, tuple[bytes, int]]:
    """What a pod sees: (contents, mode) by path, through the links."""
    found = {}
    for name in sorted(os.listdir(target)):
        if name.startswith(".."):
            continue
        top = target / name
        paths = [top] if top.is_file() else [path for path in top.rglob("*") if path.is_file()]
        for path in paths:
            found[str(path.relative_to(target))] = (path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
    return found


def versions(target: Path) -> list[str]:
    return [name for name in os.listdir(target) if re.fullmatch(r"\.\.\d{4}.*", name)]


def inodes(target: Path) -> list[tuple[str, int, int]]:
    """Every entry, below too, with inode and change time: equal before and after means that nothing was written."""
    every = [target, *target.rglob("*")]
    return sorted((str(path), path.lstat().st_ino, path.lstat().st_ctime_ns) for path in every)


def test_the_layout_is_that_of_projected_volumes(tmp_path: Path) -> None:
    assert publish(tmp_path, [file("a/b/c"), file("foo", mode=0o400)], now=lambda: NOON)

    version = os.readlink(tmp_path / "..data")
    assert re.fullmatch(r"\.\.2026_01_02_12_04_05\.\d+", version)
    assert os.readlink(tmp_path / "a") == "..data/a"
    assert os.readlink(tmp_path / "foo") == "..data/foo"
    assert sorted(os.listdir(tmp_path)) == sorted(["..data", version, "a", "foo"])
    assert seen(tmp_path) == {"a/b/c": (b"secret", 0o644), "foo": (b"secret", 0o400)}
    for directory in (version, f"{version}/a", f"{version}/a/b"):
        assert stat.S_IMODE((tmp_path / directory).stat().st_mode) == 0o755
    assert is_published(tmp_path)


@pytest.mark.parametrize("mode", [0, 0o400, 0o600, 0o666, 0o777])
def test_modes_are_exact_whatever_the_umask(tmp_path: Path, mode: int) -> None:
    before = os.umask(0o077)
    try:
        publish(tmp_path, [file("d/foo", mode=mode)])
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "d/foo").stat().st_mode) == mode
    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == 0o755


def test_the_same_again_writes_nothing(tmp_path: Path) -> None:
    files = [file("foo"), file("a/b", b"\0\xff"), file("a/c", b"")]
    assert publish(tmp_path, files)
    before = inodes(tmp_path)

    assert not publish(tmp_path, files[::-1])

    assert inodes(tmp_path) == before


@pytest.mark.parametrize(
    "files",
    [
        pytest.param([file("foo", b"other!"), file("a/b")], id="content of equal length"),
        pytest.param([file("foo", mode=0o600), file("a/b")], id="mode only"),
        pytest.param([file("foo"), file("a/b"), file("new")], id="a file more"),
        pytest.param([file("foo")], id="a directory less"),
        pytest.param([file("a/b")], id="a file less"),
        pytest.param([file("foo"), file("a/b/c")], id="a file becomes a directory"),
        pytest.param([file("foo"), file("a")], id="a directory becomes a file"),
        pytest.param([file("a/b"), file("a/d"), file("foo")], id="a file more in a directory"),
    ],
)
def test_a_change_is_the_whole_new_content_and_one_version(tmp_path: Path, files: list[SecretFile]) -> None:
    publish(tmp_path, [file("foo"), file("a/b")])

    assert publish(tmp_path, files)

    assert seen(tmp_path) == {one.path: (one.contents.reveal(), one.mode) for one in files}
    assert versions(tmp_path) == [os.readlink(tmp_path / "..data")]


def test_a_version_that_was_replaced_stays_for_those_who_are_on_their_way_into_it(tmp_path: Path) -> None:
    publish(tmp_path, [file("password", b"old")])
    (old,) = versions(tmp_path)
    paused: list[float] = []

    def pause(seconds: float) -> None:
        paused.append(seconds)
        assert (tmp_path / old / "password").read_bytes() == b"old"
        assert seen(tmp_path) == {"password": (b"new", 0o644)}

    publish(tmp_path, [file("password", b"new")], pause=pause)
    assert paused == [LINGER_SECONDS]
    assert not (tmp_path / old).exists()
    publish(tmp_path, [file("password", b"new")], pause=pause)
    assert paused == [LINGER_SECONDS]  # nothing was replaced


def test_no_files_at_all_empty_the_volume(tmp_path: Path) -> None:
    publish(tmp_path, [file("foo"), file("a/b")])

    assert publish(tmp_path, [])

    assert seen(tmp_path) == {}
    assert not publish(tmp_path, [])


def test_a_reader_with_an_open_directory_keeps_the_old_version_until_it_looks_again(tmp_path: Path) -> None:
    publish(tmp_path, [file("key", b"old"), file("cert", b"old")])
    directory = os.open(tmp_path / "..data", os.O_RDONLY | os.O_DIRECTORY)
    key = os.open("key", os.O_RDONLY, dir_fd=directory)
    try:
        publish(tmp_path, [file("key", b"new"), file("cert", b"new")])
        assert os.read(key, 9) == b"old"
    finally:
        os.close(key)
        os.close(directory)
    assert seen(tmp_path) == {"cert": (b"new", 0o644), "key": (b"new", 0o644)}


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../out",
        "a/../../out",
        "a//b",
        "./a",
        "a/",
        "..data",
        "..x",
        "..x/y",
        "a/" * 64 + "b",
        "x" * 256,
    ],
)
def test_a_bad_path_writes_nothing(tmp_path: Path, path: str) -> None:
    target = tmp_path / "volume"
    target.mkdir()
    publish(target, [file("foo")])
    before = inodes(tmp_path)

    with pytest.raises(InvalidParameters):
        publish(target, [file("fine"), file(path)])

    assert inodes(tmp_path) == before


@pytest.mark.parametrize("files", [[file("a"), file("a")], [file("a"), file("a/b")]])
def test_colliding_paths_are_refused(tmp_path: Path, files: list[SecretFile]) -> None:
    with pytest.raises(InvalidParameters):
        publish(tmp_path, files)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("mode", [-1, 0o1000, 0o4755, 0o7777])
def test_a_mode_beyond_permission_bits_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(InvalidParameters):
        publish(tmp_path, [file("a", mode=mode)])
    assert os.listdir(tmp_path) == []


def test_names_that_only_look_reserved_are_fine(tmp_path: Path) -> None:
    paths = [".hidden", "a/..x", "with space", "back\\slash", "é"]
    publish(tmp_path, [file(path) for path in paths])
    assert set(seen(tmp_path)) == set(paths)


class TestLeftovers:
    """What a writer that died, the existing driver or a provider may have left."""

    def test_a_stale_temporary_link_does_not_stop_later_writes(self, tmp_path: Path) -> None:
        publish(tmp_path, [file("foo", b"old")])
        (tmp_path / "..data_tmp").symlink_to("..2020_01_01_00_00_00.1")

        assert publish(tmp_path, [file("foo", b"new")])

        assert seen(tmp_path) == {"foo": (b"new", 0o644)}
        assert not os.path.lexists(tmp_path / "..data_tmp")

    def test_half_written_versions_are_removed_even_if_nothing_changes(self, tmp_path: Path) -> None:
        publish(tmp_path, [file("foo")])
        stale = tmp_path / "..2020_01_01_00_00_00.123"
        stale.mkdir()
        (stale / "foo").write_bytes(b"old secret")

        assert not publish(tmp_path, [file("foo")])

        assert versions(tmp_path) == [os.readlink(tmp_path / "..data")]

    def test_a_version_that_never_was_swapped_in_does_not_count(self, tmp_path: Path) -> None:
        (tmp_path / "..2020_01_01_00_00_00.123").mkdir()

        assert not is_published(tmp_path)
        assert publish(tmp_path, [file("foo")])
        assert len(versions(tmp_path)) == 1

    def test_links_lost_between_swap_and_linking_come_back(self, tmp_path: Path) -> None:
        publish(tmp_path, [file("foo"), file("bar")])
        (tmp_path / "foo").unlink()

        assert publish(tmp_path, [file("foo"), file("bar")])

        assert set(seen(tmp_path)) == {"foo", "bar"}

    @pytest.mark.parametrize("target", ["gone", "..2020_01_01_00_00_00.9", "/etc", "foo"])
    def test_a_data_link_that_names_no_version_is_replaced(self, tmp_path: Path, target: str) -> None:
        (tmp_path / "..data").symlink_to(target)

        assert not is_published(tmp_path)
        assert publish(tmp_path, [file("foo")])
        assert seen(tmp_path) == {"foo": (b"secret", 0o644)}

    def test_a_directory_in_place_of_the_data_link_is_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "..data").mkdir()
        (tmp_path / "..data" / "foo").write_bytes(b"planted")

        assert publish(tmp_path, [file("foo")])

        assert seen(tmp_path) == {"foo": (b"secret", 0o644)}

    def test_what_a_provider_wrote_itself_is_replaced_and_the_rest_stays(self, tmp_path: Path) -> None:
        (tmp_path / "foo").write_bytes(b"by provider")
        (tmp_path / "dir").mkdir()
        (tmp_path / "dir" / "old").write_bytes(b"by provider")
        (tmp_path / "other").write_bytes(b"of somebody else")

        publish(tmp_path, [file("foo"), file("dir/new")])

        assert seen(tmp_path) == {
            "foo": (b"secret", 0o644),
            "dir/new": (b"secret", 0o644),
            "other": (b"of somebody else", 0o644),
        }


class TestLinksLeadNowhere:
    """A link planted in the volume never makes the writer leave it."""

    def test_a_planted_link_is_replaced_not_followed(self, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "file").write_bytes(b"precious")
        target = tmp_path / "volume"
        target.mkdir()
        (target / "file").symlink_to(outside / "file")
        (target / "dir").symlink_to(outside)

        publish(target, [file("file"), file("dir/file")])

        assert (outside / "file").read_bytes() == b"precious"
        assert os.listdir(outside) == ["file"]
        assert seen(target) == {"file": (b"secret", 0o644), "dir/file": (b"secret", 0o644)}

    def test_links_planted_in_the_version_count_as_a_change(self, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.write_bytes(b"secret")
        target = tmp_path / "volume"
        target.mkdir()
        publish(target, [file("foo")])
        (target / "..data" / "foo").unlink()
        (target / "..data" / "foo").symlink_to(outside)

        assert publish(target, [file("foo")])

        assert not (target / "..data" / "foo").is_symlink()

    def test_a_target_that_is_a_link_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to("real")

        with pytest.raises(NotADirectoryError):
            publish(tmp_path / "link", [file("foo")])

        assert os.listdir(tmp_path / "real") == []

    def test_a_missing_target_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            publish(tmp_path / "missing", [file("foo")])
        assert not is_published(tmp_path / "missing")


def test_a_failed_write_leaves_the_old_version_and_no_other(tmp_path: Path) -> None:
    publish(tmp_path, [file("foo", b"old")])
    before = inodes(tmp_path)

    class Broken(SecretBytes):
        def reveal(self) -> bytes:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        publish(tmp_path, [file("bar", b"new"), SecretFile("baz", 0o644, Broken(b""))])

    assert seen(tmp_path) == {"foo": (b"old", 0o644)}
    assert [entry[:2] for entry in inodes(tmp_path)] == [entry[:2] for entry in before]
