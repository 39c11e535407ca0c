"""PURE: the two ways in which one provider is spoken to: `provider: vault` and `provider: openbao`."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Dialect:
    """Names of one of them.

    Attributes:
        name: `spec.provider`, the socket's stem, the audience of kubelet's token, and the beginning of flags.
        prefixes: of parameters; the first that is present counts.
        variables: beginnings of the environment's names, likewise.
        runtime_name: for Version.
        hmac_secret: name of the Kubernetes Secret with the key of versions.
    """

    name: str
    prefixes: tuple[str, ...]
    variables: tuple[str, ...]
    runtime_name: str
    hmac_secret: str

    @property
    def role_names(self) -> tuple[str, ...]:
        """Parameters that hold the role; `roleName` bears no prefix in the older dialect."""
        own = tuple(f"{prefix}RoleName" for prefix in self.prefixes) if len(self.prefixes) > 1 else ()
        return (*own, "roleName")


VAULT: Final = Dialect("vault", ("vault",), ("VAULT_",), "vault-csi-provider", "vault-csi-provider-hmac-key")
OPENBAO: Final = Dialect(
    "openbao", ("bao", "openbao", "vault"), ("BAO_", "VAULT_"), "openbao-csi-provider", "openbao-csi-provider-hmac-key"
)
DIALECTS: Final = {one.name: one for one in (VAULT, OPENBAO)}
