"""Google Cloud: Secret Manager by Workload Identity, over the real wire."""

import base64
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from bench.backends.backend import Promises
from sscsi_emulators.google import PROJECT, GoogleEmulator

CLUSTER = {"PROJECT": PROJECT, "CLUSTER_LOCATION": "europe-west1", "CLUSTER_NAME": "bench"}
POOL = f"{PROJECT}.svc.id.goog"
MOST = 10
"""Secrets that there are."""


class GcpBackend:
    """See Backend.

    Attributes:
        google: what is asked.
    """

    name: ClassVar[str] = "gcp"
    audience: ClassVar[str] = POOL
    promises: ClassVar[Promises] = Promises(first_calls=11, crowd_calls=11, round_trips=5, idle_mib=80)

    def __init__(self, latency: float, folder: Path) -> None:
        del folder
        self.google = GoogleEmulator()
        self.google.latency_seconds = latency

    def __enter__(self) -> Self:
        self.google.__enter__()
        cluster = f"projects/{PROJECT}/locations/europe-west1/clusters/bench"
        exchange = f"identitynamespace:{POOL}:https://container.googleapis.com/v1/{cluster}"
        self.google.logins.trust(exchange, _claims)
        for number in range(MOST):
            self.google.store.put(f"s{number}", "x" * 32)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.google.__exit__(kind, error, trace)

    @property
    def calls(self) -> Counter[str]:
        """See Backend."""
        return self.google.calls

    def flags(self) -> list[str]:
        """See Backend."""
        return [
            "--metrics_addr=",
            f"--ca-bundle={self.google.ca_file}",
            f"--secretmanager-endpoint={self.google.target}",
            f"--token-exchange-endpoint={self.google.logins.url}/v1/token",
            f"--iam-endpoint={self.google.logins.url}",
        ]

    def environ(self) -> Mapping[str, str]:
        """See Backend."""
        return CLUSTER

    def annotations(self, account: str) -> Mapping[str, str]:
        """See Backend."""
        del account
        return {}

    def parameters(self, secrets: int) -> Mapping[str, str]:
        """See Backend."""
        names = [f"s{number}" for number in range(secrets)]
        entries = [{"resourceName": f"projects/{PROJECT}/secrets/{n}/versions/latest", "path": n} for n in names]
        return {"secrets": json.dumps(entries)}


def _claims(token: str, audience: str) -> Mapping[str, Any]:
    """Of a token that nobody has signed; the bench measures the provider, not a signature."""
    del audience
    body = token.split(".")[1]
    claims: Mapping[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims
