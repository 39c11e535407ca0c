"""The Vault provider through the pipeline: hvac's adapter against the emulator."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from hand import Hand
from sscsi_emulators.kubernetes import KubernetesEmulator
from sscsi_emulators.vault import VaultEmulator
from sscsi_provider_vault.dialects import VAULT, Dialect
from sscsi_provider_vault.provider import VaultProvider
from sscsi_shared.deadline import Deadline
from sscsi_shared.economy.asking import Economy
from sscsi_shared.economy.options import OFF, EconomyOptions
from sscsi_shared.errors import MountError
from sscsi_shared.mount import MountResult, PodInfo
from sscsi_shared.parameters import read_mount
from sscsi_shared.pipeline import Pipeline
from sscsi_shared.testing.stage import POD, pod_attributes, tokens_text
from vault_stage import ROLE, SUBJECT, OneCluster, provider_of

NONE: Mapping[str, str] = {}


class World:
    """A provider and its backend.

    Attributes:
        vault: the backend.
        clock: of provider and economy; the test turns it. The backend's runs with it.
        cluster: has the key of versions, and makes tokens.
        provider: under test.
    """

    def __init__(self, vault: VaultEmulator, kubernetes: KubernetesEmulator, clock: Hand, dialect: Dialect) -> None:
        self.vault = vault
        self.kubernetes = kubernetes
        self.clock = clock
        self.dialect = dialect
        self.cluster = OneCluster(kubernetes)
        self.cluster.signs = True
        self.provider: VaultProvider
        self.with_provider()

    def with_provider(self, options: EconomyOptions = OFF, **settings: Any) -> None:
        settings = {"clock": self.clock, "now": self.clock, "jitter": lambda: 0.0} | settings
        self.provider = provider_of(self.vault, self.dialect, **settings)
        economy: Economy[Any, Any, Any, Any] = Economy(self.provider, options, clock=self.clock, now=self.clock)
        self.economy = economy
        self.pipeline: Pipeline[Any, Any, Any, Any] = Pipeline(self.provider, self.cluster, economy, self.clock)

    def token(self, audience: str = "", pod: PodInfo = POD) -> str:
        audience = audience or self.dialect.name
        return self.kubernetes.token(pod.namespace, pod.service_account, audience, pod.name, pod.uid, 24 * 3600)

    def mount(
        self,
        objects: str,
        *,
        tokens: Mapping[str, str] | None = None,
        pod: PodInfo = POD,
        permission: str = "420",
        **parameters: str,
    ) -> MountResult:
        """One mount; with kubelet's token unless `tokens` says otherwise (NONE = there is no such attribute)."""
        found = {self.dialect.name: self.token(pod=pod)} if tokens is None else tokens
        told = pod_attributes(pod, None if found is NONE else tokens_text(found))
        attributes = {"roleName": ROLE} | parameters | {"objects": objects} | told
        request = read_mount(json.dumps(attributes), "null", permission, "/t", ())
        return self.pipeline.mount(request, Deadline.after(20))

    def files(self, objects: str, **more: Any) -> dict[str, bytes]:
        return {file.path: file.contents.reveal() for file in self.mount(objects, **more).files}

    def versions(self, objects: str, **more: Any) -> dict[str, str]:
        return {one.id: one.version for one in self.mount(objects, **more).versions}

    def refusal(self, objects: str, **more: Any) -> MountError:
        with pytest.raises(MountError) as caught:
            self.mount(objects, **more)
        return caught.value

    def pod(self, number: int) -> PodInfo:
        return PodInfo(POD.namespace, f"web-{number}", f"uid-{number}", POD.service_account)


def one(path: str = "secret/data/p0", key: str = "k", name: str = "a", **fields: object) -> str:
    """`objects` with one entry."""
    entry = {"objectName": name, "secretPath": path} | ({"secretKey": key} if key else {}) | fields
    return json.dumps([entry])


@contextmanager
def vault_world(dialect: Dialect = VAULT) -> Iterator[World]:
    """From `with` to its end."""
    import time

    clock = Hand(time.time())
    with VaultEmulator(clock) as vault, KubernetesEmulator(clock) as kubernetes:
        kubernetes.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": "shop", "name": "web"}}
        )
        vault.trust(kubernetes.verify)
        vault.role(ROLE, SUBJECT, audience=dialect.name)
        world = World(vault, kubernetes, clock, dialect)
        yield world
        world.provider.vault.leases.close()
