"""On whose behalf Azure is asked."""

from dataclasses import dataclass
from enum import Enum

from sscsi_shared.mount import PodInfo
from sscsi_shared.secret import SecretText


class Auth(Enum):
    """How an identity logs in; the words are those of messages and of `--allowed-auth`."""

    WORKLOAD = "workload-identity"
    BINDING = "identity-binding"
    PRINCIPAL = "service-principal"
    MANAGED = "managed-identity"
    POD = "pod-identity"


@dataclass(frozen=True, slots=True)
class AzureIdentity:
    """Every fact that changes where a call goes, as whom, or what comes back.

    Attributes:
        auth: how it logs in.
        namespace: of the service account; empty for a node's identity.
        service_account: its name; empty where that is of no matter.
        uid: its uid.
        issuer: of its token.
        audience: of its token.
        tenant: of Entra.
        client: of the application or identity; empty = the node's own.
        authority: Entra's address.
        suffix: of vaults' host names.
        scope: of a token for vaults; empty where only a vault can say it.
        principal: fingerprint of a service principal's id and secret; empty = none.
        pod: of pod identity, which asks for a pod; None else.
        operator: address and TLS name of the proxy for identity bindings, certificate authorities, and what the
            environment says of proxies.
    """

    auth: Auth
    namespace: str
    service_account: str
    uid: str
    issuer: str
    audience: str
    tenant: str
    client: str
    authority: str
    suffix: str
    scope: str
    principal: str
    pod: PodInfo | None
    operator: tuple[object, ...]

    @property
    def subject(self) -> str:
        """The service account, as federated credentials name it."""
        return f"system:serviceaccount:{self.namespace}:{self.service_account}"

    @property
    def acting(self) -> str:
        """Who asks, in words."""
        if self.auth is Auth.MANAGED:
            return f"the node's managed identity {self.client}" if self.client else "the node's managed identity"
        if self.auth is Auth.POD and self.pod is not None:
            return f"the identity of pod {self.pod.namespace}/{self.pod.name}"
        return f"client {self.client}"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The proof; unhashable by its contents, and redacted.

    Attributes:
        token: the service account's JWT; None where it is not asked for.
        secret: a service principal's; None without one.
    """

    token: SecretText | None = None
    secret: SecretText | None = None
