"""One transport for everything that goes to Azure: our authorities, no redirects, no cookies, bounded answers.

The SDKs bring their policies; this is what they send by (azure-core's RequestsTransport over a session of requests).
"""

import ssl
import time
from collections.abc import Callable, Iterator
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, Final

import requests
from azure.core.exceptions import ServiceRequestTimeoutError, ServiceResponseError
from azure.core.pipeline.transport import HttpTransport, RequestsTransport
from requests.adapters import HTTPAdapter

from sscsi_shared.deadline import Deadline
from sscsi_shared.http import NO_DELAY
from sscsi_shared.timed_sockets import TimedTls, until

CONNECT_SECONDS: Final = 3.0
READ_SECONDS: Final = 5.0
MAX_ANSWER_BYTES: Final = 4 << 20
MAX_ANSWER_SECONDS: Final = 20.0
_CONNECTIONS: Final = 32
"""To one host, kept open."""


class Wire:
    """A session of requests, and a transport over it that any thread may use.

    Args:
        ca_bundle: PEM file of authorities; None = the system's.
        server_name: TLS name to ask for and to expect, whatever the address; empty = the address's own.
        direct: by no proxy, whatever the environment says.
    """

    def __init__(self, ca_bundle: Path | None = None, *, server_name: str = "", direct: bool = False) -> None:
        session = requests.Session()
        session.trust_env = not direct
        session.auth = _unchanged  # else a .netrc may add credentials
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        session.mount("https://", _Adapter(ca_bundle, server_name))
        session.mount("http://", _Adapter(ca_bundle, ""))
        self._session: Final = session
        self.transport: Final = RequestsTransport(session=session, session_owner=False)

    def within(self, deadline: Deadline) -> "Bounded":
        """The transport, for calls that end by a deadline."""
        return Bounded(self.transport, deadline)

    def close(self) -> None:
        """End every connection."""
        self._session.close()


class Bounded(HttpTransport[Any, Any]):
    """A transport whose calls, and pauses between them, end by a deadline.

    Attributes:
        answer: to the last request; None where there was none. Not every error of the SDKs has it.

    Args:
        transport: that sends.
        deadline: of all calls together.
    """

    def __init__(self, transport: HttpTransport[Any, Any], deadline: Deadline) -> None:
        self._transport = transport
        self._deadline = deadline
        self.answer: Any = None

    def send(self, request: Any, **kwargs: Any) -> Any:
        """See HttpTransport.

        Raises:
            ServiceRequestTimeoutError: no time is left.
        """
        self.answer = None
        if self._deadline.expired:
            raise ServiceRequestTimeoutError("no time is left")
        with until(self._deadline, READ_SECONDS):
            self.answer = self._transport.send(request, **(kwargs | timeouts(self._deadline)))
        return self.answer

    def open(self) -> None:
        """The transport is open as long as the process lives."""

    def close(self) -> None:
        """See open."""

    def __exit__(self, *_: object) -> None:
        """See open."""

    def sleep(self, duration: float) -> None:
        """A pause that the SDK wants."""
        time.sleep(self._deadline.at_most(duration))


class Redirected(HttpTransport[Any, Any]):
    """A transport that sends to other addresses than the SDK does.

    Args:
        transport: that sends.
        moved: from the SDK's address to the one that is meant.
    """

    def __init__(self, transport: Bounded, moved: Callable[[str], str]) -> None:
        self._transport = transport
        self._moved = moved

    @property
    def answer(self) -> Any:
        """See Bounded."""
        return self._transport.answer

    def send(self, request: Any, **kwargs: Any) -> Any:
        """See Bounded."""
        request.url = self._moved(request.url)
        return self._transport.send(request, **kwargs)

    def open(self) -> None:
        """See Bounded."""

    def close(self) -> None:
        """See Bounded."""

    def __exit__(self, *_: object) -> None:
        """See Bounded."""

    def sleep(self, duration: float) -> None:
        """See Bounded."""
        self._transport.sleep(duration)


def timeouts(deadline: Deadline) -> dict[str, float]:
    """What an SDK's call takes: seconds of one connect and of one read."""
    return {
        "connection_timeout": max(0.001, deadline.at_most(CONNECT_SECONDS)),
        "read_timeout": max(0.001, deadline.at_most(READ_SECONDS)),
    }


class _Adapter(HTTPAdapter):
    def __init__(self, ca_bundle: Path | None, server_name: str) -> None:
        context = ssl.create_default_context(cafile=str(ca_bundle) if ca_bundle else None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.sslsocket_class = TimedTls
        self._pool_arguments: dict[str, Any] = {"ssl_context": context, "socket_options": NO_DELAY}
        if server_name:
            self._pool_arguments |= {"server_hostname": server_name, "assert_hostname": server_name}
        super().__init__(pool_maxsize=_CONNECTIONS, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **(kwargs | self._pool_arguments))

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, **(kwargs | self._pool_arguments))

    def build_connection_pool_key_attributes(self, request: Any, *_: Any, **__: Any) -> Any:
        """Our context stands; neither certifi's authorities nor REQUESTS_CA_BUNDLE join it."""
        return super().build_connection_pool_key_attributes(request, True, None)[0], {}

    def cert_verify(self, *_: Any) -> None:
        """See build_connection_pool_key_attributes."""

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        with until(Deadline.after(MAX_ANSWER_SECONDS), READ_SECONDS):
            response = super().send(*args, **kwargs)
        raw: Any = response.raw
        raw.stream = _bounded(raw.stream)
        return response


def _bounded(stream: Any) -> Any:
    """An answer's body, as long as it is neither too long nor too slow."""
    ends = time.monotonic() + MAX_ANSWER_SECONDS

    def read(*args: Any, **kwargs: Any) -> Iterator[bytes]:
        size = 0
        for chunk in stream(*args, **kwargs):
            size += len(chunk)
            if size > MAX_ANSWER_BYTES or time.monotonic() > ends:
                raise ServiceResponseError("the answer is too long or too slow")
            yield chunk

    return read


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
