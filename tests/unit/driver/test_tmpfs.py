import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from driver_rig import LIMITS, needs_mount
from sscsi_driver import tmpfs
from sscsi_driver.tmpfs import MountPoint

pytestmark = needs_mount


@pytest.fixture
def target() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="tmp fs\t") as folder:
        path = Path(folder) / "mount"
        path.mkdir()
        yield path
        tmpfs.unmount(path)


def test_what_stands_at_a_path(target: Path) -> None:
    assert tmpfs.look(target.parent / "missing") is MountPoint.ABSENT
    assert tmpfs.look(target.parent / "missing" / "below") is MountPoint.ABSENT
    assert tmpfs.look(target) is MountPoint.DIRECTORY
    tmpfs.mount(target, LIMITS)
    assert tmpfs.look(target) is MountPoint.MOUNTED
    assert tmpfs.mount_points_below(target.parent) == [str(target)]
    assert tmpfs.unmount(target)
    assert tmpfs.look(target) is MountPoint.DIRECTORY
    assert tmpfs.mount_points_below(target.parent) == []


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_file_or_link_is_no_target(target: Path, kind: str) -> None:
    path = target.parent / "other"
    path.write_text("") if kind == "file" else path.symlink_to(target)
    with pytest.raises(NotADirectoryError):
        tmpfs.look(path)


def test_unmount_is_idempotent_and_peels(target: Path) -> None:
    assert not tmpfs.unmount(target)
    assert not tmpfs.unmount(target / "missing")
    for _ in range(3):
        tmpfs.mount(target, LIMITS)
    assert tmpfs.unmount(target)
    assert tmpfs.look(target) is MountPoint.DIRECTORY


def test_a_busy_mount_is_tried_again_then_detached(target: Path, caplog: pytest.LogCaptureFixture) -> None:
    tmpfs.mount(target, LIMITS)
    (target / "file").write_bytes(b"kept")
    pauses: list[float] = []
    with (target / "file").open("rb") as reader, caplog.at_level(logging.WARNING):
        assert tmpfs.unmount(target, pause=pauses.append)
        assert reader.read() == b"kept"
    assert pauses == [0.1] * 4
    assert "still in use; detaching it" in caplog.text
    assert tmpfs.look(target) is MountPoint.DIRECTORY


def test_a_busy_mount_that_gets_free_is_unmounted_plainly(target: Path, caplog: pytest.LogCaptureFixture) -> None:
    tmpfs.mount(target, LIMITS)
    (target / "file").write_bytes(b"")
    reader = (target / "file").open("rb")
    assert tmpfs.unmount(target, pause=lambda seconds: reader.close())
    assert "detaching" not in caplog.text


def test_the_limits_hold(target: Path) -> None:
    tmpfs.mount(target, tmpfs.TmpfsLimits(size=64 * 1024, inodes=4))
    with pytest.raises(OSError, match="No space left"):
        (target / "big").write_bytes(b"x" * 100_000)
    (target / "big").unlink()
    for number in range(3):  # the root is the fourth
        (target / str(number)).touch()
    with pytest.raises(OSError, match="No space left"):
        (target / "more").touch()


def test_a_refused_mount_is_an_error(target: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        tmpfs.mount(target / "missing", LIMITS)
    with pytest.raises(OSError, match="Invalid argument"):
        tmpfs.mount(target, tmpfs.TmpfsLimits(size=-1, inodes=-7))
