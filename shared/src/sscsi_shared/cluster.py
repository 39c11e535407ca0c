"""What a provider may ask of the cluster.

Two sources: a folder of YAML (cluster_folder.py) and the API server (cluster_api.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NoReturn, Protocol

from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import AuthenticationFailed
from sscsi_shared.mount import PodInfo
from sscsi_shared.secret import SecretBytes, SecretText

REGION_LABELS: Final = ("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region")
"""Of a node; the second is the older spelling (well-known labels)."""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A service account, as far as a provider needs it."""

    namespace: str
    name: str
    uid: str
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A wish for a token of a service account, bound to a pod (TokenRequest, authentication.k8s.io/v1).

    Attributes:
        pod: whose service account it is for, and what the token is bound to.
        audiences: whom it is for.
        expiration_seconds: how long it lasts; the API server takes no less than 600.
    """

    pod: PodInfo
    audiences: tuple[str, ...]
    expiration_seconds: int = 3600

    def __str__(self) -> str:
        return f"a token of service account {self.pod.namespace}/{self.pod.service_account}"


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

    def create_token(self, request: TokenRequest, deadline: Deadline) -> SecretText:
        """A new token of a service account.

        Raises:
            AuthenticationFailed: refused, or this source can't sign.
            BackendUnavailable: the API server does not answer.
            OutOfTime: it did not answer in time.
        """

    def read_or_create_secret(self, entry: "SecretEntry", new: Callable[[], bytes], deadline: Deadline) -> SecretBytes:
        """What a Secret holds; where there is none, one is made with what `new` gives, immutable.

        Of several that make it at one time one wins, and all get what that one made.

        Raises:
            AuthenticationFailed: we may not, or it has no such entry, or an empty one.
            BackendUnavailable: the API server does not answer.
            OutOfTime: it did not answer in time.
        """


@dataclass(frozen=True, slots=True)
class SecretEntry:
    """One entry of a Kubernetes Secret.

    Attributes:
        namespace: of the Secret; empty = the one that we run in.
        name: of the Secret.
        key: of the entry.
    """

    namespace: str
    name: str
    key: str

    def __str__(self) -> str:
        return f"Kubernetes Secret {self.namespace + '/' if self.namespace else ''}{self.name}"


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

    def create_token(self, request: TokenRequest, deadline: Deadline) -> SecretText:
        """See Cluster."""
        del deadline
        _nobody(f"failed to create {request}")

    def read_or_create_secret(self, entry: SecretEntry, new: Callable[[], bytes], deadline: Deadline) -> SecretBytes:
        """See Cluster."""
        del new, deadline
        _nobody(f"failed to get {entry}")


def _nobody(what: str) -> NoReturn:
    raise AuthenticationFailed(
        f"{what}: the provider runs outside of a cluster.",
        hint="Start it with --objects DIR or --kube-api-url, or run it in a pod with a service account.",
    )
