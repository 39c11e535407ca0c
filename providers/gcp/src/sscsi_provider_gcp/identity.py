"""On whose behalf Google Cloud is asked."""

from dataclasses import dataclass

from sscsi_provider_gcp.parameters import Auth
from sscsi_shared.secret import SecretText


@dataclass(frozen=True, slots=True)
class GcpIdentity:
    """Every fact that changes where a call goes, as whom, or what comes back.

    Attributes:
        auth: how it logs in.
        namespace: of the service account.
        service_account: its name.
        uid: its uid.
        issuer: of its token.
        audience: of its token.
        exchange: audience of the token exchange: the pool, and its provider.
        target: Google service account to act as; empty = the federated identity itself.
        delegates: Google service accounts in between.
        key: fingerprint of a key file; empty = none.
        endpoints: of the token exchange, IAM, Secret Manager, its regions, and Parameter Manager and its regions.
        ca_bundle: PEM file; empty = the system's.
        proxy: what the environment says of proxies.
    """

    auth: Auth
    namespace: str
    service_account: str
    uid: str
    issuer: str
    audience: str
    exchange: str
    target: str
    delegates: tuple[str, ...]
    key: str
    endpoints: tuple[str, ...]
    ca_bundle: str
    proxy: tuple[tuple[str, str], ...]

    @property
    def member(self) -> str:
        """The federated identity, as IAM bindings name it (IAM, principal identifiers)."""
        if self.exchange.startswith("identitynamespace:"):
            pool = self.exchange.split(":", 2)[1]
            return f"serviceAccount:{pool}[{self.namespace}/{self.service_account}]"
        pool = self.exchange.removeprefix("//iam.googleapis.com/").partition("/providers/")[0]
        subject = f"system:serviceaccount:{self.namespace}:{self.service_account}"
        return f"principal://iam.googleapis.com/{pool}/subject/{subject}"

    @property
    def acting(self) -> str:
        """Who reads, as IAM bindings name it; for a key or the node, in words."""
        if self.auth is Auth.KEY:
            return "the service account of key.json"
        if self.auth is Auth.NODE:
            return "the node's service account"
        return f"serviceAccount:{self.target}" if self.target else self.member


@dataclass(frozen=True, slots=True)
class Credentials:
    """The proof; unhashable by its contents, and redacted.

    Attributes:
        token: the service account's JWT; None with the other two.
        key: `key.json`; None with the other two.
    """

    token: SecretText | None = None
    key: SecretText | None = None
