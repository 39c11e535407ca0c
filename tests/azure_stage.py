"""The Azure provider's stage for the contract suite: the real SDKs against the emulator, through its proxy."""

import json
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Self

from gcp_stage import OneCluster
from sscsi_emulators.azure import AzureEmulator
from sscsi_emulators.azure_logins import EXCHANGE
from sscsi_emulators.azure_store import TENANT
from sscsi_emulators.faults import Fault
from sscsi_emulators.kubernetes import KubernetesEmulator
from sscsi_provider_azure.provider import AzureProvider
from sscsi_shared.mount import PodInfo
from sscsi_shared.testing.stage import POD, STRANGER, Stage, Wanted

CLIENT = "0b2f3c5e-6a53-4d8e-9c11-0a6d3c1f7b21"


@contextmanager
def proxied(azure: AzureEmulator) -> Iterator[None]:
    """The environment of an operator whose way to Azure is a proxy: the emulator."""
    told = {"HTTPS_PROXY": azure.proxy_url, "NO_PROXY": "127.0.0.1"}
    before = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def provider_of(azure: AzureEmulator, **settings: Any) -> AzureProvider:
    """Made within `proxied`; pauses between tries take no time."""
    usual: dict[str, Any] = {"ca_bundle": azure.ca_file, "pause": lambda _seconds: None}
    return AzureProvider(**(usual | settings))


def account(name: str, **annotations: str) -> dict[str, Any]:
    metadata = {"namespace": POD.namespace, "name": name, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


class AzureStage(Stage):
    """From `with` to its end."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.azure = AzureEmulator()
        self.kubernetes = KubernetesEmulator()
        self.cluster = OneCluster()
        self.vault = f"kv-{uuid.uuid4().hex[:12]}"  # the SDKs keep challenges by host, as long as the process lives

    def __enter__(self) -> Self:
        self._stack.enter_context(self.azure)
        self._stack.enter_context(self.kubernetes)
        self._stack.enter_context(proxied(self.azure))
        for pod in (POD, STRANGER):
            self.kubernetes.apply(account(pod.service_account))
        subject = f"system:serviceaccount:{POD.namespace}:{POD.service_account}"
        self.azure.logins.trust(self.kubernetes.verify)
        self.azure.logins.federate(CLIENT, TENANT, self.kubernetes.issuer, subject)
        self.azure.store.vault(self.vault)
        self.provider = provider_of(self.azure)
        self._stack.callback(self.provider.close)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def attributes(self, *wanted: Wanted) -> dict[str, str]:
        entries = []
        for one in wanted:
            lines = [f"objectName: {one.name}", "objectType: secret"]
            lines += [f"objectAlias: {json.dumps(one.path)}"] if one.path is not None else []
            lines += [f'filePermission: "{one.mode:04o}"'] if one.mode is not None else []
            entries.append("\n".join(lines))
        return {
            "keyvaultName": self.vault,
            "tenantID": TENANT,
            "clientID": CLIENT,
            "objects": json.dumps({"array": entries}),
        }

    def tokens(self, pod: PodInfo, lifetime_seconds: int = 3600) -> str:
        token = self.kubernetes.token(pod.namespace, pod.service_account, EXCHANGE, pod.name, pod.uid, lifetime_seconds)
        return json.dumps({EXCHANGE: {"token": token, "expirationTimestamp": "2030-01-01T00:00:00Z"}})

    def put(self, name: str, contents: str) -> None:
        self.azure.store.put_secret(self.vault, name, contents)

    def remove(self, name: str) -> None:
        self.azure.store.remove(self.vault, "secret", name)

    def deny(self, name: str) -> None:
        self.azure.deny(CLIENT, self.vault, "secret", name)

    def break_down(self) -> None:
        self.azure.faults.add(Fault("GET secret", 503, "ServiceUnavailable", "come back later"))

    def throttle(self) -> None:
        self.azure.faults.add(Fault("GET secret", 429, "Throttled", "Too many requests"))

    def refuse_login(self) -> None:
        self.azure.logins.refuse(CLIENT, TENANT, 53003)

    def hang(self) -> None:
        self.azure.hold()

    def mend(self) -> None:
        self.azure.faults.clear()
        self.azure.logins.refuse(CLIENT, TENANT, None)
        self.azure.release()

    def canaries(self) -> Iterable[str]:
        return self.azure.handed_out()
