"""HTTP for our own few calls: proxies from the environment, our authorities, bounded answers, no redirects."""

import json
import math
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.request import getproxies_environment, proxy_bypass

import urllib3
from urllib3.connection import HTTPConnection

from sscsi_shared.deadline import Deadline
from sscsi_shared.timed_sockets import TimedTls, timed, until

CONNECT_SECONDS: Final = 3.0
READ_SECONDS: Final = 10.0
"""Of silence; the whole answer has the deadline's time."""
MAX_ANSWER_BYTES: Final = 4 << 20
NO_DELAY: Final = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)
"""urllib3 leaves it away where it asks by a proxy: a request's body would wait 40 ms for the head's acknowledgement."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said.

    Attributes:
        status: the HTTP status.
        body: at most MAX_ANSWER_BYTES.
        retry_after: seconds that it asked us to wait; None if it did not say so in seconds.
    """

    status: int
    body: bytes
    retry_after: float | None = None

    def document(self) -> dict[str, Any]:
        """The JSON object in the body; empty if there is none."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


class _Plain(HTTPConnection):
    """Whose receives end in time, as those of TimedTls do."""

    def _new_conn(self) -> socket.socket:
        return timed(super()._new_conn())


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Plain


class HttpFailed(Exception):
    """No answer. The text names the host and the kind of failure, and nothing that was sent."""


def pool_for(url: str, ca_file: Path | None = None, *, direct: bool = False) -> urllib3.PoolManager:
    """Connections to an origin, by way of the proxy that the environment names for it (HTTPS_PROXY, NO_PROXY, ...).

    Receives end as timed_sockets.until says.

    Args:
        url: scheme, host and port; the rest is not looked at.
        ca_file: PEM file of authorities; None = the system's.
        direct: see HttpClient.
    """
    parsed = urllib3.util.parse_url(url)
    context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    context.sslsocket_class = TimedTls
    proxies: Mapping[str, str] = getproxies_environment()
    proxy = proxies.get(parsed.scheme or "https") or proxies.get("all")
    arguments: dict[str, Any] = {"ssl_context": context, "maxsize": 8, "block": False, "retries": False}
    arguments["socket_options"] = NO_DELAY
    by_proxy = proxy and not direct and not proxy_bypass(parsed.netloc or parsed.host or "")
    pools = urllib3.ProxyManager(proxy, **arguments) if proxy and by_proxy else urllib3.PoolManager(**arguments)
    pools.pool_classes_by_scheme = {**pools.pool_classes_by_scheme, "http": _PlainPool}
    return pools


class HttpClient:
    """One origin, by way of the proxy that the environment names for it.

    Args:
        url: scheme, host and port.
        ca_file: PEM file of authorities; None = the system's.
        direct: by no proxy, whatever the environment says: for services of the node and of the cluster.
    """

    def __init__(self, url: str, ca_file: Path | None = None, *, direct: bool = False) -> None:
        self.origin: Final = url.rstrip("/")
        self._host = urllib3.util.parse_url(url).host or ""
        self._pool = pool_for(url, ca_file, direct=direct)

    def request(
        self, method: str, path: str, *, headers: Mapping[str, str], deadline: Deadline, body: object = None
    ) -> Answer:
        """Send one request; it is not repeated and follows no redirect.

        Args:
            method: GET, POST, ...
            path: with its leading slash, and query.
            headers: may hold a token.
            deadline: of the whole answer, however slowly it comes; connecting takes at most 3 s of it, a silence 10 s.
            body: sent as JSON; None = none.

        Raises:
            HttpFailed: no answer.
        """
        timeout = urllib3.Timeout(
            connect=max(0.001, deadline.at_most(CONNECT_SECONDS)), read=max(0.001, deadline.at_most(READ_SECONDS))
        )
        try:
            with until(deadline, READ_SECONDS):
                response = self._pool.request(
                    method,
                    self.origin + path,
                    headers={"Accept": "application/json", **headers},
                    json=body,
                    timeout=timeout,
                    redirect=False,
                    retries=False,
                    preload_content=False,
                )
                content = response.read(MAX_ANSWER_BYTES)
                response.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise HttpFailed(f"{self._host} does not answer ({type(error).__name__})") from error
        return Answer(response.status, content, _seconds(response.headers.get("Retry-After")))


def _seconds(text: str | None) -> float | None:
    try:
        value = float(text) if text else math.nan
    except ValueError:
        return None
    return value if 0 <= value < math.inf else None
