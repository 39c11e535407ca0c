"""The status of a mount with a `key.json` of nodePublishSecretRef, over the socket: what driver and kubelet see.

The existing provider answers InvalidArgument to a mistake in the request, PermissionDenied to every failed login,
Unknown to a permission beyond 31 bits; and where keys are not allowed it ignores one without a word. Ours keeps the
first, tells a refused login (Unauthenticated) from one that may pass by itself (Unknown), and says what it refuses.
"""

import json
from collections.abc import Mapping
from typing import Any

import grpc
import pytest

from gcp_stage import GcpStage, provider_of
from gcp_world import new_key
from sscsi_emulators.faults import Fault
from sscsi_provider_gcp.__main__ import KEYS
from sscsi_shared.daemon.flags import parse
from sscsi_shared.testing.caller import Refusal, Volume
from sscsi_shared.testing.contract import calling

Code = grpc.StatusCode
BOTH = "attempting to set both nodePublishSecretRef and"
GRANT = "unable to generate credentials from key.json: "
BUSY = Fault("oauth2.Token", 429, "rate_limit_exceeded", "slow down")
DOWN = Fault("oauth2.Token", 503, "", "down")
SILENT = Fault("oauth2.Token", 0, "", "")
GONE = Fault("oauth2.Token", 400, "invalid_grant", "Account not found.")


def answer(
    allowed: bool, change: Mapping[str, Any] | str | None, auth: str = "", fault: Fault | None = None, **more: str
) -> Volume | Refusal:
    """Of a mount with a good key, but for a change of it; None = the Secret has none."""
    with GcpStage() as stage:
        urls = (f"{stage.google.logins.url}/token",)
        stage.provider = provider_of(stage.google, referenced_keys=allowed, token_urls=urls)
        if fault is not None:
            stage.google.faults.add(fault)
        text = change if isinstance(change, str) else json.dumps({**new_key(stage.google), **(change or {})})
        secret = {"other": "x"} if change is None else {"key.json": text}
        with calling(stage) as caller:
            attributes = caller.attributes(*caller.put("shop-db")) | ({"auth": auth} if auth else {})
            sent = {"secrets": json.dumps(secret), "attributes": json.dumps(attributes)} | more
            return caller.mount(**sent)  # type: ignore[arg-type]  # texts only


@pytest.mark.parametrize(
    ("allowed", "change", "auth", "fault", "code", "text"),
    [
        (False, {}, "", None, Code.INVALID_ARGUMENT, "ALLOW_NODE_PUBLISH_SECRET=true"),
        (True, {}, "pod-adc", None, Code.INVALID_ARGUMENT, f"{BOTH} pod-adc auth"),
        (True, {}, "provider-adc", None, Code.INVALID_ARGUMENT, f"{BOTH} provider-adc auth"),
        (True, "{", "", None, Code.UNAUTHENTICATED, f"{GRANT}it is not a JSON object."),
        (True, {"type": "external_account"}, "", None, Code.UNAUTHENTICATED, f"{GRANT}its type is external_account"),
        (True, {"private_key": "x"}, "", None, Code.UNAUTHENTICATED, f"{GRANT}a field is missing"),
        (True, {}, "", GONE, Code.UNAUTHENTICATED, f"{GRANT}invalid_grant: Account not found."),
        (True, {}, "", SILENT, Code.UNKNOWN, "The token endpoint: no answer"),
    ],
)
def test_a_key_that_does_not_do(
    allowed: bool, change: Mapping[str, Any] | str, auth: str, fault: Fault | None, code: Code, text: str
) -> None:
    refusal = answer(allowed, change, auth, fault)
    assert isinstance(refusal, Refusal)
    assert refusal.code is code
    assert text in refusal.text


@pytest.mark.parametrize("fault", [BUSY, DOWN], ids=["429", "503"])
def test_a_token_endpoint_in_trouble_may_pass_by_itself(fault: Fault) -> None:
    refusal = answer(True, {}, fault=fault)
    assert isinstance(refusal, Refusal)
    expected = "BackendThrottled" if fault is BUSY else "BackendUnavailable"
    assert (refusal.code, refusal.reason) == (Code.UNKNOWN, expected)


def test_a_request_that_is_none() -> None:
    wrongs: tuple[dict[str, Any], ...] = (
        {"secrets": "{"},
        {"secrets": '{"key.json": 1}'},
        {"permission": "2147483648"},
    )
    for wrong in wrongs:
        refusal = answer(True, {}, **wrong)
        assert isinstance(refusal, Refusal)
        assert refusal.code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize("allowed", [False, True])
def test_a_key_and_a_secret_without_one(allowed: bool) -> None:
    assert isinstance(answer(allowed, None), Volume), "it logs in as the pod"
    if allowed:
        assert isinstance(answer(True, {}), Volume)


@pytest.mark.parametrize("word", ["1", "t", "T", "TRUE", "true", "True"])
def test_the_operators_word(word: str) -> None:
    assert parse("p", "", [KEYS], [], {"ALLOW_NODE_PUBLISH_SECRET": word})[KEYS] is True


def test_another_word_ends_it_before_it_serves(capsys: pytest.CaptureFixture[str]) -> None:
    """The existing provider dies of it at the first mount."""
    with pytest.raises(SystemExit):
        parse("p", "", [KEYS], [], {"ALLOW_NODE_PUBLISH_SECRET": "yes"})
    assert "ALLOW_NODE_PUBLISH_SECRET" in capsys.readouterr().err
