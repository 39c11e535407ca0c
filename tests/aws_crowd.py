"""Many pods and the AWS provider in this process, against canned answers: what matters is how often AWS is asked."""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hand import Hand
from sscsi_emulators.canned_aws import CannedAws
from sscsi_emulators.tokens import unsigned_token
from sscsi_provider_aws import podidentity
from sscsi_provider_aws.auth import AUDIENCE, ROLE_ANNOTATION
from sscsi_provider_aws.clients import Endpoints
from sscsi_provider_aws.podidentity import AgentAddresses, PodIdentityAgent
from sscsi_provider_aws.provider import AwsProvider
from sscsi_shared.cluster import NoCluster, ServiceAccount, TokenRequest
from sscsi_shared.deadline import Deadline
from sscsi_shared.economy.asking import Economy
from sscsi_shared.economy.options import EconomyOptions
from sscsi_shared.mount import MountResult, PodInfo
from sscsi_shared.parameters import read_mount
from sscsi_shared.pipeline import Pipeline
from sscsi_shared.secret import SecretText
from sscsi_shared.testing.stage import pod_attributes, tokens_text


class Accounts(NoCluster):
    """Every service account has a role of its own name."""

    def service_account(self, namespace: str, name: str, deadline: Deadline) -> ServiceAccount:
        return ServiceAccount(
            namespace, name, f"uid-{name}", {ROLE_ANNOTATION: f"arn:aws:iam::123456789012:role/{name}"}
        )

    def node_region(self, namespace: str, pod: str, deadline: Deadline) -> str:
        return "eu-central-1"

    def create_token(self, request: TokenRequest, deadline: Deadline) -> SecretText:
        raise AssertionError("no token is made where kubelet sends one")


class Crowd:
    """Pods of some service accounts, and one provider.

    Attributes:
        aws: what is asked.
        clock: of the economy; the test turns it.
    """

    def __init__(self, aws: CannedAws, *, options: EconomyOptions | None = None, **more: Any) -> None:
        self.aws = aws
        self.clock = Hand()
        endpoints = Endpoints(aws.url, aws.url, aws.url)
        self.provider = AwsProvider(
            endpoints=endpoints,
            region="eu-central-1",
            clock=self.clock,
            agent=PodIdentityAgent(AgentAddresses(aws.url, aws.url), pause=lambda _: None),
            environ={"AWS_MAX_ATTEMPTS": "1"},
            **more,
        )
        economy: Economy[Any, Any, Any, Any] = Economy(
            self.provider, options or EconomyOptions(), clock=self.clock, jitter=lambda: 0.5
        )
        self.pipeline: Pipeline[Any, Any, Any, Any] = Pipeline(self.provider, Accounts(), economy)

    def mount(self, objects: str, *, account: str = "web", pod: str = "pod", **attributes: str) -> MountResult:
        audiences = AUDIENCE, podidentity.AUDIENCE
        tokens = tokens_text({audience: unsigned_token("shop", account, audience) for audience in audiences})
        told = pod_attributes(PodInfo("shop", pod, f"uid-of-{pod}", account), tokens)
        sent = attributes | {"objects": objects} | told
        return self.pipeline.mount(read_mount(json.dumps(sent), "null", "420", "/t", []), Deadline.after(30))

    def files(self, objects: str, **more: str) -> dict[str, str]:
        return {file.path: file.contents.reveal().decode() for file in self.mount(objects, **more).files}

    def mount_at_once(self, pods: int, objects: str, accounts: Iterable[str] = ("web",)) -> list[MountResult]:
        """One mount for each of `pods` pods of each account, all at once."""
        whose = [(account, f"{account}-{number}") for account in accounts for number in range(pods)]
        with ThreadPoolExecutor(len(whose)) as pool:
            return list(pool.map(lambda one: self.mount(objects, account=one[0], pod=one[1]), whose))


def secrets(number: int, **fields: str) -> str:
    """`objects` with some secrets."""
    return json.dumps([{"objectName": f"s{n}", "objectType": "secretsmanager", **fields} for n in range(number)])


def parameters(number: int) -> str:
    """`objects` with some parameters."""
    return json.dumps([{"objectName": f"p{n}", "objectType": "ssmparameter"} for n in range(number)])
