"""One stage of real daemons for the tests of a module."""

from collections.abc import Iterator

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
