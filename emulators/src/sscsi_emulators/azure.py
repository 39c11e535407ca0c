"""Azure on loopback: Key Vault's REST, Entra's token endpoint, the metadata server, AKS's proxy for identity bindings.

Clients reach it under the names of the real clouds, through the proxy that it is: the real SDKs run unchanged, with
their check that a challenge belongs to the vault. What is held is in azure_store.py, what logs in in azure_logins.py.
"""

import base64
import hashlib
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self, cast
from urllib.parse import quote

from sscsi_emulators.authority import LOOPBACK, Authority
from sscsi_emulators.azure_logins import AzureLogins, object_id
from sscsi_emulators.azure_node import IMDS, NMI, AzureNode
from sscsi_emulators.azure_store import AzureStore, KeyVaultError, Kind, Vault
from sscsi_emulators.every_host import Answer, EveryHost, Request
from sscsi_emulators.faults import Fault, Faults

CLUSTER_ID: Final = "65f0a1b2c3d4e5f601234567"
METADATA: Final = "169.254.169.254"
_BINDING_DOMAIN: Final = ".ests.aks"
_MAX_HOLD_SECONDS: Final = 120.0
_SUBSCRIPTION: Final = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourcegroups/rg"
_ACTIONS: Final = {
    "GET secret": "secrets/getSecret/action",
    "list secrets": "secrets/readMetadata/action",
    "GET key": "keys/read",
    "list keys": "keys/read",
    "GET certificate": "certificates/read",
    "list certificates": "certificates/read",
}


