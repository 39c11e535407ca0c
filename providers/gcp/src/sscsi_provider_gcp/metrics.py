"""The existing provider's two metrics, under their names: dashboards keep working (`outbound_rpc_*`)."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from prometheus_client import Histogram
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from sscsi_shared.daemon.metrics import REGISTRY, backend_call

ACCESS: Final = "secretmanager_access_secret_version_requests"
RENDER: Final = "parametermanager_render_parameter_version_requests"
EXCHANGE: Final = "gcp_iam_get_id_bind_token_requests"
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_KINDS: Final = {
    "secretmanager.AccessSecretVersion": ACCESS,
    "parametermanager.RenderParameterVersion": RENDER,
    "sts.Token": EXCHANGE,
}
LATENCY: Final = Histogram(
    "outbound_rpc_latency", "Seconds of outbound calls.", ("status", "kind"), buckets=_BUCKETS, registry=REGISTRY
)


class _Count(Collector):
    """`outbound_rpc_count`: a counter of prometheus-client would add `_total` to the name."""

    def collect(self) -> Iterable[Metric]:
        """As often as LATENCY has seen one."""
        count = Metric("outbound_rpc_count", "Outbound calls.", "untyped")
        for metric in LATENCY.collect():
            for sample in metric.samples:
                if sample.name == "outbound_rpc_latency_count":
                    count.add_sample("outbound_rpc_count", sample.labels, sample.value)
        yield count


REGISTRY.register(_Count())


class Outcome:
    """What one request came to: `ok`, gRPC's code or an HTTP status."""

    def __init__(self) -> None:
        self.word = "ok"


@contextmanager
def counted(operation: str) -> Iterator[Outcome]:
    """Count a request in our metrics and in the existing ones.

    Args:
        operation: such as `secretmanager.AccessSecretVersion`.
    """
    outcome = Outcome()
    began = time.monotonic()
    try:
        yield outcome
    finally:
        backend_call(operation, outcome.word)
        if (kind := _KINDS.get(operation)) is not None:
            LATENCY.labels(outcome.word, kind).observe(time.monotonic() - began)
