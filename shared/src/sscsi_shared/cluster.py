"""What a provider may ask of the cluster.

Two sources: a folder of YAML (cluster_folder.py) and the API server (cluster_api.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn, Protocol

from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import AuthenticationFailed
from sscsi_shared.secret import SecretText

REGION_LABELS: Final = ("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region")
"""Of a node; the second is the older spelling (well-known labels)."""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A service account, as far as a provider needs it."""

    namespace: str
    name: str
    uid: str
    annotations: Mapping[str, str]


class Cluster(Protocol):
    """Facts of the cluster."""

    def service_account(self, namespace: str, name: str, deadline: Deadline) -> ServiceAccount:
        """The service account.

        Raises:
            AuthenticationFailed: it does not exist, or we may not read it.
            BackendUnavailable: the API server does not answer.
            OutOfTime: it did not answer in time.
        """

    def node_region(self, namespace: str, pod: str, deadline: Deadline) -> str:
        """The region label of the node that the pod runs on; empty if it has none.

        Raises:
            AuthenticationFailed: pod or node does not exist, or we may not read it.
            BackendUnavailable: the API server does not answer.
            OutOfTime: it did not answer in time.
        """

    def create_token(
        self,
        namespace: str,
        service_account: str,
        audiences: Sequence[str],
        *,
        pod_name: str,
        pod_uid: str,
        expiration_seconds: int,
        deadline: Deadline,
    ) -> SecretText:
        """A new token of the service account, bound to the pod (TokenRequest, authentication.k8s.io/v1).

        Raises:
            AuthenticationFailed: refused, or this source can't sign.
            BackendUnavailable: the API server does not answer.
            OutOfTime: it did not answer in time.
        """


class NoCluster:
    """Stands where a provider runs outside of a cluster and was given no folder; its answers name the remedy."""

    def service_account(self, namespace: str, name: str, deadline: Deadline) -> ServiceAccount:
        """See Cluster."""
        del deadline
        _nobody(f"failed to get service account {namespace}/{name}")

    def node_region(self, namespace: str, pod: str, deadline: Deadline) -> str:
        """See Cluster."""
        del deadline
        _nobody(f"failed to get pod {namespace}/{pod}")

    def create_token(
        self,
        namespace: str,
        service_account: str,
        audiences: Sequence[str],
        *,
        pod_name: str,
        pod_uid: str,
        expiration_seconds: int,
        deadline: Deadline,
    ) -> SecretText:
        """See Cluster."""
        del audiences, pod_name, pod_uid, expiration_seconds, deadline
        _nobody(f"failed to create a token of service account {namespace}/{service_account}")


def _nobody(what: str) -> NoReturn:
    raise AuthenticationFailed(
        f"{what}: the provider runs outside of a cluster.",
        hint="Start it with --objects DIR or --kube-api-url, or run it in a pod with a service account.",
    )
