"""The daemon's own flags: reference/aws.md section 1.2 and the flag table of section 13."""

import logging

import pytest

from sscsi_provider_aws.__main__ import agent_seconds
from sscsi_provider_aws.podidentity import REQUEST_SECONDS


@pytest.mark.parametrize(
    ("text", "seconds", "logged"),
    [
        ("", REQUEST_SECONDS, ""),
        ("100ms", 0.1, ""),
        ("2s", 2.0, ""),
        ("500ms", 0.5, ""),
        ("30s", 30.0, ""),
        ("30001ms", 30.001, "longer than 30 s"),
        ("35s", 35.0, "longer than 30 s"),
        ("invalid", REQUEST_SECONDS, "invalid --pod-identity-http-timeout"),
        ("0s", REQUEST_SECONDS, "invalid --pod-identity-http-timeout"),
        ("-100ms", REQUEST_SECONDS, "invalid --pod-identity-http-timeout"),
    ],
)
def test_the_agents_timeout(text: str, seconds: float, logged: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert agent_seconds(text) == seconds
    assert logged in caplog.text if logged else not caplog.text
