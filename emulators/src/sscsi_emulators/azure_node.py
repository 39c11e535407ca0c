"""What an Azure node gives tokens by: its metadata server, and the agent of AAD Pod Identity; both over plain HTTP."""

import time
from collections.abc import Callable
from typing import Any, Final

from sscsi_emulators.azure_logins import AzureLogins
from sscsi_emulators.azure_store import TENANT
from sscsi_emulators.every_host import Answer, Request

IMDS: Final = "/metadata/identity/oauth2/token"
NMI: Final = "/host/token/"


class AzureNode:
    """The identities of a node and of its pods.

    Args:
        logins: who makes the tokens.
        now: seconds since 1970.
    """

    def __init__(self, logins: AzureLogins, now: Callable[[], float] = time.time) -> None:
        self._logins = logins
        self._now = now
        self._assigned: dict[str, str] = {}
        self._system: tuple[str, str] | None = None
        self._pods: dict[tuple[str, str], tuple[str, str]] = {}

    def assign(self, client_id: str, tenant: str = TENANT, *, system: bool = False) -> None:
        """Give the node an identity: a user-assigned one, or its own."""
        if system:
            self._system = client_id, tenant
        else:
            self._assigned[client_id] = tenant

    def bind_pod(self, namespace: str, pod: str, client_id: str, tenant: str = TENANT) -> None:
        """Give a pod an identity, as AAD Pod Identity does."""
        self._pods[namespace, pod] = client_id, tenant

    def metadata(self, request: Request) -> Answer:
        """The node's metadata server."""
        if request.headers.get("metadata", "").lower() != "true" or "x-forwarded-for" in request.headers:
            return _flaw("invalid_request", "Required metadata header not specified")
        resource = request.query.get("resource", "")
        if not resource:
            return _flaw("invalid_request", "Required query variable 'resource' is missing")
        client_id = request.query.get("client_id")
        if client_id is None and self._system is None and len(self._assigned) > 1:
            text = (
                "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in "
                "the token request"
            )
            return _flaw("invalid_request", text)
        found = self._system if client_id is None else (client_id, self._assigned.get(client_id, ""))
        if found is None:
            found = next(iter(self._assigned.items()), ("", ""))
        if not found[1]:
            return _flaw("invalid_request", "Identity not found")
        return Answer(200, self._old_shape(*found, resource) | {"client_id": found[0]})

    def pod_identity(self, request: Request) -> Answer:
        """The node agent of AAD Pod Identity."""
        pod = request.headers.get("podns", ""), request.headers.get("podname", "")
        found = self._pods.get(pod)
        if found is None:
            return Answer(404, f"no azure identity found for request clientID in pod {'/'.join(pod)}")
        return Answer(200, {"token": self._old_shape(*found, request.query.get("resource", "")), "clientid": found[0]})

    def _old_shape(self, client_id: str, tenant: str, resource: str) -> dict[str, Any]:
        now = int(self._now())
        times = {"expires_in": self._logins.seconds, "expires_on": now + self._logins.seconds, "not_before": now}
        token = self._logins.mint(client_id, tenant, resource)
        words = {name: str(value) for name, value in times.items()}
        return {"access_token": token, "refresh_token": "", "resource": resource, "token_type": "Bearer"} | words


def _flaw(error: str, text: str) -> Answer:
    return Answer(400, {"error": error, "error_description": text})
