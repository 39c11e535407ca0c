"""Azure: Key Vault by workload identity, its real host names by way of a proxy that is all of them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import ClassVar, Final, Self

from sscsi.clouds.cloud import ACCOUNT, NAMESPACE, Ground
from sscsi_emulators.azure import AzureEmulator
from sscsi_emulators.azure_logins import EXCHANGE

VAULT: Final = "application-one"
SECRET: Final = "password"  # noqa: S105  # its name
TENANT: Final = "5d3ee3f5-0a3b-4f8d-9d43-2f6f0f3f1d11"
CLIENT: Final = "0b2f3c5e-6a53-4d8e-9c11-0a6d3c1f7b21"
"""These four stand in the example's class."""


class AzureCloud:
    """See Cloud.

    Attributes:
        backend: Key Vault, and Entra.
    """

    name: ClassVar[str] = "azure"
    title: ClassVar[str] = "Azure Key Vault"
    audience: ClassVar[str] = EXCHANGE
    rights: ClassVar[tuple[tuple[str, str], ...]] = ()
    file: ClassVar[str] = "password.txt"

    def __init__(self, ground: Ground) -> None:
        self.backend = AzureEmulator()
        self._ground = ground

    def __enter__(self) -> Self:
        self.backend.__enter__()
        kubernetes = self._ground.kubernetes
        self.backend.logins.trust(kubernetes.verify)
        subject = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
        self.backend.logins.federate(CLIENT, TENANT, kubernetes.issuer, subject)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.backend.__exit__(kind, error, trace)

    @property
    def calls(self) -> Counter[str]:
        """See Cloud."""
        return self.backend.calls

    def put(self, value: str) -> None:
        """See Cloud."""
        self.backend.store.put_secret(VAULT, SECRET, value)

    def flags(self) -> list[str]:
        """See Cloud."""
        return ["--prometheus-port=0", "--healthz-port=0", f"--ca-bundle={self.backend.ca_file}"]

    def environ(self) -> Mapping[str, str]:
        """See Cloud."""
        return {"HTTPS_PROXY": self.backend.proxy_url, "NO_PROXY": "127.0.0.1"}

    def parameters(self, printed: Mapping[str, str]) -> Mapping[str, str]:
        """See Cloud; nothing in it is an address."""
        return printed

    def handed_out(self) -> Iterable[str]:
        """See Cloud."""
        return self.backend.logins.handed_out()
