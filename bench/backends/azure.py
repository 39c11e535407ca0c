"""Azure: Key Vault by workload identity, over the real wire: TLS, by way of a proxy."""

import base64
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from bench.backends.backend import Promises
from sscsi_emulators.azure import AzureEmulator
from sscsi_emulators.azure_logins import EXCHANGE
from sscsi_emulators.azure_store import TENANT

VAULT = "bench"
CLIENT = "0b2f3c5e-6a53-4d8e-9c11-0a6d3c1f7b21"
ISSUER = "https://issuer.example"
MOST = 10
"""Secrets that there are."""
ACCOUNTS = 128
"""Service accounts that the client trusts."""


class AzureBackend:
    """See Backend.

    Attributes:
        azure: what is asked.
    """

    name: ClassVar[str] = "azure"
    audience: ClassVar[str] = EXCHANGE
    promises: ClassVar[Promises] = Promises(first_calls=12, crowd_calls=12, round_trips=5, idle_mib=80)

    def __init__(self, latency: float, folder: Path) -> None:
        del folder
        self.azure = AzureEmulator()
        self.azure.latency_seconds = latency

    def __enter__(self) -> Self:
        self.azure.__enter__()
        self.azure.logins.trust(_claims)
        for number in range(ACCOUNTS):
            self.azure.logins.federate(CLIENT, TENANT, ISSUER, f"system:serviceaccount:shop:web-{number}")
        for number in range(MOST):
            self.azure.store.put_secret(VAULT, f"s{number}", "x" * 32)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.azure.__exit__(kind, error, trace)

    @property
    def calls(self) -> Counter[str]:
        """See Backend; a tunnel through the proxy is no call of Azure."""
        return Counter({word: count for word, count in self.azure.calls.items() if word != "CONNECT"})

    def flags(self) -> list[str]:
        """See Backend."""
        return ["--prometheus-port=0", "--healthz-port=0", f"--ca-bundle={self.azure.ca_file}"]

    def environ(self) -> Mapping[str, str]:
        """See Backend."""
        return {"HTTPS_PROXY": self.azure.proxy_url, "NO_PROXY": "127.0.0.1"}

    def annotations(self, account: str) -> Mapping[str, str]:
        """See Backend."""
        del account
        return {}

    def parameters(self, secrets: int) -> Mapping[str, str]:
        """See Backend."""
        entries = [f"objectName: s{number}\nobjectType: secret\n" for number in range(secrets)]
        objects = json.dumps({"array": entries})
        return {"keyvaultName": VAULT, "tenantID": TENANT, "clientID": CLIENT, "objects": objects}


def _claims(token: str, audience: str) -> Mapping[str, Any]:
    """Of a token that nobody has signed; the bench measures the provider, not a signature."""
    del audience
    body = token.split(".")[1]
    claims: Mapping[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims
