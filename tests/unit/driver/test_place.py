"""Where a volume stands: links are followed as far as kubelet's folder of pods, and no further."""

import os
from pathlib import Path

import pytest

from driver_rig import LIMITS, needs_mount
from sscsi_driver import tmpfs
from sscsi_driver.place import held, real, root_of

VOLUME = Path("pods", "uid-1", "volumes", "kubernetes.io~csi", "secrets", "mount")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """In a kubelet's folder that is itself reached by a link."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "kubelet").symlink_to("disk")
    return tmp_path / "kubelet" / VOLUME


def test_folders_above_are_made_for_root_alone_whatever_the_umask(target: Path) -> None:
    before = os.umask(0)
    try:
        with held(target, make=True) as here:
            assert real(here) == target.parents[6] / "disk" / VOLUME
            here.mkdir()
    finally:
        os.umask(before)
    assert target.is_dir()
    assert {path.stat().st_mode & 0o777 for path in target.parents[:5]} == {0o750}


def test_what_is_missing_is_told_as_that(target: Path) -> None:
    with pytest.raises(FileNotFoundError), held(target):
        pass


@pytest.mark.parametrize("level", range(4))
def test_a_link_above_a_target_is_not_followed(target: Path, tmp_path: Path, level: int) -> None:
    target.mkdir(parents=True)
    folder = target.parents[level]
    folder.rename(tmp_path / "aside")
    folder.symlink_to(tmp_path / "aside")
    for make in (False, True):
        with pytest.raises(NotADirectoryError, match="a part of the path is a link"), held(target, make=make):
            pass


def test_it_stays_the_same_place_when_folders_are_swapped(target: Path, tmp_path: Path) -> None:
    target.mkdir(parents=True)
    with held(target) as here:
        target.parent.rename(tmp_path / "aside")
        target.parent.mkdir()
        (here / "file").touch()
    assert (tmp_path / "aside" / "mount" / "file").exists()
    assert os.listdir(target.parent) == []  # noqa: PTH208


class TestRoot:
    pytestmark = needs_mount

    def test_the_root_is_that_of_what_is_mounted_there(self, target: Path) -> None:
        target.mkdir(parents=True)
        with pytest.raises(FileNotFoundError, match="nothing is mounted any more"), root_of(target):
            pass
        tmpfs.mount(target, LIMITS)
        try:
            with root_of(target) as root:
                assert os.fstat(root).st_dev == target.stat().st_dev != target.parent.stat().st_dev
        finally:
            tmpfs.unmount(target)

    def test_a_link_is_no_root(self, target: Path, tmp_path: Path) -> None:
        target.parent.mkdir(parents=True)
        target.symlink_to(tmp_path)
        with pytest.raises(NotADirectoryError), root_of(target):
            pass
        with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
            tmpfs.mount(target, LIMITS)
