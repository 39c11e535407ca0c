"""Key Vault's REST, read only: a challenge first, who may read, bundles, lists in pages; errors in its own shape."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final, cast
from urllib.parse import quote

from sscsi_emulators.azure_logins import AzureLogins, object_id
from sscsi_emulators.azure_store import AzureStore, KeyVaultError, Kind, Vault
from sscsi_emulators.every_host import Answer, Request

_OPERATIONS: Final = {
    f"{word} {kind}{more}"
    for kind in ("secret", "key", "certificate")
    for word, more in (("GET", ""), ("list", "s"), ("list", " versions"))
}
_RIGHTS: Final = {"GET secret": "secrets/getSecret/action", "list secrets": "secrets/readMetadata/action"}
_SUBSCRIPTION: Final = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourcegroups/rg"


class KeyVault:
    """Answers for every vault.

    Args:
        store: the vaults.
        logins: what tokens stand for.
        now: seconds since 1970.
    """

    def __init__(self, store: AzureStore, logins: AzureLogins, now: Callable[[], float]) -> None:
        self._store = store
        self._logins = logins
        self._now = now
        self.challenge = ""
        self.denied: dict[tuple[str, str, Kind, str, str], str] = {}

    def operation(self, request: Request, vault: Vault) -> str:
        """What a request is for: `GET secret`, `list keys`, `list secret versions`, or `challenge`."""
        if self._flaw(request, vault):
            return "challenge"
        kind, name, version = _parts(request)
        one = kind.removesuffix("s")
        if not name:
            return f"list {kind}"
        return f"list {one} versions" if version == "versions" else f"GET {one}"

    def answer(self, request: Request, vault: Vault, operation: str) -> Answer:
        """The answer to a request."""
        if operation == "challenge":
            return self._challenge(request, vault)
        try:
            _check(request, operation)
            kind, name, version = _parts(request)
            one = cast("Kind", kind.removesuffix("s"))
            self._authorize(request, vault, one, name, operation)
            if operation.startswith("GET"):
                return Answer(200, self._store.read(vault, f"https://{request.host}", one, name, version), _headers())
            return self._list(request, vault, one, name)
        except KeyVaultError as error:
            return _refuse(error)

    def _challenge(self, request: Request, vault: Vault) -> Answer:
        login = self._logins.clouds[vault.host.partition(".")[2]]
        port = request.host.partition(":")[2]
        authority = f"https://{login}{':' + port if port else ''}/{vault.tenant}"
        header = f'Bearer authorization="{authority}", resource="{_resource(request)}"'
        error = KeyVaultError(401, "Unauthorized", self._flaw(request, vault))
        return _refuse(error, {"WWW-Authenticate": self.challenge or header})

    def _flaw(self, request: Request, vault: Vault) -> str:
        """What is wrong with the token; "" = nothing."""
        authorization = request.headers.get("authorization", "")
        if not authorization.startswith("Bearer "):
            return "AKV10000: Request is missing a Bearer or PoP token."
        access = self._logins.access(authorization.removeprefix("Bearer "))
        if access is None:
            return "Error validating token: 'S2S12086'."
        if access.ends <= self._now():
            return "[TokenExpired] Error validating token: 'S2S12086'."
        if access.resource != _resource(request):
            return f"AKV10022: Invalid audience. Expected {_resource(request)}, found: {access.resource}."
        if access.tenant != vault.tenant:
            issuers = (f"https://sts.windows.net/{tenant}/" for tenant in (vault.tenant, access.tenant))
            return "AKV10032: Invalid issuer. Expected one of {}, found {}.".format(*issuers)
        return ""

    def _authorize(self, request: Request, vault: Vault, kind: Kind, name: str, operation: str) -> None:
        access = self._logins.access(request.headers["authorization"].removeprefix("Bearer "))
        client_id = access.client_id if access else ""
        caller = f"appid={client_id};oid={object_id(client_id)};iss=https://sts.windows.net/{vault.tenant}/"
        place = f"{vault.name};location=westeurope"
        if vault.walled:
            text = (
                "Client address is not authorized and caller is not a trusted service.\r\nClient address: 127.0.0.1\r\n"
                f"Caller: {caller}\r\nVault: {place}"
            )
            raise KeyVaultError(403, "Forbidden", text, "ForbiddenByFirewall")
        action = operation.partition(" ")[0].lower()
        wanted = ((client_id, vault.host, kind, each, how) for each in (name.lower(), "*") for how in (action, "*"))
        why = next((self.denied[one] for one in wanted if one in self.denied), None)
        if why is None:
            return
        if why == "ForbiddenByRbac":
            right = _RIGHTS.get(operation.replace(f"{kind} versions", f"{kind}s"), f"{kind}s/read")
            path = f"{_SUBSCRIPTION}/providers/microsoft.keyvault/vaults/{vault.name}/{kind}s/{name}".rstrip("/")
            text = (
                "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or "
                "role definitions were changed recently, please observe propagation time.\r\n"
                f"Caller: {caller}\r\nAction: 'Microsoft.KeyVault/vaults/{right}'\r\nResource: '{path}'\r\n"
                f"Assignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null \r\nVault: {place}\r\n"
            )
        else:
            text = (
                f"The user, group or application '{caller}' does not have {kind}s {action} permission on key vault "
                f"'{place}'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287"
            )
        raise KeyVaultError(403, "Forbidden", text, why)

    def _list(self, request: Request, vault: Vault, kind: Kind, name: str) -> Answer:
        size = int(request.query.get("maxresults", self._store.page_size))
        start = request.query.get("$skiptoken", "")
        found, start = self._store.page(vault, f"https://{request.host}", kind, name, start, size)
        following = None
        if start:
            # Key Vault's own links name the port; the clients' caches have to see through that.
            host = request.host if ":" in request.host else f"{request.host}:443"
            version = quote(request.query["api-version"])
            following = f"https://{host}{request.path}?api-version={version}&$skiptoken={start}&maxresults={size}"
        return Answer(200, {"value": found, "nextLink": following}, _headers())


def _parts(request: Request) -> tuple[str, str, str]:
    """Kind, name and version, as far as the path has them."""
    kind, name, version, *_ = (*request.path.strip("/").split("/"), "", "")
    return kind, name, version


def _resource(request: Request) -> str:
    """What a vault's tokens are for: its host without its own name, with the port if there is one."""
    return f"https://{request.host.partition('.')[2]}"


def _check(request: Request, operation: str) -> None:
    name = _parts(request)[1]
    if operation not in _OPERATIONS or request.method != "GET":
        text = f"Method {request.method} does not allow operation '{operation.partition(' ')[2]}'"
        raise KeyVaultError(400, "BadParameter", text)
    if "api-version" not in request.query:
        raise KeyVaultError(400, "BadParameter", "api-version must be specified")
    if not all((letter.isascii() and letter.isalnum()) or letter == "-" for letter in name) or len(name) > 127:
        raise KeyVaultError(400, "BadParameter", f"The request URI contains an invalid name: {name}")


def _refuse(error: KeyVaultError, more: Mapping[str, str] | None = None) -> Answer:
    body: dict[str, Any] = {"code": error.code, "message": str(error)}
    if error.inner:
        body["innererror"] = {"code": error.inner}
    return Answer(error.status, {"error": body}, _headers() | dict(more or {}))


def _headers() -> dict[str, str]:
    service = {"x-ms-keyvault-region": "westeurope", "x-ms-keyvault-service-version": "1.9.2448.1"}
    return {"Cache-Control": "no-cache", "x-ms-request-id": str(uuid.uuid4())} | service
