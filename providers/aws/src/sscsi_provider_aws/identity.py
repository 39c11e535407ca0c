"""On whose behalf AWS is asked, and the proof of it."""

from dataclasses import dataclass
from typing import Final

from sscsi_shared.secret import SecretText

IRSA: Final = "irsa"
POD_IDENTITY: Final = "pod-identity"


@dataclass(frozen=True, slots=True)
class AwsIdentity:
    """Every fact that changes where a call goes, as whom, or what comes back.

    Attributes:
        mode: how it logs in: IRSA or POD_IDENTITY.
        namespace: of the service account.
        service_account: its name.
        uid: its uid.
        issuer: of its token.
        audience: of its token.
        role: ARN of the service account's role; empty with Pod Identity, where the agent knows it.
        address_type: which address of the agent is asked; empty with IRSA.
        assume_role: ARN of a second role, assumed by the first; empty = none.
        external_id: goes with that.
        region: that is asked first.
        endpoints: of sts, secretsmanager, ssm and the agent's two; empty = AWS's own.
        ca_bundle: PEM file; empty = the system's.
        proxy: what the environment says of proxies.
        fips: whether FIPS endpoints are asked.
    """

    mode: str
    namespace: str
    service_account: str
    uid: str
    issuer: str
    audience: str
    role: str
    address_type: str
    assume_role: str
    external_id: str
    region: str
    endpoints: tuple[str, ...]
    ca_bundle: str
    proxy: tuple[tuple[str, str], ...]
    fips: bool

    @property
    def subject(self) -> str:
        """The claim `sub` that a trust policy names."""
        return f"system:serviceaccount:{self.namespace}:{self.service_account}"

    @property
    def first(self) -> str:
        """Who logs in, for messages."""
        if self.mode == POD_IDENTITY:
            return f"the Pod Identity association of {self.namespace}/{self.service_account}"
        return f"role {self.role}"

    @property
    def acting(self) -> str:
        """Who reads, for messages."""
        return f"role {self.assume_role}" if self.assume_role else self.first

    @property
    def account_id(self) -> str:
        """The account that a role tells, whose limits count; empty where only the agent knows it."""
        role = self.assume_role or self.role
        return role.split(":")[4] if role else ""


class WebIdentity:
    """The proof: the service account's token. Unhashable, and shown redacted."""

    __slots__ = ("token",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, token: SecretText) -> None:
        self.token = token

    def __repr__(self) -> str:
        return "WebIdentity(<redacted>)"
