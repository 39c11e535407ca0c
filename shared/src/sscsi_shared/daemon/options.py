"""The flags that every daemon of the house has."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sscsi_shared.daemon.flags import Flag, Values, boolean, duration, one_of


def authorities(text: str) -> Path | None:
    """A PEM file of certificates, looked at now: a wrong path would fail every mount later, one by one.

    Raises:
        ValueError: it can't be read, or holds no certificate.
    """
    if not text:
        return None
    import ssl

    try:
        ssl.create_default_context(cafile=text)
    except ssl.SSLError as error:
        raise ValueError("the file holds no certificate in PEM form") from error
    except OSError as error:
        raise ValueError(f"the file can't be read: {error.strerror}") from error
    return Path(text)


LOG_LEVEL: Final = Flag("log-level", "info", "Least level that is logged.", one_of("debug", "info", "warn", "error"))
LOG_FORMAT: Final = Flag("log-format", "json", "Form of the log lines: json or text.", one_of("json", "text"))
METRICS_ADDR: Final = Flag(
    "metrics-addr", "", "Serve /metrics, /healthz and /readyz there: host:port or :port. Empty = off.", str
)
CA_BUNDLE: Final = Flag("ca-bundle", None, "PEM file of the authorities that every client trusts.", authorities)
REFLECTION: Final = Flag("grpc-reflection", False, "Serve gRPC reflection, for grpcurl without a .proto file.", boolean)
DRAIN: Final = Flag("drain", 20.0, "How long calls in progress may go on after SIGTERM.", duration)
TAKEOVER: Final = Flag("takeover-wait", 30.0, "How long to wait for another process to leave the socket.", duration)
VERSION: Final = Flag("version", False, "Print the version and end.", boolean)

COMMON: Final[tuple[Flag[Any], ...]] = (
    LOG_LEVEL,
    LOG_FORMAT,
    METRICS_ADDR,
    CA_BUNDLE,
    REFLECTION,
    DRAIN,
    TAKEOVER,
    VERSION,
)


@dataclass(frozen=True, slots=True)
class DaemonOptions:
    """What an operator says of any daemon.

    Attributes:
        log_level: debug, info, warn or error.
        log_format: json or text.
        metrics_address: host:port; empty = no metrics.
        health_address: where the same page is served once more, for manifests with a port of its own for probes;
            empty = nowhere.
        health_path: a further path of /readyz.
        ca_bundle: a PEM file; None = the system's authorities.
        reflection: whether gRPC reflection is served.
        drain_seconds: how long calls may go on after SIGTERM.
        takeover_seconds: how long to wait for a live socket of another process.
    """

    log_level: str = "info"
    log_format: str = "json"
    metrics_address: str = ""
    health_address: str = ""
    health_path: str = ""
    ca_bundle: Path | None = None
    reflection: bool = False
    drain_seconds: float = 20.0
    takeover_seconds: float = 30.0

    @classmethod
    def of(cls, values: Values) -> "DaemonOptions":
        """What the command line says."""
        return cls(
            log_level=values[LOG_LEVEL],
            log_format=values[LOG_FORMAT],
            metrics_address=values[METRICS_ADDR],
            ca_bundle=values[CA_BUNDLE],
            reflection=values[REFLECTION],
            drain_seconds=values[DRAIN],
            takeover_seconds=values[TAKEOVER],
        )
