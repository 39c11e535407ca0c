"""HTTP to one server: through requests, as hvac wants it, with our authorities and our check of addresses."""

import logging
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import should_bypass_proxies
from urllib3.connection import HTTPConnection, HTTPSConnection

from sscsi_provider_vault.identity import Endpoint
from sscsi_shared.addresses import AddressRefused, connect
from sscsi_shared.class_files import read_file
from sscsi_shared.timed_sockets import TimedTls, timed

CONNECT_SECONDS: Final = 3.0
_POOL: Final = 32


def session(endpoint: Endpoint) -> requests.Session:
    """A session for one endpoint.

    Of the environment only proxies count: requests would look for passwords in ~/.netrc too.

    Raises:
        ObjectUnusable: a PEM file can't be read.
        ValueError: it is none.
    """
    logging.getLogger("urllib3").setLevel(logging.INFO)
    if endpoint.skip_verify:  # the operator's word; a warning at each request would change nothing
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    made = _Session()
    made.trust_env = False
    made.proxies.update(_proxies(endpoint))
    made.mount("http://", _Adapter(endpoint))
    made.mount("https://", _Adapter(endpoint))
    made.verify = not endpoint.skip_verify
    return made


class _Session(requests.Session):
    """Follows nothing."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: requests would read all of a redirect's body and its address, even where it is not to follow it."""


def _proxies(endpoint: Endpoint) -> Mapping[str, str]:
    address = endpoint.address
    if address.scheme == "unix" or should_bypass_proxies(address.url, no_proxy=None):
        return {}
    return {scheme: url for scheme, url in endpoint.proxy if scheme in {"http", "https", "all"}}


class _Adapter(HTTPAdapter):
    """Connects only where it may."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        name = endpoint.server_name
        self._tls: dict[str, Any] = {"ssl_context": _context(endpoint)}
        self._tls |= {"server_hostname": name, "assert_hostname": name} if name else {}
        super().__init__(pool_connections=2, pool_maxsize=_POOL, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **more: Any) -> None:
        del more
        self.poolmanager = urllib3.PoolManager(num_pools=connections, maxsize=maxsize, block=block, **self._tls)
        http, https = _pools(self._endpoint)
        self.poolmanager.pool_classes_by_scheme = {"http": http, "https": https}

    def proxy_manager_for(self, proxy: str, **more: Any) -> Any:
        return super().proxy_manager_for(proxy, **self._tls, **more)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Nothing: the context knows whom to trust, and requests would add certifi's authorities to them."""


def _context(endpoint: Endpoint) -> ssl.SSLContext:
    if endpoint.ca_files:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for path in endpoint.ca_files:
            context.load_verify_locations(
                cadata=read_file(Path(path)).decode("ascii", "ignore")
            )  # comments may be in any tongue
    else:
        context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = TimedTls
    if endpoint.skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if endpoint.client_cert:
        with _in_memory(endpoint.client_cert) as certificate, _in_memory(endpoint.client_key) as key:
            context.load_cert_chain(certificate, key)
    return context


@contextmanager
def _in_memory(path: str) -> Iterator[str]:
    """A file's contents under a name that only this process has: Python's ssl takes nothing else (memfd_create(2))."""
    descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, read_file(Path(path)))
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _pools(endpoint: Endpoint) -> tuple[type[urllib3.HTTPConnectionPool], type[urllib3.HTTPSConnectionPool]]:
    address = endpoint.address

    def opened(connection: HTTPConnection) -> socket.socket:
        timeout = connection.timeout if isinstance(connection.timeout, int | float) else CONNECT_SECONDS
        try:
            if address.scheme == "unix":
                made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                made.settimeout(timeout)
                made.connect(address.host)
                return timed(made)
            return timed(connect(connection.host, connection.port or 0, trusted=address.trusted, timeout=timeout))
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
