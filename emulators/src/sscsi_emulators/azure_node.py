"""What an Azure node gives tokens by: its metadata server, and the agent of AAD Pod Identity; both over plain HTTP."""

from collections.abc import Callable
from typing import Any, Final

from sscsi_emulators.azure_logins import AzureLogins
from sscsi_emulators.azure_store import TENANT
from sscsi_emulators.every_host import Answer, Request

IMDS: Final = "/metadata/identity/oauth2/token"
NMI: Final = "/host/token/"
_AMBIGUOUS: Final = (
    "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token "
    "request"
)


class AzureNode:
    """The identities of a node and of its pods.

    Args:
        logins: who makes the tokens.
        now: seconds since 1970.
    """

    def __init__(self, logins: AzureLogins, now: Callable[[], float]) -> None:
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
        """The metadata server's answer."""
        if request.headers.get("metadata", "").lower() != "true" or "x-forwarded-for" in request.headers:
            return _flaw("Required metadata header not specified")
        resource = request.query.get("resource")
        if not resource:
            return _flaw("Required query variable 'resource' is missing")
        client_id = request.query.get("client_id")
        if client_id is not None:
            found = (client_id, self._assigned[client_id]) if client_id in self._assigned else None
        elif self._system is None and len(self._assigned) > 1:
            return _flaw(_AMBIGUOUS)
        else:
            found = self._system or next(iter(self._assigned.items()), None)
        if found is None:
            return _flaw("Identity not found")
        return Answer(200, self._token(*found, resource) | {"client_id": found[0]})

    def pod_identity(self, request: Request) -> Answer:
        """The agent's answer."""
        pod = request.headers.get("podns", ""), request.headers.get("podname", "")
        if not all(pod):
            return Answer(400, "missing 'podname' and 'podns' from request header")
        found = self._pods.get(pod)
        if found is None:
            return Answer(404, f"no AzureAssignedIdentity found for pod:{pod[0]}/{pod[1]} in assigned state")
        return Answer(200, {"token": self._token(*found, request.query.get("resource", "")), "clientid": found[0]})

    def _token(self, client_id: str, tenant: str, resource: str) -> dict[str, Any]:
        """In the old shape, whose numbers are texts."""
        now, seconds = int(self._now()), self._logins.seconds
        times = {"expires_in": str(seconds), "expires_on": str(now + seconds), "not_before": str(now)}
        token = self._logins.mint(client_id, tenant, resource)
        return {"access_token": token, "refresh_token": "", "resource": resource, "token_type": "Bearer"} | times


def _flaw(text: str) -> Answer:
    return Answer(400, {"error": "invalid_request", "error_description": text})
