"""On whose behalf Vault is asked."""

from dataclasses import dataclass

from sscsi_shared.addresses import Address
from sscsi_shared.secret import SecretText

KUBERNETES = "kubernetes"
TOKEN = "VAULT_TOKEN"  # noqa: S105  # the name of an auth mode


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server, and how it is spoken to.

    Attributes:
        address: where.
        ca_files: PEM files of authorities; none = the system's.
        server_name: asked for and verified instead of the host; empty = the host.
        client_cert: PEM file; empty = none.
        client_key: PEM file.
        skip_verify: whether the server is not verified.
        stamps: of these files: a new one is another endpoint.
        proxy: what the environment says of proxies.
    """

    address: Address
    ca_files: tuple[str, ...] = ()
    server_name: str = ""
    client_cert: str = ""
    client_key: str = ""
    skip_verify: bool = False
    stamps: tuple[tuple[int, int, int], ...] = ()
    proxy: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class VaultIdentity:
    """Every fact that changes where a call goes, as whom, or what comes back.

    Attributes:
        mode: KUBERNETES (JWT logins are the same), or TOKEN.
        namespace: of the service account.
        service_account: its name.
        uid: its uid.
        issuer: of its token.
        audience: of its token.
        role: that is logged in with.
        login_path: where.
        pod: uid of the one pod that the login is for; empty = all pods of the service account.
        vault_namespace: as sent.
        endpoint: the server.
    """

    mode: str
    namespace: str
    service_account: str
    uid: str
    issuer: str
    audience: str
    role: str
    login_path: str
    pod: str
    vault_namespace: str
    endpoint: Endpoint

    @property
    def who(self) -> str:
        """For messages."""
        return f"role `{self.role}`" if self.mode == KUBERNETES else "the provider's own token"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is logged in with: the service account's token; None = the provider's own token of Vault's."""

    token: SecretText | None
