"""Which token a mount logs in with: one of the request's own, one that is made instead, or none."""

import json

import pytest

from sscsi_emulators.tokens import unsigned_token
from sscsi_shared.cluster import NoCluster, TokenRequest
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import AuthenticationFailed
from sscsi_shared.parameters import read_mount
from sscsi_shared.pod_tokens import PodTokens
from sscsi_shared.secret import SecretText
from sscsi_shared.testing.stage import POD, pod_attributes, tokens_text

CANARY = "eyJhbGciOiJub25lIn0.eyJjYW5hcnkiOjF9.c2lnbmF0dXJl"


class Signs(NoCluster):
    def __init__(self) -> None:
        self.made: list[TokenRequest] = []

    def create_token(self, request: TokenRequest, deadline: Deadline) -> SecretText:
        self.made.append(request)
        return token(request.audiences[0])


def token(audience: str) -> SecretText:
    return SecretText(unsigned_token(POD.namespace, POD.service_account, audience))


def chosen(sent: str | None, instead: str | None, cluster: Signs) -> str:
    mount = read_mount(json.dumps(pod_attributes(POD, sent)), "null", "420", "/t", ())
    return PodTokens().token(mount, ["vault"], cluster, Deadline.after(5), instead=instead).audience


@pytest.mark.parametrize(
    ("sent", "instead", "audience"),
    [
        (tokens_text({"vault": token("vault").reveal()}), "own", "vault"),
        (tokens_text({"other": token("other").reveal()}), "own", "own"),
        (tokens_text({"vault": ""}), "own", "own"),
        ("{}", "own", "own"),
        (None, "own", "own"),
        (None, None, "vault"),
    ],
)
def test_the_requests_own_token_else_one_that_is_made(sent: str | None, instead: str | None, audience: str) -> None:
    cluster = Signs()
    assert chosen(sent, instead, cluster) == audience
    own = sent is not None and audience == "vault"
    assert [request.audiences for request in cluster.made] == ([] if own else [(audience,)])


@pytest.mark.parametrize("instead", [None, "own", ""])
@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ("{", "it is not JSON"),
        (CANARY, "it is not JSON"),
        (f'{{"vault": {{"token": "{CANARY}"}}', "it is not JSON"),
        (json.dumps([CANARY]), "it is not a JSON object"),
        (json.dumps(CANARY), "it is not a JSON object"),
        (json.dumps({"vault": CANARY}), 'the entry "vault" is not an object with a text `token`'),
        (json.dumps({"vault": {"token": [CANARY]}}), 'the entry "vault" is not an object with a text `token`'),
    ],
)
def test_tokens_that_cant_be_read_are_told_and_none_is_made_instead(
    sent: str, problem: str, instead: str | None
) -> None:
    cluster = Signs()
    with pytest.raises(AuthenticationFailed) as caught:
        chosen(sent, instead, cluster)
    text = str(caught.value)
    assert f"failed to parse serviceAccount.tokens: {problem}" in text
    assert not any(part in text for part in CANARY.split("."))
    assert not cluster.made
