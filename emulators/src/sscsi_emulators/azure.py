"""Azure on loopback: Key Vault, Entra's logins, a node's metadata server, AKS's proxy for identity bindings.

Clients reach it under the names of the real clouds, through the proxy that it is: the real SDKs run unchanged, with
their check that a challenge belongs to the vault. What is held is in azure_store.py, who logs in in azure_logins.py.
"""

import base64
import hashlib
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

from sscsi_emulators.authority import LOOPBACK, Authority
from sscsi_emulators.azure_keyvault import KeyVault
from sscsi_emulators.azure_logins import AzureLogins
from sscsi_emulators.azure_node import IMDS, NMI, AzureNode
from sscsi_emulators.azure_store import AzureStore, Kind
from sscsi_emulators.every_host import Answer, EveryHost, Request
from sscsi_emulators.faults import Fault, Faults

CLUSTER_ID: Final = "65f0a1b2c3d4e5f601234567"
API_SERVER: Final = "kubernetes.default.svc.cluster.local"
_BINDING_DOMAIN: Final = ".ests.aks"
_MAX_HOLD_SECONDS: Final = 120.0
_WORDS: Final = {"/common/discovery/instance": "discovery", IMDS: "imds", NMI: "nmi"}


class AzureEmulator:
    """From `with` to its end.

    Attributes:
        proxy_url: of the proxy that is every host: for HTTPS_PROXY, and as HTTP_PROXY for the metadata server.
        url: the same place over TLS without CONNECT; the Host header says who is meant.
        metadata_url: the metadata server and pod identity's agent, over plain HTTP.
        binding_url: the proxy for identity bindings, whose TLS server name is `binding_name`.
        ca_file: the authority of every certificate; that of the API server's names has the cluster's id in it.
        host: what listens: `host.connections` counts, `host.cut()` ends them.
        store: the vaults.
        logins: applications and tokens.
        node: the identities of the node and of its pods.
        calls: how often each kind of request was sent: `token`, `binding`, `discovery` (of instances), `openid`
            (configuration), `imds`, `nmi`, `challenge` (401 of a vault), `GET secret`, `list keys`,
            `list secret versions`, `CONNECT` -> n.
        agents: what every request said of its sender (User-Agent).
        faults: answers in place of ours; the operation is such a word, or `*`; status 0 cuts the connection.
        bodies: what is answered, with 200, in place of what we would say to such a request.
        latency_seconds: how long each answer is held back.
        absent_status: what CONNECT to a host that is not there answers; 0 cuts the connection.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.proxy_url = self.url = self.metadata_url = self.binding_url = ""
        self.binding_name = binding_name(CLUSTER_ID)
        self.calls: Counter[str] = Counter()
        self.agents: set[str] = set()
        self.faults = Faults()
        self.bodies: dict[str, dict[str, Any] | str] = {}
        self.latency_seconds = 0.0
        self.absent_status = 502
        self.store = AzureStore(now)
        self.logins = AzureLogins(now)
        self.node = AzureNode(self.logins, now)
        self.authority = Authority()
        self._vaults = KeyVault(self.store, self.logins, now)
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
        names += [f"*{_BINDING_DOMAIN}", API_SERVER, f"hcp-kubernetes.{CLUSTER_ID}.svc.cluster.local"]
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
            name: its name; `*` = every one, and the list of them.
            action: `get`, `list` or both, `*`.
            why: ForbiddenByRbac; or ForbiddenByPolicy, from a vault with access policies.
        """
        self._vaults.denied[client_id, self.store.vault(vault).host, kind, name.lower(), action] = why

    def allow(self, client_id: str, vault: str, kind: Kind, name: str = "*", *, action: str = "*") -> None:
        """Undo `deny`."""
        self._vaults.denied.pop((client_id, self.store.vault(vault).host, kind, name.lower(), action), None)

    def firewall(self, vault: str, *, up: bool = True) -> None:
        """Let nobody in, as from an address that the vault's firewall does not name."""
        self.store.vault(vault).walled = up

    def challenge(self, header: str) -> None:
        """Let vaults say this in WWW-Authenticate; empty = what belongs there."""
        self._vaults.challenge = header

    def hold(self) -> None:
        """Answer nothing until `release`."""
        self._gate.clear()

    def release(self) -> None:
        """Answer again, what waits first."""
        self._gate.set()

    def handed_out(self) -> tuple[str, ...]:
        """Tokens that were given away and every secret's value; no log may hold one."""
        return (*self.logins.handed_out(), *self.store.values())

    def _admit(self, target: str) -> int:
        with self._lock:
            self.calls["CONNECT"] += 1
        if fault := self.faults.take("CONNECT"):
            return fault.status
        host, _, port = target.rpartition(":")
        if host in LOOPBACK:
            return 200 if port == str(self.host.port) else self.absent_status
        known = {API_SERVER, *self.logins.clouds.values()}
        return 200 if host in known or self.store.find(host) else self.absent_status

    def _answer(self, request: Request) -> Answer:
        vault = self.store.find(request.host) if request.server_name is not None else None
        word = self._vaults.operation(request, vault) if vault else self._word(request)
        with self._lock:
            self.calls[word] += 1
            self.agents.add(request.headers.get("user-agent", ""))
        self._stopped.wait(self.latency_seconds)
        self._gate.wait(_MAX_HOLD_SECONDS)
        if fault := self.faults.take(word):
            return _faulty(fault, vault is not None)
        if word in self.bodies:
            return Answer(200, self.bodies[word])
        if vault:
            return self._vaults.answer(request, vault, word)
        if word == "binding":
            path = "/".join(request.path.split("/")[-4:])
            known = request.server_name == self.binding_name and path.endswith("/oauth2/v2.0/token")
            return self.logins.login(request, path, binding=True) if known else Answer(404, "404 page not found")
        if word == "token":
            return self.logins.login(request, request.path)
        answers = {
            "discovery": self.logins.instance,
            "openid": self.logins.openid,
            "imds": self.node.metadata,
            "nmi": self.node.pod_identity,
        }
        return answers[word](request) if word in answers else Answer(404, "404 page not found")

    def _word(self, request: Request) -> str:
        """What a request that is not for a vault is for; `other` where nobody answers it."""
        word = _WORDS.get(request.path, "other")
        if request.server_name is None:
            return word if word in {"imds", "nmi"} else "other"
        if request.server_name.endswith(_BINDING_DOMAIN):
            return "binding"
        if request.host.partition(":")[0] not in self.logins.clouds.values():
            return "other"
        tenant = request.path.split("/")[1]
        endpoint = "/adfs/oauth2/token" if tenant == "adfs" else f"/{tenant}/oauth2/v2.0/token"
        if request.method == "POST" and request.path == endpoint:
            return "token"
        return "openid" if request.path.endswith("/.well-known/openid-configuration") else word


def binding_name(cluster_id: str) -> str:
    """The TLS server name that a cluster's proxy for identity bindings has."""
    digest = hashlib.sha256(f"identity-binding{cluster_id}".encode()).digest()
    return f"a{base64.b32hexencode(digest).decode().rstrip('=').lower()}{_BINDING_DOMAIN}"


def _faulty(fault: Fault, of_vault: bool) -> Answer:
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    if of_vault:
        return Answer(fault.status, {"error": {"code": fault.code, "message": fault.message}}, headers)
    return Answer(fault.status, {"error": fault.code, "error_description": fault.message}, headers)
