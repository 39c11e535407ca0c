"""The real SDKs of Azure against the emulator, through its proxy, with nothing relaxed; plain requests beside them."""

import json
import ssl
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import urllib3
from azure.identity import ClientAssertionCredential
from azure.keyvault.certificates import CertificateClient
from azure.keyvault.keys import KeyClient
from azure.keyvault.secrets import SecretClient

from hand import Hand
from sscsi_emulators.azure import AzureEmulator
from sscsi_emulators.azure_logins import EXCHANGE
from sscsi_emulators.azure_store import SUFFIX, TENANT
from sscsi_emulators.kubernetes import KubernetesEmulator

SUBJECT = "system:serviceaccount:shop:web"
CLIENT = "0b2f3c5e-6a53-4d8e-9c11-0a6d3c1f7b21"


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: Any
    headers: urllib3.HTTPHeaderDict


class AzureSdk:
    """From `with` to its end: an emulator, a cluster whose account shop/web is CLIENT, and clients.

    Attributes:
        vault: a name of its own: the SDKs keep challenges by host, as long as the process lives.
        clock: of the cluster.

    Args:
        trusted: Entra can fetch the cluster's keys.
    """

    def __init__(self, *, trusted: bool = True) -> None:
        self._trusted = trusted
        self.azure = AzureEmulator()
        self.clock = Hand(1_800_000_000.0)
        self.kubernetes = KubernetesEmulator(self.clock)
        self.vault = f"kv-{uuid.uuid4().hex[:12]}"
        self.stack = ExitStack()

    def __enter__(self) -> Self:
        self.stack.enter_context(self.azure)
        self.kubernetes.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": "shop", "name": "web"}}
        )
        if self._trusted:
            self.azure.logins.trust(self.kubernetes.verify)
        self.azure.logins.federate(CLIENT, TENANT, self.kubernetes.issuer, SUBJECT)
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    @cached_property
    def options(self) -> dict[str, Any]:
        """What every client of the SDKs takes: the proxy and the authority; nothing is tried again."""
        proxies = {"http": self.azure.proxy_url, "https": self.azure.proxy_url}
        return {"proxies": proxies, "connection_verify": str(self.azure.ca_file), "retry_total": 0}

    def token(self, audience: str = EXCHANGE) -> str:
        return self.kubernetes.token("shop", "web", audience)

    def credential(self, **more: Any) -> ClientAssertionCredential:
        made = ClientAssertionCredential(TENANT, CLIENT, self.token, **self.options, **more)
        return self.stack.enter_context(made)

    def url(self, suffix: str = SUFFIX) -> str:
        return f"https://{self.vault}.{suffix}"

    def secrets(self, credential: Any = None, suffix: str = SUFFIX, **more: Any) -> SecretClient:
        made = SecretClient(self.url(suffix), credential or self.credential(), **(self.options | more))
        return self.stack.enter_context(made)

    def keys(self) -> KeyClient:
        return self.stack.enter_context(KeyClient(self.url(), self.credential(), **self.options))

    def certificates(self) -> CertificateClient:
        return self.stack.enter_context(CertificateClient(self.url(), self.credential(), **self.options))

    @cached_property
    def pool(self) -> urllib3.ProxyManager:
        """Through the proxy, by hand."""
        context = ssl.create_default_context(cafile=str(self.azure.ca_file))
        made = urllib3.ProxyManager(self.azure.proxy_url, ssl_context=context, retries=False)
        self.stack.callback(made.clear)
        return made

    def get(self, path: str, token: str | None = None, **headers: str) -> Reply:
        """A vault's answer; `token` is CLIENT's for it unless it is given, "" = none."""
        if token is None:
            token = self.azure.logins.mint(CLIENT, TENANT, f"https://{SUFFIX}")
        sent = headers | ({"Authorization": f"Bearer {token}"} if token else {})
        return self.ask("GET", f"{self.url()}{path}", headers=sent)

    def ask(self, method: str, url: str, **more: Any) -> Reply:
        """Any answer."""
        found = self.pool.request(method, url, timeout=10, **more)
        is_json = "json" in found.headers.get("Content-Type", "")
        return Reply(found.status, json.loads(found.data) if is_json else found.data.decode(), found.headers)
