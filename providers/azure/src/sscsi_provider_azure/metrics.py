"""The existing provider's two metrics, under their names and labels: dashboards keep working.

What it put into labels without a bound (error texts with trace ids) is a code here, and names of objects are counted.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from prometheus_client import Gauge, Histogram

from sscsi_shared.daemon.metrics import REGISTRY, backend_call
from sscsi_shared.server.servicer import STATUS

SCOPE: Final = "keyvault"
_BUCKETS: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 1, 1.5, 2, 2.5, 3, 5, 10, 15, 30)
_CONSTANT: Final = {
    "provider": "azure",
    "os_type": "linux",
    "service_name": "csi-secrets-store-provider-azure",
    "otel_scope_name": "keyvault",
    "otel_scope_version": "",
    "otel_scope_schema_url": "",
}
_MAX_SETS: Final = 200
OTHER: Final = "other"
KEYVAULT: Final = Histogram(
    "keyvault_request",
    "Seconds of requests to Key Vault.",
    ("object_type", "object_name", "error", *_CONSTANT),
    buckets=_BUCKETS,
    registry=REGISTRY,
)
GRPC: Final = Histogram(
    "grpc_request",
    "Seconds of gRPC calls.",
    ("grpc_method", "grpc_code", "grpc_message", *_CONSTANT),
    buckets=_BUCKETS,
    registry=REGISTRY,
)
TARGET: Final = Gauge("target_info", "Always 1; what is looked at.", ("service_name",), registry=REGISTRY)
TARGET.labels(_CONSTANT["service_name"]).set(1)
_sets: Final[set[tuple[str, str, str]]] = set()
_lock: Final = threading.Lock()


class Outcome:
    """What one request came to: `ok`, or a code."""

    def __init__(self) -> None:
        self.word = "ok"


@contextmanager
def counted(operation: str, kind: str = "", name: str = "") -> Iterator[Outcome]:
    """Count a request in our metrics, and one to a vault in the existing ones.

    Args:
        operation: such as `keyvault.GetSecret`.
        kind: secret, key or cert; empty = it is for no vault.
        name: of the object; past 200 sets of kind, name and error every new one is counted as `other`.
    """
    outcome = Outcome()
    began = time.monotonic()
    try:
        yield outcome
    finally:
        backend_call(operation, outcome.word)
        if kind:
            error = "" if outcome.word == "ok" else outcome.word
            KEYVAULT.labels(*_known(kind, name, error), *_CONSTANT.values()).observe(time.monotonic() - began)


def observe_mount(reason: str, seconds: float) -> None:
    """Count a Mount as the existing provider does.

    Args:
        reason: OK or an error's reason, which stands where the existing provider has the error's text.
        seconds: how long it took.
    """
    status = STATUS.get(reason)
    code = "OK" if reason == "OK" else status.name.title().replace("_", "") if status is not None else "Unknown"
    message = "" if reason == "OK" else reason
    GRPC.labels("/v1alpha1.CSIDriverProvider/Mount", code, message, *_CONSTANT.values()).observe(seconds)


def _known(kind: str, name: str, error: str) -> tuple[str, str, str]:
    """The labels; each set of them is some kilobytes of the page."""
    labels = kind, name, error
    with _lock:
        if labels not in _sets and len(_sets) >= _MAX_SETS:
            return kind, OTHER, error
        _sets.add(labels)
        return labels
