"""Addresses that a class names: the pod's token is sent there, so not everything is let through.

https, and not to this node, its neighbours on the link, or a cloud's metadata service; unless the operator named the
very address, as the default or in `--allowed-addresses`. A name is resolved here, and the address that was looked at is
the one that is used: a second answer of the DNS changes nothing.
"""

import ipaddress
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import SplitResult, urlsplit

from sscsi_shared.errors import InvalidParameters, clip

SocketAddress: TypeAlias = tuple[socket.AddressFamily, Any]
MAX_ADDRESS_CHARS: Final = 2048
_METADATA: Final = tuple(
    ipaddress.ip_network(one)
    # of AWS (also over IPv6), Google and Azure; Alibaba; Oracle
    for one in ("169.254.0.0/16", "fd00:ec2::/32", "100.100.100.200/32", "192.0.0.192/32")
)
_TRANSLATED: Final = tuple(
    ipaddress.ip_network(one)
    # IPv4-compatible (RFC 4291, 2.5.5.1), and NAT64 (RFC 6052, RFC 8215)
    for one in ("::/96", "64:ff9b::/96", "64:ff9b:1::/48")
)
_PORTS: Final = {"http": 80, "https": 443, "unix": 0}


class AddressRefused(Exception):
    """A name resolves to nothing that may be asked."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to connect.

    Attributes:
        url: without a slash at its end.
        scheme: http, https or unix.
        host: name or address; of unix the path.
        port: of unix 0.
        trusted: whether the operator named it.
    """

    url: str
    scheme: str
    host: str
    port: int
    trusted: bool

    @property
    def origin(self) -> tuple[str, str, int]:
        """What a redirect may not leave."""
        return self.scheme, self.host, self.port


class Addresses:
    """The operator's word on addresses.

    Args:
        default: used where a class names none; empty = none.
        allowed: others that a class may name.
    """

    def __init__(self, default: str = "", allowed: Iterable[str] = ()) -> None:
        self.default: Final = default
        self._trusted = {_key(_split(one)) for one in (default, *allowed) if one}

    def read(self, text: str, path: str) -> Address:
        """The address that a class names.

        Args:
            text: as written.
            path: where it stands: `parameters.vaultAddress`.

        Raises:
            InvalidParameters: it is none, or none that a class may name.
        """
        parts = _split(text)
        if (
            parts.scheme not in _PORTS
            or len(text) > MAX_ADDRESS_CHARS
            or parts.username
            or parts.query
            or parts.fragment
        ):
            raise InvalidParameters(
                f"{clip(text, 200)} is no address.", path=path, hint="It looks like https://vault.example:8200."
            )
        scheme, host, port, _ = _key(parts)
        trusted = _key(parts) in self._trusted
        if not host or port < 0:
            raise InvalidParameters(f"{clip(text, 200)} names no host.", path=path)
        if not trusted:
            self._refuse(scheme, host, text, path)
        return Address(text.rstrip("/"), scheme, host, port, trusted)

    def _refuse(self, scheme: str, host: str, text: str, path: str) -> None:
        why = ""
        if scheme != "https":
            why = f"{clip(text, 200)} is not https, and the pod's token would be sent there"
        elif host == "localhost" or host.endswith(".localhost") or (_is_ip(host) and _forbidden(host)):
            why = f"{clip(text, 200)} is an address of the node itself or of a metadata service"
        if why:
            raise InvalidParameters(
                f"{why}.", path=path, hint="An operator can allow it with --allowed-addresses, or make it the default."
            )


def resolve(host: str, port: int, *, trusted: bool) -> Sequence[SocketAddress]:
    """The socket addresses of a host, without those that may not be asked.

    Raises:
        AddressRefused: there are some, and none may be asked.
        OSError: the name can't be resolved.
    """
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    open_ones = [(family, address) for family, _, _, _, address in found if trusted or not _forbidden(str(address[0]))]
    if not open_ones:
        raise AddressRefused(f"{host} resolves to addresses of the node itself or of a metadata service alone")
    return open_ones


def connect(host: str, port: int, *, trusted: bool, timeout: float | None) -> socket.socket:
    """A connection to the first address of a host that may be asked and answers.

    Raises:
        AddressRefused: none may be asked.
        OSError: none answers.
    """
    failure: OSError | None = None
    for family, address in resolve(host, port, trusted=trusted):
        made = socket.socket(family, socket.SOCK_STREAM)
        try:
            made.settimeout(timeout)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.connect(address)
        except OSError as error:
            made.close()
            failure = error
        else:
            return made
    raise failure or OSError(f"{host} has no address")


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text.strip())
        parts.port  # noqa: B018  # raises where it is none
    except ValueError:
        return urlsplit("")
    return parts


def _key(parts: SplitResult) -> tuple[str, str, int, str]:
    scheme = parts.scheme.lower()
    if scheme == "unix":
        return scheme, parts.path, 0, ""
    return scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(scheme, -1), parts.path.rstrip("/")


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _forbidden(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    return any(map(_is_own, (address, *_within(address))))


def _within(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    """IPv4 addresses that an IPv6 address may lead to: mapped, by 6to4 or Teredo, or in its last 32 bits."""
    if isinstance(address, ipaddress.IPv6Address):
        found = (address.ipv4_mapped, address.sixtofour, *(address.teredo or ()))
        yield from (one for one in found if one is not None)
        if any(address in network for network in _TRANSLATED):
            yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


def _is_own(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    own = address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast
    return own or any(address.version == network.version and address in network for network in _METADATA)
