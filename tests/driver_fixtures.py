"""One driver or several on a folder of their own, and a scripted provider."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from driver_rig import INTERVAL, Driver
from scripted_provider import ScriptedProvider, always, volume
from sscsi_driver import tmpfs


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="drv"))
    yield folder
    for point in tmpfs.mount_points_below(folder):
        tmpfs.unmount(Path(point))
    shutil.rmtree(folder)


@pytest.fixture
def target(home: Path) -> Path:
    return home / "pods" / "uid-1" / "volumes" / "kubernetes.io~csi" / "secrets" / "mount"


@pytest.fixture
def start(home: Path) -> Iterator[Callable[..., Driver]]:
    drivers: list[Driver] = []

    def begin(**options: Any) -> Driver:
        drivers.append(Driver(home, **options))
        return drivers[-1]

    yield begin
    for driver in drivers:
        driver.stop()


@pytest.fixture
def driver(start: Callable[..., Driver]) -> Driver:
    return start()


@pytest.fixture
def rotating(start: Callable[..., Driver]) -> Driver:
    return start(rotation_interval=INTERVAL)


@pytest.fixture
def provider(home: Path) -> Iterator[ScriptedProvider]:
    (home / "b").mkdir(exist_ok=True)
    scripted = ScriptedProvider(always(volume(("password", b"one"))))
    with scripted.serving(home / "b" / "test.sock"):
        yield scripted
