"""The Azure provider through the pipeline: the real SDKs against the emulator."""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from azure_stage import CLIENT, account, provider_of, proxied
from gcp_world import NONE, SigningCluster
from sscsi_emulators.azure import AzureEmulator
from sscsi_emulators.azure_logins import EXCHANGE
from sscsi_emulators.azure_store import TENANT, PrivateKey
from sscsi_emulators.kubernetes import KubernetesEmulator
from sscsi_provider_azure.provider import AzureProvider
from sscsi_shared.deadline import Deadline
from sscsi_shared.economy.asking import Economy
from sscsi_shared.economy.options import OFF, EconomyOptions
from sscsi_shared.errors import MountError
from sscsi_shared.mount import MountResult
from sscsi_shared.parameters import read_mount
from sscsi_shared.pipeline import Pipeline
from sscsi_shared.testing.stage import POD

SUBJECT = f"system:serviceaccount:{POD.namespace}:{POD.service_account}"


class World:
    """A provider and its backend.

    Attributes:
        azure: the backend.
        kubernetes: whose tokens count.
        cluster: service accounts; those of POD have `cluster.annotations`.
        vault: name of a vault of its own: the SDKs keep challenges by host, as long as the process lives.
        pauses: seconds of each pause between tries.
        provider: under test; `with_provider` makes another.
    """

    def __init__(self, azure: AzureEmulator, kubernetes: KubernetesEmulator, stack: ExitStack) -> None:
        self.azure = azure
        self.kubernetes = kubernetes
        self.cluster = SigningCluster(kubernetes)
        self.vault = f"kv-{uuid.uuid4().hex[:12]}"
        self.pauses: list[float] = []
        self._stack = stack
        azure.store.vault(self.vault)
        self.with_provider()

    def with_provider(self, options: EconomyOptions = OFF, **settings: Any) -> AzureProvider:
        self.provider = provider_of(self.azure, **({"pause": self.pauses.append} | settings))
        self._stack.callback(self.provider.close)
        self._pipeline = Pipeline(self.provider, self.cluster, Economy(self.provider, options))
        return self.provider

    def token(self, audience: str = EXCHANGE, uid: str = POD.uid) -> str:
        return self.kubernetes.token(POD.namespace, POD.service_account, audience, POD.name, uid)

    def mount(
        self,
        *objects: str,
        tokens: Mapping[str, str] | None = None,
        referenced: Mapping[str, str] | None = None,
        permission: str = "420",
        seconds: float = 30,
        pod_uid: str = POD.uid,
        without: Sequence[str] = (),
        **parameters: str,
    ) -> MountResult:
        """One mount.

        Args:
            objects: the texts of `array`.
            tokens: by audience, in place of kubelet's; NONE = there is no such attribute.
            referenced: nodePublishSecretRef.
            permission: JSON.
            seconds: until its deadline.
            pod_uid: of another pod of the same account.
            without: attributes that are left away.
            parameters: of the class, over the usual ones.
        """
        attributes = {
            "keyvaultName": self.vault,
            "tenantID": TENANT,
            "clientID": CLIENT,
            "objects": json.dumps({"array": objects}),
            "csi.storage.k8s.io/pod.name": POD.name,
            "csi.storage.k8s.io/pod.namespace": POD.namespace,
            "csi.storage.k8s.io/pod.uid": pod_uid,
            "csi.storage.k8s.io/serviceAccount.name": POD.service_account,
        } | parameters
        found = {EXCHANGE: self.token(uid=pod_uid)} if tokens is None else tokens
        if found is not NONE:
            by_audience = {name: {"token": token} for name, token in found.items()}
            attributes["csi.storage.k8s.io/serviceAccount.tokens"] = json.dumps(by_audience)
        sent = {key: value for key, value in attributes.items() if key not in without}
        request = read_mount(json.dumps(sent), json.dumps(referenced), permission, "/t", ())
        return self._pipeline.mount(request, Deadline.after(seconds))

    def files(self, *objects: str, **more: Any) -> dict[str, bytes]:
        return {file.path: file.contents.reveal() for file in self.mount(*objects, **more).files}

    def versions(self, *objects: str, **more: Any) -> list[tuple[str, str]]:
        return [(one.id, one.version) for one in self.mount(*objects, **more).versions]

    def refusal(self, *objects: str, **more: Any) -> MountError:
        with pytest.raises(MountError) as caught:
            self.mount(*objects, **more)
        return caught.value


def entry(name: str, kind: str = "secret", **fields: object) -> str:
    """One text of `array`."""
    lines = [f"objectName: {name}", f"objectType: {kind}"]
    lines += [f"{field}: {value if isinstance(value, str) else json.dumps(value)}" for field, value in fields.items()]
    return "\n".join(lines)


def self_signed(key: PrivateKey) -> tuple[x509.Certificate, ...]:
    """A chain of one."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "web.shop.example")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=365))
    return (builder.sign(key, hashes.SHA256()),)


@contextmanager
def azure_world() -> Iterator[World]:
    """From `with` to its end: POD's account is federated with CLIENT."""
    with ExitStack() as stack:
        azure, kubernetes = stack.enter_context(AzureEmulator()), stack.enter_context(KubernetesEmulator())
        stack.enter_context(proxied(azure))
        kubernetes.apply(account(POD.service_account))
        azure.logins.trust(kubernetes.verify)
        azure.logins.federate(CLIENT, TENANT, kubernetes.issuer, SUBJECT)
        yield World(azure, kubernetes, stack)
