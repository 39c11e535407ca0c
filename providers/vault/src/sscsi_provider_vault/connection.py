"""HTTP to one server: through requests, as hvac wants it, with our authorities and our check of addresses."""

import logging
import socket
import ssl
from pathlib import Path
from typing import Any, Final

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from sscsi_provider_vault.identity import Endpoint
from sscsi_shared.addresses import AddressRefused, connect

CONNECT_SECONDS: Final = 3.0
_POOL: Final = 32


def session(endpoint: Endpoint) -> requests.Session:
    """A session for one endpoint; proxies are the environment's.

    Raises:
        OSError: a PEM file can't be read.
        ssl.SSLError: it is none.
    """
    logging.getLogger("urllib3").setLevel(logging.INFO)
    if endpoint.skip_verify:  # the operator's word; a warning at each request would change nothing
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    made = requests.Session()
    made.mount("http://", _Adapter(endpoint))
    made.mount("https://", _Adapter(endpoint))
    made.verify = not endpoint.skip_verify
    if endpoint.address.scheme == "unix":
        made.trust_env = False
    return made


class _Adapter(HTTPAdapter):
    """Connects only where it may."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._context = _context(endpoint)
        super().__init__(pool_connections=2, pool_maxsize=_POOL, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **more: Any) -> None:
        del more
        names: dict[str, Any] = {}
        if self._endpoint.server_name:
            names = {"server_hostname": self._endpoint.server_name, "assert_hostname": self._endpoint.server_name}
        self.poolmanager = urllib3.PoolManager(
            num_pools=connections, maxsize=maxsize, block=block, ssl_context=self._context, **names
        )
        http, https = _pools(self._endpoint)
        self.poolmanager.pool_classes_by_scheme = {"http": http, "https": https}

    def proxy_manager_for(self, proxy: str, **more: Any) -> Any:
        return super().proxy_manager_for(proxy, ssl_context=self._context, **more)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Nothing: the context knows whom to trust, and requests would add certifi's authorities to them."""


def _context(endpoint: Endpoint) -> ssl.SSLContext:
    if endpoint.ca_files:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for path in endpoint.ca_files:
            context.load_verify_locations(cafile=path)
    else:
        context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if endpoint.skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if endpoint.client_cert:
        context.load_cert_chain(endpoint.client_cert, endpoint.client_key)
    return context


def _pools(endpoint: Endpoint) -> tuple[type[urllib3.HTTPConnectionPool], type[urllib3.HTTPSConnectionPool]]:
    address = endpoint.address

    def opened(connection: HTTPConnection) -> socket.socket:
        timeout = connection.timeout if isinstance(connection.timeout, int | float) else CONNECT_SECONDS
        try:
            if address.scheme == "unix":
                made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                made.settimeout(timeout)
                made.connect(address.host)
                return made
            return connect(connection.host, connection.port or 0, trusted=address.trusted, timeout=timeout)
        except TimeoutError as error:
            raise urllib3.exceptions.ConnectTimeoutError(connection, "timed out") from error
        except socket.gaierror as error:
            raise urllib3.exceptions.NameResolutionError(connection.host, connection, error) from error
        except (OSError, AddressRefused) as error:
            raise urllib3.exceptions.NewConnectionError(connection, str(error)) from error

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return opened(self)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return opened(self)

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Secure

    return PlainPool, SecurePool


def pem_files(folder: Path) -> tuple[Path, ...]:
    """Every file below a folder, in order; the hidden folders of mounted ConfigMaps are passed over."""
    return tuple(
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith("..") for part in path.relative_to(folder).parts)
    )
