"""What whole runs need: a stage of real daemons for a module, a TMPDIR of their own."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from driver_rig import CANT_MOUNT
from sscsi.stage import Stage


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Emulators, provider and driver; no rotation."""
    if CANT_MOUNT:
        pytest.skip(CANT_MOUNT)
    with Stage() as running:
        yield running


@pytest.fixture
def own_tmp(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A TMPDIR for one test, so that what its processes leave behind is seen; short, since sockets lie in it."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="own") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)
