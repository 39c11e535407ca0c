"""The Pod Identity agent's two addresses: which is asked, for how long, and what is remembered."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from aws_identity import IDENTITY
from sscsi_emulators.canned_aws import AGENT, CannedAws
from sscsi_emulators.tokens import unsigned_token
from sscsi_provider_aws.clients import AwsCredentials
from sscsi_provider_aws.identity import POD_IDENTITY, WebIdentity
from sscsi_provider_aws.podidentity import AUDIENCE, AgentAddresses, PodIdentityAgent
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import BackendThrottled, BackendUnavailable, MountError, OutOfTime
from sscsi_shared.secret import SecretText

NEVER = 60.0


@contextmanager
def two_agents() -> Iterator[tuple[CannedAws, CannedAws]]:
    with CannedAws() as four, CannedAws() as six:
        yield four, six


@pytest.fixture
def dead(unused_port: int) -> str:
    return f"http://127.0.0.1:{unused_port}"


def ask(agent: PodIdentityAgent, kind: str = "auto", seconds: float = 20) -> AwsCredentials:
    identity = replace(IDENTITY, mode=POD_IDENTITY, audience=AUDIENCE, role="", address_type=kind)
    token = SecretText(unsigned_token("ns", "sa", AUDIENCE))
    return agent.credentials(identity, WebIdentity(token), Deadline.after(seconds))


def refused(agent: PodIdentityAgent, kind: str = "auto", seconds: float = 20) -> MountError:
    with pytest.raises(MountError) as caught:
        ask(agent, kind, seconds)
    return caught.value


def test_the_second_address_has_to_wait() -> None:
    with two_agents() as (four, six):
        agent = PodIdentityAgent(AgentAddresses(four.url, six.url), head_start=NEVER)
        assert ask(agent).access_key == SecretText("ASIAAGENT")
        assert (four.calls[AGENT], six.calls[AGENT]) == (1, 0)


def test_a_silent_first_address_is_overtaken_and_the_winner_is_first_from_then_on() -> None:
    with two_agents() as (four, six):
        four.latency_seconds = 5
        agent = PodIdentityAgent(AgentAddresses(four.url, six.url), head_start=0.5)
        ask(agent)
        ask(agent)
        assert (four.calls[AGENT], six.calls[AGENT]) == (1, 2)


def test_a_dead_address_costs_no_head_start(dead: str) -> None:
    with CannedAws() as six:
        agent = PodIdentityAgent(AgentAddresses(dead, six.url), head_start=NEVER)
        ask(agent, seconds=5)
        assert six.calls[AGENT] == 1


@pytest.mark.parametrize(("kind", "counts"), [("ipv4", (1, 0)), ("ipv6", (0, 1))])
def test_a_preferred_address_is_the_only_one(kind: str, counts: tuple[int, int]) -> None:
    with two_agents() as (four, six):
        ask(PodIdentityAgent(AgentAddresses(four.url, six.url), head_start=0.0), kind)
        assert (four.calls[AGENT], six.calls[AGENT]) == counts


def test_a_preferred_address_has_no_stand_in(dead: str) -> None:
    with CannedAws() as six:
        error = refused(PodIdentityAgent(AgentAddresses(dead, six.url), pause=lambda _: None), "ipv4")
        assert isinstance(error, BackendUnavailable)
        assert six.calls[AGENT] == 0


def test_an_agent_that_is_not_there_yet_is_tried_again(dead: str) -> None:
    pauses: list[float] = []
    error = refused(PodIdentityAgent(AgentAddresses(dead, dead), pause=pauses.append))
    assert pauses == [0.2, 0.4, 0.8, 1.6]
    assert isinstance(error, BackendUnavailable)
    assert str(error).startswith("the Pod Identity association of ns/sa: the Pod Identity agent gives no answer: ")
    assert "See whether the DaemonSet eks-pod-identity-agent runs on this node" in str(error)


def test_an_agent_that_comes_up_meanwhile(dead: str) -> None:
    with CannedAws() as six:
        six.refused[AGENT] = "503"
        agent = PodIdentityAgent(AgentAddresses(dead, six.url), pause=lambda _: six.refused.clear())
        assert ask(agent).secret_key == SecretText("canned")


def test_a_throttling_agent_is_told_apart() -> None:
    with CannedAws() as four:
        four.refused[AGENT] = "429"
        error = refused(PodIdentityAgent(AgentAddresses(four.url, four.url), pause=lambda _: None))
        assert isinstance(error, BackendThrottled)


def test_a_silent_agent_is_given_up(dead: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        error = refused(PodIdentityAgent(AgentAddresses(url, dead), 0.05, head_start=0.0, pause=lambda _: None))
        assert isinstance(error, BackendUnavailable)
        last = refused(PodIdentityAgent(AgentAddresses(url, dead), pause=lambda _: None), "ipv4", seconds=0.2)
        assert isinstance(last, BackendUnavailable | OutOfTime)


def test_the_proxy_is_not_asked(monkeypatch: pytest.MonkeyPatch, dead: str) -> None:
    monkeypatch.setenv("http_proxy", dead)
    monkeypatch.delenv("no_proxy", raising=False)
    with CannedAws() as four:
        assert ask(PodIdentityAgent(AgentAddresses(four.url, four.url))).session_token == SecretText("canned")


def test_no_time_is_no_call() -> None:
    with CannedAws() as four:
        assert isinstance(refused(PodIdentityAgent(AgentAddresses(four.url, four.url)), seconds=0), OutOfTime)
        assert not four.calls
