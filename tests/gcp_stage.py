"""The Google Cloud provider's stage for the contract suite: the real SDKs against the emulator."""

import json
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Self

from sscsi_emulators.faults import Fault
from sscsi_emulators.google import ACCESS, GoogleEmulator
from sscsi_emulators.kubernetes import KubernetesEmulator
from sscsi_provider_gcp.channels import Endpoints
from sscsi_provider_gcp.provider import GcpProvider
from sscsi_shared.cluster import NoCluster, ServiceAccount
from sscsi_shared.deadline import Deadline
from sscsi_shared.mount import PodInfo
from sscsi_shared.testing.stage import POD, STRANGER, Stage, Wanted

POOL = "my-project.svc.id.goog"
CLUSTER = {"PROJECT": "my-project", "CLUSTER_LOCATION": "europe-west1", "CLUSTER_NAME": "c1"}
EXCHANGE = f"identitynamespace:{POOL}:https://container.googleapis.com/v1/projects/my-project/locations/europe-west1/clusters/c1"
MEMBER = f"serviceAccount:{POOL}[{POD.namespace}/{POD.service_account}]"


class OneCluster(NoCluster):
    """Service accounts, one of them perhaps with annotations."""

    def __init__(self) -> None:
        self.annotations: dict[str, str] = {}
        self.asked = 0

    def service_account(self, namespace: str, name: str, deadline: Deadline) -> ServiceAccount:
        self.asked += 1
        annotations = self.annotations if name == POD.service_account else {}
        return ServiceAccount(namespace, name, f"uid-of-{name}", annotations)


def endpoints(google: GoogleEmulator) -> Endpoints:
    return Endpoints(google.target, google.target, google.target, google.target)


def provider_of(google: GoogleEmulator, **more: object) -> GcpProvider:
    settings: dict[str, object] = {
        "endpoints": endpoints(google),
        "exchange": f"{google.logins.url}/v1/token",
        "iam": google.logins.url,
        "metadata_host": google.logins.metadata_host,
        "ca_bundle": google.ca_file,
        "environ": CLUSTER,
    }
    return GcpProvider(**(settings | more))  # type: ignore[arg-type]


class GcpStage(Stage):
    """From `with` to its end."""

    objects_key = "secrets"

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.google = GoogleEmulator()
        self.kubernetes = KubernetesEmulator()
        self.accounts = self.cluster = OneCluster()

    def __enter__(self) -> Self:
        self._stack.enter_context(self.google)
        self._stack.enter_context(self.kubernetes)
        for pod in (POD, STRANGER):
            self.kubernetes.apply(
                {
                    "apiVersion": "v1",
                    "kind": "ServiceAccount",
                    "metadata": {"namespace": pod.namespace, "name": pod.service_account},
                }
            )
        self.google.logins.trust(EXCHANGE, self.kubernetes.verify)
        self.provider = provider_of(self.google)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def attributes(self, *wanted: Wanted) -> dict[str, str]:
        entries = [
            {"resourceName": f"{self.google.store.full(one.name)}/versions/latest", "path": one.path or one.name}
            | ({} if one.mode is None else {"mode": one.mode})
            for one in wanted
        ]
        return {"secrets": json.dumps(entries)}

    def tokens(self, pod: PodInfo, lifetime_seconds: int = 3600) -> str:
        token = self.kubernetes.token(pod.namespace, pod.service_account, POOL, pod.name, pod.uid, lifetime_seconds)
        return json.dumps({POOL: {"token": token, "expirationTimestamp": "2030-01-01T00:00:00Z"}})

    def put(self, name: str, contents: str) -> None:
        self.google.store.put(name, contents)

    def remove(self, name: str) -> None:
        self.google.store.remove(name)

    def deny(self, name: str) -> None:
        self.google.deny(MEMBER, self.google.store.full(name))

    def break_down(self) -> None:
        self.google.faults.add(Fault(ACCESS, 503, "UNAVAILABLE", "come back later"))

    def throttle(self) -> None:
        self.google.faults.add(Fault(ACCESS, 429, "RESOURCE_EXHAUSTED", "Quota exceeded"))

    def refuse_login(self) -> None:
        self.google.faults.add(Fault("sts.Token", 400, "invalid_grant", "The issuer is not allowed."))

    def hang(self) -> None:
        self.google.hold()

    def mend(self) -> None:
        self.google.faults.clear()
        self.google.release()

    def canaries(self) -> Iterable[str]:
        return self.google.handed_out()
