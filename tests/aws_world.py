"""The AWS provider through the pipeline: the real SDK against moto, a real API server's stand-in beside it."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sscsi_emulators.aws import REGION, AwsEmulator
from sscsi_emulators.kubernetes import KubernetesEmulator
from sscsi_provider_aws.clients import Endpoints
from sscsi_provider_aws.provider import AwsProvider
from sscsi_shared.cluster_api import ApiServerCluster
from sscsi_shared.deadline import Deadline
from sscsi_shared.economy.asking import Economy
from sscsi_shared.economy.options import OFF, EconomyOptions
from sscsi_shared.errors import (
    MountError,
)
from sscsi_shared.mount import MountResult, PodInfo
from sscsi_shared.parameters import read_mount
from sscsi_shared.pipeline import Pipeline
from sscsi_shared.testing.stage import pod_attributes, tokens_text

ROLE = "arn:aws:iam::123456789012:role/app"
AUDIENCES = ("sts.amazonaws.com", "pods.eks.amazonaws.com")
SM = "objectType: secretsmanager"
CLUSTER = f"""
apiVersion: v1
kind: ServiceAccount
metadata: {{name: app, namespace: ns, annotations: {{eks.amazonaws.com/role-arn: '{ROLE}'}}}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: plain, namespace: ns}}
---
apiVersion: v1
kind: Pod
metadata: {{name: pod, namespace: ns, uid: uid}}
spec: {{nodeName: node-1, serviceAccountName: app}}
---
apiVersion: v1
kind: Node
metadata: {{name: node-1, labels: {{topology.kubernetes.io/region: {REGION}}}}}
"""


@dataclass
class World:
    aws: AwsEmulator
    kubernetes: KubernetesEmulator
    token_file: Path

    def mount(self, objects: str, *, region: str = REGION, **more: Any) -> MountResult:
        """One mount by a provider of its own."""
        return self.mounter(OFF, region=region)(objects, **more)

    def mounter(self, options: EconomyOptions, **more: Any) -> Callable[..., MountResult]:
        """Mounts by one provider, which keeps what `options` say."""
        url = self.aws.url
        provider = AwsProvider(endpoints=Endpoints(url, url, url), environ={"AWS_MAX_ATTEMPTS": "1"}, **more)
        cluster = ApiServerCluster(self.kubernetes.url, token_file=self.token_file)
        pipeline = Pipeline(provider, cluster, Economy(provider, options))
        return partial(self._mount, pipeline)

    def _mount(
        self,
        pipeline: Pipeline[Any, Any, Any, Any],
        objects: str,
        *,
        account: str = "app",
        seconds: float = 20,
        versions: Mapping[str, str] | None = None,
        **parameters: str,
    ) -> MountResult:
        tokens = {audience: self.kubernetes.token("ns", account, audience, "pod", "uid") for audience in AUDIENCES}
        told = pod_attributes(PodInfo("ns", "pod", "uid", account), tokens_text(tokens))
        attributes = parameters | {"objects": objects} | told
        request = read_mount(json.dumps(attributes), "null", "420", "/t", (versions or {}).items())
        return pipeline.mount(request, Deadline.after(seconds))

    def files(self, objects: str, **parameters: Any) -> dict[str, bytes]:
        return {file.path: file.contents.reveal() for file in self.mount(objects, **parameters).files}

    def refusal(self, objects: str, **more: Any) -> MountError:
        with pytest.raises(MountError) as caught:
            self.mount(objects, **more)
        return caught.value


@contextmanager
def aws_world(folder: Path) -> Iterator[World]:
    """From `with` to its end; the token file lies in `folder`."""
    with AwsEmulator() as aws, KubernetesEmulator() as kubernetes:
        kubernetes.apply(CLUSTER)
        aws.trust(ROLE, kubernetes.verify, "system:serviceaccount:ns:app")
        token_file = folder / "token"
        token_file.write_text(kubernetes.admin_token)
        yield World(aws, kubernetes, token_file)
