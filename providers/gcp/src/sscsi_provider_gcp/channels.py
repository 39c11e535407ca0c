"""One channel for each service and location, made on first need, and made anew where it has fallen silent.

A connection that a firewall forgot loses every request without a word. So an attempt lasts 4 s at most, and after two
in a row without an answer the next one goes over a new connection (design, section 7). Keepalive pings are no
cure: Google's servers close connections that ping more often than every 5 minutes.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.request import getproxies_environment, proxy_bypass

import grpc

from sscsi_provider_gcp.resources import Kind

UNIVERSE: Final = "googleapis.com"
SILENT: Final = 2
_MAX_MESSAGE: Final = 8 << 20
_MAX_LINES: Final = 64
_OPTIONS: Final = (
    ("grpc.keepalive_time_ms", 300_000),
    ("grpc.keepalive_timeout_ms", 8_000),  # grpc sets TCP_USER_TIMEOUT to it
    ("grpc.max_receive_message_length", _MAX_MESSAGE),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.enable_retries", 0),
)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the services are; empty = Google's own.

    Attributes:
        secretmanager: host and port.
        secretmanager_regional: the same, with `{location}` in it where hosts differ.
        parametermanager: host and port.
        parametermanager_regional: as with secrets.
    """

    secretmanager: str = ""
    secretmanager_regional: str = ""
    parametermanager: str = ""
    parametermanager_regional: str = ""

    def of(self, kind: Kind, location: str, universe: str) -> str:
        """Host and port of a service in a location; empty = the global one."""
        service = "secretmanager" if kind is Kind.SECRET else "parametermanager"
        said: str = getattr(self, f"{service}_regional" if location else service)
        own = f"{service}.{location}.rep.{universe}:443" if location else f"{service}.{universe}:443"
        target = (said or own).replace("{location}", location)
        return target if target.rpartition("]")[2].count(":") else f"{target}:443"


class Line:
    """A client over a channel of its own.

    Attributes:
        client: of the SDK.
    """

    def __init__(self, client: Any) -> None:
        self.client: Final = client
        self._lock = threading.Lock()
        self._silent = 0

    def answered(self) -> None:
        """Something came back."""
        with self._lock:
            self._silent = 0

    def fell_silent(self) -> bool:
        """An attempt ended without a word; whether that was one too many."""
        with self._lock:
            self._silent += 1
            return self._silent >= SILENT


class Channels:
    """Makes each line once.

    Args:
        endpoints: where the services are.
        universe: the domain of Google's own addresses.
        ca_bundle: PEM file of authorities; None = gRPC's own.
        user_agent: sent with every call.
        clients: makes an SDK's client over a channel; by service.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        clients: Mapping[Kind, Callable[[grpc.Channel], Any]],
        *,
        universe: str = UNIVERSE,
        ca_bundle: Path | None = None,
        user_agent: str = "",
    ) -> None:
        # At debug they print requests and answers.
        for name in ("google", "grpc"):
            logging.getLogger(name).setLevel(logging.INFO)
        self.endpoints: Final = endpoints
        self.universe: Final = universe
        self._clients = clients
        self._ca_bundle = ca_bundle
        self._user_agent = user_agent
        self._lock = threading.Lock()
        self._lines: dict[tuple[Kind, str], Line] = {}
        self.made = 0

    def line(self, kind: Kind, location: str) -> Line:
        """The line to a service in a location."""
        key = kind, location
        with self._lock:
            line = self._lines.pop(key, None) or self._make(kind, location)
            self._lines[key] = line
            while len(self._lines) > _MAX_LINES:  # a class may name any location
                self._lines.pop(next(iter(self._lines)))
            return line

    def renew(self, kind: Kind, location: str, line: Line) -> None:
        """Let the next call go over a new connection, unless somebody else has seen to that."""
        with self._lock:
            if self._lines.get((kind, location)) is line:
                del self._lines[kind, location]

    def _make(self, kind: Kind, location: str) -> Line:
        target = self.endpoints.of(kind, location, self.universe)
        roots = self._ca_bundle.read_bytes() if self._ca_bundle else None
        proxy = proxy_for(target.rpartition(":")[0])
        options = [
            *_OPTIONS,
            ("grpc.primary_user_agent", self._user_agent),
            ("grpc.http_proxy", proxy) if proxy else ("grpc.enable_http_proxy", 0),
        ]
        self.made += 1
        channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(roots), options)
        return Line(self._clients[kind](channel))


def proxy_for(host: str) -> str:
    """The proxy that the environment names for a host: HTTPS_PROXY, ALL_PROXY, but not for those in NO_PROXY.

    gRPC itself reads only the names in small letters.
    """
    proxies = getproxies_environment()
    proxy = proxies.get("https") or proxies.get("all") or ""
    return "" if not proxy or proxy_bypass(host.strip("[]")) else proxy
