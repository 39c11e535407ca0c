"""The AWS provider's stage for the contract suite: the real SDK against emulators."""

import json
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Self

from sscsi_emulators.aws import REGION, AwsEmulator
from sscsi_emulators.faults import Fault
from sscsi_emulators.kubernetes import KubernetesEmulator
from sscsi_provider_aws.clients import Endpoints
from sscsi_provider_aws.provider import AwsProvider
from sscsi_shared.cluster import ServiceAccount
from sscsi_shared.deadline import Deadline
from sscsi_shared.mount import PodInfo
from sscsi_shared.testing.stage import POD, STRANGER, Stage, Wanted

AUDIENCE = "sts.amazonaws.com"
ROLE = "arn:aws:iam::123456789012:role/shop-web"
OPERATION = "secretsmanager.GetSecretValue"


class OneCluster:
    """Two service accounts, one of them with a role."""

    def service_account(self, namespace: str, name: str, deadline: Deadline) -> ServiceAccount:
        annotations = {"eks.amazonaws.com/role-arn": ROLE} if name == POD.service_account else {}
        return ServiceAccount(namespace, name, f"uid-of-{name}", annotations)

    def node_region(self, namespace: str, pod: str, deadline: Deadline) -> str:
        return ""

    def create_token(self, *_: object, **__: object) -> object:
        raise AssertionError("no token is made where kubelet sends one")


class AwsStage(Stage):
    """From `with` to its end."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.aws = AwsEmulator()
        self.kubernetes = KubernetesEmulator()
        self.cluster = OneCluster()  # type: ignore[assignment]

    def __enter__(self) -> Self:
        self._stack.enter_context(self.aws)
        self._stack.enter_context(self.kubernetes)
        for pod in (POD, STRANGER):
            self.kubernetes.apply(
                {
                    "apiVersion": "v1",
                    "kind": "ServiceAccount",
                    "metadata": {"namespace": pod.namespace, "name": pod.service_account},
                }
            )
        self.aws.trust(ROLE, self.kubernetes.verify, f"system:serviceaccount:{POD.namespace}:{POD.service_account}")
        url = self.aws.url
        self.provider = AwsProvider(
            endpoints=Endpoints(url, url, url), region=REGION, environ={"AWS_MAX_ATTEMPTS": "1"}
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def attributes(self, *wanted: Wanted) -> dict[str, str]:
        entries = [
            {"objectName": one.name, "objectType": "secretsmanager"}
            | ({} if one.path is None else {"objectAlias": one.path})
            | ({} if one.mode is None else {"filePermission": f"{one.mode:04o}"})
            for one in wanted
        ]
        return {"objects": json.dumps(entries), "pathTranslation": "False"}

    def tokens(self, pod: PodInfo, lifetime_seconds: int = 3600) -> str:
        token = self.kubernetes.token(pod.namespace, pod.service_account, AUDIENCE, pod.name, pod.uid, lifetime_seconds)
        return json.dumps({AUDIENCE: {"token": token, "expirationTimestamp": "2030-01-01T00:00:00Z"}})

    def put(self, name: str, contents: str) -> None:
        self.aws.put_secret(name, contents)

    def remove(self, name: str) -> None:
        self.aws.delete_secret(name)

    def deny(self, name: str) -> None:
        self.aws.deny(ROLE, OPERATION, name)

    def break_down(self) -> None:
        self.aws.faults.add(Fault("*", 503, "ServiceUnavailable", "come back later"))

    def throttle(self) -> None:
        self.aws.faults.add(Fault(OPERATION, 400, "ThrottlingException", "Rate exceeded"))

    def refuse_login(self) -> None:
        self.aws.faults.add(
            Fault("sts.AssumeRoleWithWebIdentity", 403, "AccessDenied", "Not authorized to perform this action")
        )

    def hang(self) -> None:
        self.aws.hold()

    def mend(self) -> None:
        self.aws.faults.clear()
        self.aws.release()

    def canaries(self) -> Iterable[str]:
        return self.aws.handed_out()
