"""Vault: KV version 2 by Kubernetes auth."""

import base64
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from bench.backends.backend import Promises
from sscsi_emulators.vault import VaultEmulator

MOST = 10
"""Secrets that there are."""


class VaultBackend:
    """See Backend.

    Attributes:
        vault: what is asked.
    """

    name: ClassVar[str] = "vault"
    audience: ClassVar[str] = "vault"
    promises: ClassVar[Promises] = Promises(first_calls=11, crowd_calls=11, round_trips=4, idle_mib=65)

    def __init__(self, latency: float, folder: Path) -> None:
        del folder
        self.vault = VaultEmulator()
        self.vault.latency_seconds = latency

    def __enter__(self) -> Self:
        self.vault.__enter__()
        self.vault.trust(_claims)
        for number in range(MOST):
            self.vault.put(f"secret/data/s{number}", {"k": "x" * 32})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.vault.__exit__(kind, error, trace)

    @property
    def calls(self) -> Counter[str]:
        """See Backend; giving tokens back is not on the way of a mount."""
        return Counter({name: count for name, count in self.vault.calls.items() if name != "revoke-self"})

    def flags(self) -> list[str]:
        """See Backend."""
        return ["--health-addr=", f"--vault-addr={self.vault.url}"]

    def environ(self) -> Mapping[str, str]:
        """See Backend."""
        return {}

    def annotations(self, account: str) -> Mapping[str, str]:
        """See Backend."""
        self.vault.role("bench", *(*self.vault.subjects("bench"), f"system:serviceaccount:shop:{account}"))
        return {}

    def parameters(self, secrets: int) -> Mapping[str, str]:
        """See Backend."""
        names = [f"s{number}" for number in range(secrets)]
        entries = [{"objectName": n, "secretPath": f"secret/data/{n}", "secretKey": "k"} for n in names]
        return {"roleName": "bench", "objects": json.dumps(entries)}


def _claims(token: str, audience: str) -> Mapping[str, Any]:
    """Of a token that nobody has signed; the bench measures the provider, not a signature."""
    del audience
    body = token.split(".")[1]
    claims: Mapping[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims
