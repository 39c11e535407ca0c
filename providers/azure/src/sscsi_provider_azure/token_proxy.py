"""AKS's identity bindings: Entra is asked by way of the cluster's API server, which shows another TLS name for that.

The name has the cluster's id in it, which stands in the API server's certificate (AKS, identity bindings).
"""

import base64
import hashlib
import re
import ssl
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from azure.core.exceptions import ServiceRequestTimeoutError

from sscsi_provider_azure.parameters import WRAPPED
from sscsi_provider_azure.wire import Redirected, Wire
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import AuthenticationFailed, BackendUnavailable, clip

URL: Final = "https://kubernetes.default.svc.cluster.local"
CA_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/ca.crt")
_DOMAIN: Final = ".ests.aks"
_HOST: Final = re.compile(r"hcp-kubernetes\.([0-9A-Za-z-]{1,64})\.svc\.cluster\.local")


class TokenProxy:
    """Finds it, and sends to it.

    Args:
        url: https, with a path perhaps.
        server_name: TLS name; empty = found in the API server's certificate.
        ca_file: PEM file with its authority; where it is absent, the system's.

    Raises:
        ValueError: the URL is none that may be used.
    """

    def __init__(self, url: str = URL, server_name: str = "", ca_file: Path = CA_FILE) -> None:
        self.url: Final = checked(url)
        self.server_name: Final = server_name
        self._ca_file = ca_file
        self._lock = threading.Lock()
        self._wire: tuple[Wire, tuple[float, int]] | None = None

    def within(self, deadline: Deadline) -> "Redirected":
        """A transport of logins that end by a deadline.

        Raises:
            AuthenticationFailed: the API server is none of AKS's.
            BackendUnavailable: it does not answer.
        """
        with self._lock:
            stamp = self._stamp()
            if self._wire is None or self._wire[1] != stamp:
                ca_file = self._ca_file if stamp != _ABSENT else None
                name = self.server_name or found_name(self.url, ca_file, deadline)
                self._wire = Wire(ca_file, server_name=name, direct=True), stamp
            return Redirected(self._wire[0].within(deadline), lambda url: _moved(url, self.url))

    def _stamp(self) -> tuple[float, int]:
        """The authority changes when the cluster's certificates are turned over."""
        try:
            status = self._ca_file.stat()
        except OSError:
            return _ABSENT
        return status.st_mtime, status.st_ino


_ABSENT: Final = (0.0, 0)


def _moved(url: str, proxy: str) -> str:
    """What is for Entra goes to the proxy: path and query are kept, behind the proxy's own path."""
    parts = urlsplit(url)
    return f"{proxy}{parts.path}" + (f"?{parts.query}" if parts.query else "")


def checked(url: str) -> str:
    """Give back the proxy's address, without a slash at its end.

    Raises:
        ValueError: it is not https, has user, query or fragment, or a port that is none.
    """
    parts = urlsplit(url)
    parts.port  # noqa: B018  # raises where it is none
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError(f"{url!r} is no https address without user, query and fragment")
    return url.rstrip("/")


def name_of(cluster_id: str) -> str:
    """The TLS name of a cluster's proxy."""
    digest = hashlib.sha256(f"identity-binding{cluster_id}".encode()).digest()
    return f"a{base64.b32hexencode(digest).decode().rstrip('=').lower()}{_DOMAIN}"


def name_in(names: Sequence[str]) -> str:
    """The same, from the names in the API server's certificate.

    Raises:
        AuthenticationFailed: none of them has a cluster's id in it.
    """
    for name in names:
        if found := _HOST.fullmatch(name):
            return name_of(found[1])
    raise AuthenticationFailed(
        f"{WRAPPED}proxy transport not available: the API server's certificate names no AKS cluster "
        f"({clip(', '.join(names), 200)}).",
        hint="Identity binding is a feature of AKS; --sni-name sets the TLS name by hand.",
    )


def found_name(url: str, ca_file: Path | None, deadline: Deadline) -> str:
    """The TLS name, asked of the API server.

    Raises:
        AuthenticationFailed: see name_in.
        BackendUnavailable: no answer, or it can't be trusted.
    """
    from sscsi_shared import addresses

    parts = urlsplit(url)
    host = parts.hostname or ""
    context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    try:
        if deadline.expired:
            raise ServiceRequestTimeoutError("no time is left")
        seconds = max(0.001, deadline.at_most(5.0))
        with (
            addresses.connect(host, parts.port or 443, trusted=True, timeout=seconds) as plain,
            context.wrap_socket(plain, server_hostname=host) as wrapped,
        ):
            certificate = wrapped.getpeercert() or {}
    except OSError as error:
        raise BackendUnavailable(
            f"{WRAPPED}proxy transport not available: {host} does not answer ({type(error).__name__})."
        ) from error
    entries: Any = certificate.get("subjectAltName", ())
    return name_in([str(value) for kind, value in entries if kind == "DNS"])
