"""Charts with their dependencies in them, once for all tests of them."""

from pathlib import Path

import pytest

from chart_rig import built


@pytest.fixture(scope="session")
def charts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("charts"))
