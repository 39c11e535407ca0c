"""The calls of "Ask once" against moto, which looks at tokens and at what exists; test_aws_calls.py has the rest."""

from pathlib import Path

import pytest

from aws_world import ROLE, SM, aws_world
from sscsi_emulators.aws import REGION
from sscsi_emulators.canned_aws import AGENT, AGENTS_KEY, CannedAws
from sscsi_emulators.faults import Fault
from sscsi_provider_aws.podidentity import AgentAddresses, PodIdentityAgent
from sscsi_shared.economy.options import EconomyOptions

STS, SINGLE, BATCH = (
    "sts.AssumeRoleWithWebIdentity",
    "secretsmanager.GetSecretValue",
    "secretsmanager.BatchGetSecretValue",
)
OTHER = "eu-west-1"
PODS = 5
TEN = "\n".join(f"- {{objectName: s{n}, {SM}}}" for n in range(10))
KEPT = EconomyOptions()


@pytest.mark.parametrize("failover", [None, OTHER], ids=["one region", "two regions, healthy"])
def test_irsa(tmp_path: Path, failover: str | None) -> None:
    with aws_world(tmp_path) as world:
        for number in range(10):
            world.aws.put_secret(f"s{number}", "here")
        mount = world.mounter(KEPT, region=REGION)
        for _ in range(PODS):
            assert len(mount(TEN, **({"failoverRegion": failover} if failover else {})).files) == 10
        assert world.aws.calls == {STS: 1, BATCH: 1}


def test_two_regions_the_first_broken(tmp_path: Path) -> None:
    with aws_world(tmp_path) as world:
        world.aws.put_secret("db", "there", region=OTHER)
        world.aws.put_secret("db", "here")
        world.aws.faults.add(Fault(SINGLE, 500, "InternalServiceError", "broken"))
        mount = world.mounter(KEPT, region=REGION)
        with pytest.raises(Exception, match=f"Tried before: Failed to fetch secret from all regions: {REGION}: db as "):
            mount(f"- {{objectName: db, {SM}}}", failoverRegion=OTHER)
        assert world.aws.calls == {STS: 2, SINGLE: 2}


def test_pod_identity(tmp_path: Path) -> None:
    with aws_world(tmp_path) as world, CannedAws() as agent:
        for number in range(10):
            world.aws.put_secret(f"s{number}", "here")
        world.aws.admit(AGENTS_KEY, ROLE)
        asked = PodIdentityAgent(AgentAddresses(agent.url, agent.url))
        mount = world.mounter(KEPT, region=REGION, agent=asked)
        for _ in range(PODS):
            assert len(mount(TEN, usePodIdentity="true", account="plain").files) == 10
        assert (world.aws.calls, agent.calls) == ({BATCH: 1}, {AGENT: 1})
