"""What vaults answer a request without a token, remembered: the SDKs' packages each ask for themselves, for each vault.

A challenge says who gives tokens for a vault, and for what (RFC 6750 section 3; Key Vault, authentication). It is the
same for everybody, so it is asked for once; the SDK's check that it belongs to the vault stays as it is.
"""

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError, ServiceResponseTimeoutError
from azure.core.pipeline.transport import HttpTransport
from azure.core.rest import HttpRequest

from sscsi_provider_azure.errors import vault_unanswered
from sscsi_provider_azure.parameters import WRAPPED
from sscsi_provider_azure.wire import timeouts
from sscsi_shared.deadline import Clock, Deadline
from sscsi_shared.economy.flights import Flights

KEPT_SECONDS: Final = 3600.0
_MAX_KEPT: Final = 1000
_FIELD: Final = re.compile(r'([A-Za-z_]+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a vault says.

    Attributes:
        tenant: of Entra that it belongs to.
        scope: of a token for it.
    """

    tenant: str
    scope: str


class Challenges(HttpTransport[Any, Any]):
    """A transport that asks each vault once.

    Args:
        transport: that sends.
        clock: seconds that only grow.
    """

    def __init__(self, transport: HttpTransport[Any, Any], clock: Clock = time.monotonic) -> None:
        self._transport = transport
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[Any, float]] = OrderedDict()
        self._flights: Flights[str, Any] = Flights(self._known)

    def send(self, request: Any, **kwargs: Any) -> Any:
        """A request without a token is answered from memory, where there is an answer."""
        host = urlsplit(request.url).netloc.lower()
        if request.headers.get("Authorization"):
            response = self._transport.send(request, **kwargs)
            if response.status_code == 401:
                self._keep(host, response)
            return response

        def lead(_: Sequence[str], __: Deadline) -> dict[str, Any]:
            try:
                response = self._transport.send(request, **kwargs)
                response.read()
            except AzureError as error:
                return {host: error}
            self._keep(host, response)
            return {host: response}

        seconds = float(kwargs.get("connection_timeout", 5)) + float(kwargs.get("read_timeout", 5))
        found = self._flights.ask([host], lead, Deadline.after(seconds)).get(host)
        if isinstance(found, AzureError):
            raise type(found)(message=found.message, error=found.inner_exception)
        if found is None:
            raise ServiceResponseTimeoutError("the vault did not answer in time")
        return found

    def ask(self, host: str, deadline: Deadline) -> Challenge | None:
        """What a vault says; asked if it has not been yet. None where it says nothing that can be read.

        Raises:
            BackendUnavailable: no answer.
        """
        if self.of(host) is None:
            request = HttpRequest("GET", f"https://{host}/secrets?api-version=7.4&maxresults=1")
            try:
                self.send(request, **timeouts(deadline))
            except AzureError as error:
                raise vault_unanswered(f"{WRAPPED}vault {host}", error, host) from None
        return self.of(host)

    def of(self, host: str) -> Challenge | None:
        """What a vault said last; None if nothing, or nothing that can be read."""
        found = self._known(host.lower())
        return None if found is None else read_challenge(found.headers.get("WWW-Authenticate", ""))

    def forget(self, host: str) -> None:
        """What a vault said can't be right: it is asked again by the next who comes."""
        with self._lock:
            self._kept.pop(host.lower(), None)

    def open(self) -> None:
        """The transport is open as long as the process lives."""

    def close(self) -> None:
        """See open."""

    def __exit__(self, *_: object) -> None:
        """See open."""

    def _known(self, host: str) -> Any:
        with self._lock:
            response, until = self._kept.get(host, (None, 0.0))
            return response if until > self._clock() else None

    def _keep(self, host: str, response: Any) -> None:
        if response.status_code != 401 or read_challenge(response.headers.get("WWW-Authenticate", "")) is None:
            return
        with self._lock:
            self._kept[host] = response, self._clock() + KEPT_SECONDS
            self._kept.move_to_end(host)
            while len(self._kept) > _MAX_KEPT:
                self._kept.popitem(last=False)


def read_challenge(header: str) -> Challenge | None:
    """What stands in WWW-Authenticate; None where that is no challenge of a vault."""
    if not header.startswith("Bearer "):
        return None
    fields = {key.lower(): value for key, value in _FIELD.findall(header)}
    try:
        authority = urlsplit(fields.get("authorization", "") or fields.get("authorization_uri", ""))
    except ValueError:
        return None
    resource = fields.get("resource", "").rstrip("/")
    scope = fields.get("scope", "") or (f"{resource}/.default" if resource else "")
    tenant = authority.path.strip("/").partition("/")[0]
    return Challenge(tenant, scope) if scope and tenant else None
