"""A namespace in the cluster of KUBECONFIG."""

import os
from collections.abc import Iterator

import pytest

from cluster_world import Settings, World


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """The cluster; without one, every test is skipped."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("no KUBECONFIG is given: see docs/e2e.md")
    try:
        settings = Settings.of(os.environ)
    except KeyError as error:
        pytest.skip(f"{error.args[0]} is not set: see docs/e2e.md")
    with World(settings) as running:
        yield running
