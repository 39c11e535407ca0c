"""A volume's files for the pod's fsGroup: which modes, which gid, and that what is right is left alone."""

import os
import stat
from pathlib import Path

import pytest

from sscsi_shared.file_access import FileAccess, give_all
from sscsi_shared.mount import SecretFile
from sscsi_shared.publish import publish
from sscsi_shared.secret import SecretBytes

GROUP = 2000
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="giving files to another group needs root")


def looks(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_gid, stat.S_IMODE(status.st_mode)


def changes(target: Path) -> list[tuple[str, int, int]]:
    return sorted((str(path), path.lstat().st_ino, path.lstat().st_ctime_ns) for path in (target, *target.rglob("*")))


@pytest.mark.parametrize(
    ("asked", "given"),
    [(0o400, 0o440), (0o600, 0o640), (0o644, 0o644), (0o000, 0o000), (0o200, 0o200), (0o700, 0o740), (0o604, 0o644)],
)
def test_the_group_may_read_where_the_owner_may(asked: int, given: int) -> None:
    assert FileAccess(GROUP).file_mode(asked) == given
    assert FileAccess().file_mode(asked) == asked


def test_directories_are_open_or_strict() -> None:
    assert FileAccess(GROUP).directory_mode == 0o755
    assert FileAccess(GROUP, strict=True).directory_mode == 0o2750
    assert FileAccess(None, strict=True).directory_mode == 0o755


@needs_root
@pytest.mark.parametrize(("strict", "directory"), [(False, 0o755), (True, 0o2750)])
def test_what_is_published_belongs_to_the_group(tmp_path: Path, strict: bool, directory: int) -> None:
    files = [SecretFile("a/b", 0o400, SecretBytes(b"1")), SecretFile("c", 0o644, SecretBytes(b"2"))]
    access = FileAccess(GROUP, strict)

    assert publish(tmp_path, files, access=access)

    assert looks(tmp_path) == (GROUP, directory)
    assert looks(tmp_path / "a") == (GROUP, directory)
    assert looks((tmp_path / "..data").resolve()) == (GROUP, directory)
    assert looks(tmp_path / "a" / "b") == (GROUP, 0o440)
    assert looks(tmp_path / "c") == (GROUP, 0o644)
    before = changes(tmp_path)
    assert not publish(tmp_path, files, access=access)
    assert changes(tmp_path) == before


@needs_root
def test_a_changed_strictness_or_group_alone_is_applied(tmp_path: Path) -> None:
    files = [SecretFile("c", 0o400, SecretBytes(b"2"))]
    publish(tmp_path, files)
    assert publish(tmp_path, files, access=FileAccess(GROUP))
    assert looks(tmp_path / "c") == (GROUP, 0o440)
    assert publish(tmp_path, files, access=FileAccess(GROUP, strict=True))
    assert looks((tmp_path / "..data").resolve()) == (GROUP, 0o2750)


def give(target: Path, access: FileAccess) -> None:
    root = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
    try:
        give_all(root, access)
    finally:
        os.close(root)


@needs_root
def test_what_a_provider_wrote_is_given_to_the_group_and_no_link_is_followed(tmp_path: Path) -> None:
    target, outside = tmp_path / "volume", tmp_path / "outside"
    (target / "sub").mkdir(parents=True)
    outside.mkdir()
    (outside / "file").touch(mode=0o600)
    (target / "sub" / "own").touch(mode=0o600)
    (target / "escape").symlink_to(outside)
    (target / "escape-file").symlink_to(outside / "file")
    untouched = (looks(outside), looks(outside / "file"))
    access = FileAccess(GROUP, strict=True)

    give(target, access)

    assert looks(target) == looks(target / "sub") == (GROUP, 0o2750)
    assert looks(target / "sub" / "own") == (GROUP, 0o640)
    assert (looks(outside), looks(outside / "file")) == untouched
    before = changes(target)
    give(target, access)
    assert changes(target) == before


def test_without_a_group_nothing_is_done(tmp_path: Path) -> None:
    (tmp_path / "file").touch(mode=0o600)
    before = changes(tmp_path)
    give(tmp_path, FileAccess())
    assert changes(tmp_path) == before