class AzureEmulator:
    """From `with` to its end.

    Attributes:
        proxy_url: of the proxy that is every host; for HTTPS_PROXY, and HTTP_PROXY for the metadata server.
        url: the same place over TLS without CONNECT; the Host header, or the TLS server name, says who is meant.
        metadata_url: the metadata server and pod identity's agent, over plain HTTP.
        binding_url: the proxy for identity bindings, whose TLS server name is `binding_name`.
        ca_file: the authority of every certificate.
        store: the vaults.
        logins: applications and tokens.
        node: the identities of the node and of its pods.
        calls: how often each kind of request was sent: `token`, `binding`, `discovery`, `openid`, `imds`, `nmi`,
            `challenge` (a 401 of a vault), `GET secret`, `list keys`, `list secret versions`, `CONNECT` -> n.
        faults: answers in place of ours; the operation is such a word, or `*`; status 0 cuts the connection.
        latency_seconds: how long each answer is held back.
        absent_status: what CONNECT to a host that is not there answers; 0 cuts the connection.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.proxy_url = self.url = self.metadata_url = self.binding_url = ""
        self.binding_name = binding_name(CLUSTER_ID)
        self.calls: Counter[str] = Counter()
        self.faults = Faults()
        self.latency_seconds = 0.0
        self.absent_status = 502
        self.store = AzureStore(now)
        self.logins = AzureLogins(now)
        self.node = AzureNode(self.logins, now)
        self.authority = Authority()
        self._now = now
        self._denied: dict[tuple[str, str, Kind, str, str], str] = {}
        self._lock = threading.Lock()
        self._gate = threading.Event()
        self._gate.set()
        self._stopped = threading.Event()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="azure-")))
        self.ca_file = folder / "ca.pem"
        self.authority.save(self.ca_file)
        names = [*LOOPBACK, *self.logins.clouds.values(), *(f"*.{suffix}" for suffix in self.logins.clouds)]
        names += [f"*{_BINDING_DOMAIN}", f"hcp-kubernetes.{CLUSTER_ID}.svc.cluster.local"]
        context = self.authority.server(names).context(folder)
        self.host = self._stack.enter_context(EveryHost(self._answer, self._admit, context))
        self.proxy_url = self.metadata_url = f"http://127.0.0.1:{self.host.port}"
        self.url = f"https://127.0.0.1:{self.host.port}"
        self.binding_url = f"{self.url}/binding"
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._gate.set()
        self._stack.close()

    def cloud(self, suffix: str, authority: str) -> None:
        """Another cloud, before `with`: the suffix of its vaults and the host of its logins, neither with a port."""
        self.logins.clouds[suffix] = authority

    def deny(
        self,
        client_id: str,
        vault: str,
        kind: Kind,
        name: str = "*",
        *,
        action: str = "*",
        why: str = "ForbiddenByRbac",
    ) -> None:
        """Forbid a client to read.

        Args:
            client_id: of the application.
            vault: the vault's name.
            kind: of object.
            name: its name; `*` = all, and to list them.
            action: `get`, `list` or both, `*`.
            why: ForbiddenByRbac, or ForbiddenByPolicy for a vault with access policies.
        """
        self._denied[client_id, self.store.vault(vault).host, kind, name, action] = why

    def allow(self, client_id: str, vault: str, kind: Kind, name: str = "*", *, action: str = "*") -> None:
        """Undo `deny`."""
        self._denied.pop((client_id, self.store.vault(vault).host, kind, name, action), None)

    def firewall(self, vault: str, *, up: bool = True) -> None:
        """Let nobody in, as from an address that the vault's firewall does not name."""
        self.store.vault(vault).walled = up

    def hold(self) -> None:
        """Answer nothing until `release`."""
        self._gate.clear()

    def release(self) -> None:
        """Answer again, what waits first."""
        self._gate.set()

    def handed_out(self) -> tuple[str, ...]:
        """Tokens that were given away and every secret's value; no log may hold one."""
        return (*self.logins.handed_out(), *self.store.values())

    def _enter(self, operation: str) -> Fault | None:
        """Count a request, hold it back as long as it is due; the fault that answers it."""
        with self._lock:
            self.calls[operation] += 1
        self._stopped.wait(self.latency_seconds)
        self._gate.wait(_MAX_HOLD_SECONDS)
        return self.faults.take(operation)

    def _admit(self, target: str) -> int:
        with self._lock:
            self.calls["CONNECT"] += 1
        if fault := self.faults.take("CONNECT"):
            return fault.status
        host = target.rpartition(":")[0]
        known = host in {*LOOPBACK, *self.logins.clouds.values()} or self.store.find(host) is not None
        return 200 if known else self.absent_status

    def _answer(self, request: Request) -> Answer:
        name = request.server_name
        host = request.host.partition(":")[0]
        if name is None:
            return self._plain(request)
        if name.endswith(_BINDING_DOMAIN):
            return self._bind(request)
        vault = self.store.find(host)
        if vault is not None:
            return self._keep(request, vault)
        if host in self.logins.clouds.values():
            return self._log_in(request)
        return Answer(404, f"there is no {host}")

    def _plain(self, request: Request) -> Answer:
        kind = {IMDS: "imds", NMI: "nmi"}.get(request.path)
        if kind is None:
            return Answer(404, "404 page not found")
        if fault := self._enter(kind):
            return _other(fault, {"error": fault.code, "error_description": fault.message})
        return self.node.metadata(request) if kind == "imds" else self.node.pod_identity(request)

    def _bind(self, request: Request) -> Answer:
        if fault := self._enter("binding"):
            return _other(fault, {"error": fault.code, "error_description": fault.message})
        if request.server_name != self.binding_name or not request.path.endswith("/oauth2/v2.0/token"):
            return Answer(404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404})
        path = "/".join(request.path.split("/")[-4:])
        return self.logins.login(request, path, binding=True)

    def _log_in(self, request: Request) -> Answer:
        if request.path == "/common/discovery/instance":
            kind = "discovery"
        elif request.path.endswith("/.well-known/openid-configuration"):
            kind = "openid"
        elif request.method == "POST" and request.path.endswith(("/oauth2/v2.0/token", "/adfs/oauth2/token")):
            kind = "token"
        else:
            return Answer(404)
        if fault := self._enter(kind):
            return _other(fault, {"error": fault.code, "error_description": fault.message})
        if kind == "token":
            return self.logins.login(request, request.path)
        return self.logins.instance(request) if kind == "discovery" else self.logins.openid(request)

    def _keep(self, request: Request, vault: Vault) -> Answer:
        """Key Vault's REST."""
        resource = f"https://{request.host.partition('.')[2]}"
        token = request.headers.get("authorization", "")
        flaw = self._flaw(token, vault, resource)
        parts = request.path.strip("/").split("/")
        kind, name, version = (*parts, "", "", "")[:3]
        operation = _operation(kind, name, version) if not flaw else "challenge"
        if fault := self._enter(operation):
            return _other(fault, {"error": {"code": fault.code, "message": fault.message}})
        if flaw:
            login = self.logins.clouds[vault.host.partition(".")[2]]
            port = request.host.partition(":")[2]
            authority = f"https://{login}{':' + port if port else ''}/{vault.tenant}"
            return self._refuse(
                KeyVaultError(401, "Unauthorized", flaw),
                {"WWW-Authenticate": f'Bearer authorization="{authority}", resource="{resource}"'},
            )
        try:
            _check(request, kind, operation)
            one = cast("Kind", kind.removesuffix("s"))
            access = self.logins.access(token.removeprefix("Bearer "))
            self._authorize(access.client_id if access else "", vault, one, name, operation)
            base = f"https://{request.host}"
            if operation.startswith("GET"):
                return Answer(200, self.store.read(vault, base, one, name, version), self._headers())
            return self._list(request, vault, one, name)
        except KeyVaultError as error:
            return self._refuse(error)

    def _flaw(self, authorization: str, vault: Vault, resource: str) -> str:
        """What is wrong with a token; "" = nothing."""
        if not authorization.startswith("Bearer "):
            return "AKV10000: Request is missing a Bearer or PoP token."
        access = self.logins.access(authorization.removeprefix("Bearer "))
        if access is None:
            return "AKV10001: Token validation failed."
        if access.ends <= self._now():
            return "[TokenExpired] Error validating token: 'S2S12086'."
        if access.resource.rstrip("/") != resource:
            return f"AKV10022: Invalid audience. Expected {resource}, found: {access.resource}."
        if access.tenant != vault.tenant:
            issuers = (f"https://sts.windows.net/{tenant}/" for tenant in (vault.tenant, access.tenant))
            return "AKV10032: Invalid issuer. Expected one of {}, found {}.".format(*issuers)
        return ""

    def _authorize(self, client_id: str, vault: Vault, kind: Kind, name: str, operation: str) -> None:
        caller = f"appid={client_id};oid={object_id(client_id)};iss=https://sts.windows.net/{vault.tenant}/"
        place = f"{vault.name};location=westeurope"
        if vault.walled:
            text = (
                "Client address is not authorized and caller is not a trusted service.\r\nClient address: 127.0.0.1\r\n"
                f"Caller: {caller}\r\nVault: {place}"
            )
            raise KeyVaultError(403, "Forbidden", text, "ForbiddenByFirewall")
        action = "get" if operation.startswith("GET") else "list"
        wanted = [(client_id, vault.host, kind, n, a) for n in {name or "*", "*"} for a in (action, "*")]
        why = next((self._denied[one] for one in wanted if one in self._denied), "")
        if why == "ForbiddenByPolicy":
            text = (
                f"The user, group or application '{caller}' does not have {kind}s {action} permission on key vault "
                f"'{place}'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287"
            )
            raise KeyVaultError(403, "Forbidden", text, why)
        if why:
            right = _ACTIONS[operation.replace(f"{kind} versions", f"{kind}s")]
            path = f"{_SUBSCRIPTION}/providers/microsoft.keyvault/vaults/{vault.name}/{kind}s/{name}".rstrip("/")
            text = (
                "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or "
                "role definitions were changed recently, please observe propagation time.\r\n"
                f"Caller: {caller}\r\nAction: 'Microsoft.KeyVault/vaults/{right}'\r\nResource: '{path}'\r\n"
                f"Assignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null \r\nVault: {place}\r\n"
            )
            raise KeyVaultError(403, "Forbidden", text, why)

    def _list(self, request: Request, vault: Vault, kind: Kind, name: str) -> Answer:
        size = int(request.query.get("maxresults", self.store.page_size))
        base = f"https://{request.host}"
        found, start = self.store.page(vault, base, kind, name, request.query.get("$skiptoken", ""), size)
        following = None
        if start:
            # Key Vault's own links name the port; the clients' caches have to see through that.
            host = request.host if ":" in request.host else f"{request.host}:443"
            version = quote(request.query["api-version"])
            following = f"https://{host}{request.path}?api-version={version}&$skiptoken={start}&maxresults={size}"
        return Answer(200, {"value": found, "nextLink": following}, self._headers())

    def _refuse(self, error: KeyVaultError, more: Mapping[str, str] | None = None) -> Answer:
        body: dict[str, Any] = {"code": error.code, "message": str(error)}
        if error.inner:
            body["innererror"] = {"code": error.inner}
        return Answer(error.status, {"error": body}, self._headers() | dict(more or {}))

    def _headers(self) -> dict[str, str]:
        service = {"x-ms-keyvault-region": "westeurope", "x-ms-keyvault-service-version": "1.9.2448.1"}
        address = {"x-ms-keyvault-network-info": "conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=InterNetwork;"}
        return {"Cache-Control": "no-cache", "Pragma": "no-cache"} | service | address


def binding_name(cluster_id: str) -> str:
    """The TLS server name that a cluster's proxy for identity bindings has."""
    digest = hashlib.sha256(f"identity-binding{cluster_id}".encode()).digest()
    return f"a{base64.b32hexencode(digest).decode().rstrip('=').lower()}{_BINDING_DOMAIN}"


_KNOWN: Final = {
    f"{word} {kind}{more}"
    for kind in ("secret", "key", "certificate")
    for word, more in (("GET", ""), ("list", "s"), ("list", " versions"))
}


def _check(request: Request, kind: str, operation: str) -> None:
    if operation not in _KNOWN or request.method != "GET":
        raise KeyVaultError(400, "BadParameter", f"Method {request.method} does not allow operation '{kind}'")
    if "api-version" not in request.query:
        raise KeyVaultError(400, "BadParameter", "api-version must be specified")


def _operation(kind: str, name: str, version: str) -> str:
    if not name:
        return f"list {kind}"
    one = kind.removesuffix("s")
    return f"list {one} versions" if version == "versions" else f"GET {one}"


def _other(fault: Fault, body: Mapping[str, Any]) -> Answer:
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return Answer(fault.status, body, headers)
