"""What the driver counts, with the names and labels of the existing driver's release 1.6.

prometheus-client adds `_total` to a counter's name by itself.
"""

import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_OS: Final = "linux"
_BOUNDS: Final = (0.1, 0.1349, 0.1821, 0.2456, 0.3314, 0.4472, 0.6034, 0.8142, 1.0986, 1.4823, 2.0)
"""Seconds; 11 exponential steps."""
_MAX_WORDS: Final = 64
_WORD: Final = re.compile(r"[A-Za-z0-9_.-]{0,64}")
_OTHER: Final = "other"


class _Bounded:
    """Words that a class's author or a provider chose: the first 64 of them, then `other`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._words: set[str] = set()

    def __call__(self, word: str) -> str:
        with self._lock:
            if word not in self._words:
                if len(self._words) >= _MAX_WORDS or not _WORD.fullmatch(word):
                    return _OTHER
                self._words.add(word)
            return word


@dataclass(frozen=True, slots=True)
class ContentAge:
    """How long ago the content of a class's volumes was last known to be the backend's; the oldest volume counts."""

    namespace: str
    of_class: str
    seconds: float


class VolumeGauges(Collector):
    """What is read off the volumes at each scrape.

    Args:
        waiting: how many filled volumes wait for what; `fetching` = they are being asked for.
        ages: one for each class that is in use on this node.
    """

    def __init__(self, waiting: Callable[[], Mapping[str, int]], ages: Callable[[], Iterable[ContentAge]]) -> None:
        self._waiting = waiting
        self._ages = ages

    def collect(self) -> Iterable[Metric]:
        """See Collector."""
        volumes = GaugeMetricFamily(
            "sscsi_volumes",
            "Filled volumes: waiting for their interval, due, being fetched, or due and held up (tokens, backed_off)",
            labels=("state",),
        )
        for state, number in self._waiting().items():
            volumes.add_metric((state,), number)
        age = GaugeMetricFamily(
            "sscsi_content_age_seconds",
            "Since the oldest content of a class on this node was last known to be the backend's",
            labels=("namespace", "class"),
        )
        for one in self._ages():
            age.add_metric((one.namespace, one.of_class), one.seconds)
        return volumes, age


class DriverMetrics:
    """The driver's counters.

    Args:
        registry: where they are registered: the process's, or one of its own in a test.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._provider = _Bounded()
        self._error_type = _Bounded()
        self._publish = Counter(
            "node_publish", "Volumes published, repetitions included", ("provider", "os_type"), registry=registry
        )
        self._publish_error = Counter(
            "node_publish_error",
            "NodePublishVolume calls that failed",
            ("provider", "error_type", "os_type"),
            registry=registry,
        )
        self._unpublish = Counter("node_unpublish", "Volumes unpublished", ("os_type",), registry=registry)
        self._unpublish_error = Counter(
            "node_unpublish_error", "NodeUnpublishVolume calls that failed", ("os_type",), registry=registry
        )
        self._rotation = Counter(
            "rotation_reconcile",
            "Volumes filled again, whether or not anything had changed",
            ("provider", "os_type", "rotated"),
            registry=registry,
        )
        self._rotation_error = Counter(
            "rotation_reconcile_error",
            "Volumes that could not be filled again and kept their files",
            ("provider", "error_type", "os_type", "rotated"),
            registry=registry,
        )
        self._rotation_seconds = Histogram(
            "rotation_reconcile_duration_sec",
            "Seconds that filling a volume again took",
            ("os_type",),
            registry=registry,
            buckets=_BOUNDS,
        )

        self._skipped = Counter(
            "sscsi_rotation_skipped",
            "Volumes not fetched: published again before their time (not_due), or due and waiting (tokens, backed_off)",
            ("reason",),
            registry=registry,
        )

        self._synced = Counter(
            "sync_k8s_secret", "Kubernetes Secrets written", ("provider", "os_type"), registry=registry
        )
        self._sync_seconds = Histogram(
            "k8s_secret_duration_sec",
            "Seconds that writing the Secrets of a volume took",
            ("os_type",),
            registry=registry,
            buckets=_BOUNDS,
        )
        self._sync_failed = Counter(
            "sscsi_sync_failed",
            "Attempts to bring the Secrets of a volume up to date that failed",
            ("provider", "os_type"),
            registry=registry,
        )

        self._begin()

    def _begin(self) -> None:
        """Series without a word of others exist from the start: a rate over a first event can be seen."""
        for series in (self._unpublish, self._unpublish_error, self._rotation_seconds, self._sync_seconds):
            series.labels(_OS)
        for reason in ("not_due", "tokens", "backed_off"):
            self._skipped.labels(reason)

    def skipped(self, reason: str, number: int) -> None:
        """Volumes were not fetched, though published again or due."""
        self._skipped.labels(reason).inc(number)

    def published(self, provider: str) -> None:
        """A NodePublishVolume was answered OK; `provider` is empty where the class was not read."""
        self._publish.labels(self._provider(provider), _OS).inc()

    def publish_failed(self, provider: str, error_type: str) -> None:
        """A NodePublishVolume was answered with an error."""
        self._publish_error.labels(self._provider(provider), self._error_type(error_type), _OS).inc()

    def unpublished(self) -> None:
        """A NodeUnpublishVolume was answered OK."""
        self._unpublish.labels(_OS).inc()

    def unpublish_failed(self) -> None:
        """A NodeUnpublishVolume was answered with an error."""
        self._unpublish_error.labels(_OS).inc()

    def rotated(self, provider: str, seconds: float) -> None:
        """A filled volume was asked for again."""
        self._rotation.labels(self._provider(provider), _OS, "true").inc()
        self._rotation_seconds.labels(_OS).observe(seconds)

    def rotation_failed(self, provider: str, error_type: str) -> None:
        """A filled volume was asked for again and kept its previous files."""
        self._rotation_error.labels(self._provider(provider), self._error_type(error_type), _OS, "true").inc()

    def synced(self, provider: str, number: int) -> None:
        """Secrets of a volume were written."""
        self._synced.labels(self._provider(provider), _OS).inc(number)

    def sync_took(self, seconds: float) -> None:
        """Writing the Secrets of a volume took so long."""
        self._sync_seconds.labels(_OS).observe(seconds)

    def sync_failed(self, provider: str) -> None:
        """A volume's Secrets could not all be brought up to date."""
        self._sync_failed.labels(self._provider(provider), _OS).inc()
