"""Vault: the article's class against OpenBao's own server, in memory on this machine."""

from collections import Counter
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import ClassVar, Final, Self

from sscsi.clouds.cloud import ACCOUNT, NAMESPACE, Ground
from sscsi_emulators.openbao import OpenBao

ROLE: Final = "prod-read-only"
"""The article's words, here and below."""
SPACE: Final = "innablr-application"
MOUNT: Final = "kubernetes/innablr-prod"
PATH: Final = "secret/application/data"
KEY: Final = "MyKey"
_POLICY: Final = 'path "secret/*" { capabilities = ["read"] }'


class VaultCloud:
    """See Cloud.

    Attributes:
        backend: the server.
    """

    name: ClassVar[str] = "vault"
    title: ClassVar[str] = "OpenBao (Vault)"
    audience: ClassVar[str] = "vault"
    rights: ClassVar[tuple[tuple[str, str], ...]] = (("get", "secrets"), ("create", "secrets"))
    file: ClassVar[str] = "password"

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.backend: OpenBao

    def __enter__(self) -> Self:
        folder = self._ground.folder / "bao"
        folder.mkdir(mode=0o700)
        self.backend = OpenBao(folder).__enter__()
        kubernetes, ask = self._ground.kubernetes, self.backend.ask
        ask("POST", f"sys/namespaces/{SPACE}", {})
        ask("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "1"}}, SPACE)
        ask("POST", f"sys/policies/acl/{ROLE}", {"policy": _POLICY}, SPACE)
        ask("POST", f"sys/auth/{MOUNT}", {"type": "kubernetes"}, SPACE)
        self.backend.trust(kubernetes.url, kubernetes.admin_token, MOUNT, SPACE)
        role = {
            "bound_service_account_names": ACCOUNT,
            "bound_service_account_namespaces": NAMESPACE,
            "token_policies": ROLE,
            "audience": self.audience,
        }
        ask("POST", f"auth/{MOUNT}/role/{ROLE}", role, SPACE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.backend.__exit__(kind, error, trace)

    @property
    def calls(self) -> Counter[str]:
        """See Cloud; a server of its own does not count for us."""
        return Counter()

    def put(self, value: str) -> None:
        """See Cloud."""
        self.backend.ask("POST", PATH, {KEY: value}, SPACE)

    def flags(self) -> list[str]:
        """See Cloud."""
        return [
            "--health-addr=",
            f"--allowed-addresses={self.backend.url}",
            f"--class-files-dir={self.backend.folder}",
        ]

    def environ(self) -> Mapping[str, str]:
        """See Cloud."""
        return {}

    def parameters(self, printed: Mapping[str, str]) -> Mapping[str, str]:
        """See Cloud."""
        here = {"vaultAddress": self.backend.url, "vaultCACertPath": str(self.backend.ca_file)}
        return {**printed, **here}

    def handed_out(self) -> Iterable[str]:
        """See Cloud."""
        return (self.backend.root,)
