"""What tests of several rooms need."""

import socket

import pytest


@pytest.fixture
def unused_port() -> int:
    """A TCP port of loopback on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
