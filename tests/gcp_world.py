"""The Google Cloud provider through the pipeline: the real SDKs against the emulator."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gcp_stage import EXCHANGE, POOL, OneCluster, provider_of
from sscsi_emulators.google import GoogleEmulator
from sscsi_emulators.kubernetes import KubernetesEmulator
from sscsi_provider_gcp.provider import GcpProvider
from sscsi_shared.cluster import TokenRequest
from sscsi_shared.deadline import Deadline
from sscsi_shared.economy.asking import Economy
from sscsi_shared.economy.options import OFF
from sscsi_shared.errors import MountError
from sscsi_shared.mount import MountResult
from sscsi_shared.parameters import read_mount
from sscsi_shared.pipeline import Pipeline
from sscsi_shared.secret import SecretText
from sscsi_shared.testing.stage import POD, pod_attributes, tokens_text

MEMBER = f"serviceAccount:{POOL}[shop/web]"
TARGET = "app@my-project.iam.gserviceaccount.com"
NONE: Mapping[str, str] = {}


class SigningCluster(OneCluster):
    """Makes tokens too."""

    def __init__(self, kubernetes: KubernetesEmulator) -> None:
        super().__init__()
        self.made: list[TokenRequest] = []
        self._kubernetes = kubernetes

    def refuse_token(self, request: TokenRequest, deadline: Deadline) -> SecretText:
        """As of a cluster that makes none."""
        return OneCluster.create_token(self, request, deadline)

    def create_token(self, request: TokenRequest, deadline: Deadline) -> SecretText:
        self.made.append(request)
        pod = request.pod
        return SecretText(
            self._kubernetes.token(pod.namespace, pod.service_account, request.audiences[0], pod.name, pod.uid)
        )


class World:
    """A provider and its backend.

    Attributes:
        google: the backend.
        cluster: service accounts; those of POD have `cluster.annotations`.
        provider: under test; `with_provider` makes another.
    """

    def __init__(self, google: GoogleEmulator, kubernetes: KubernetesEmulator) -> None:
        self.google = google
        self.kubernetes = kubernetes
        self.cluster = SigningCluster(kubernetes)
        self.provider = provider_of(google)

    def with_provider(self, **settings: Any) -> GcpProvider:
        self.provider = provider_of(self.google, **settings)
        return self.provider

    def token(self, audience: str = POOL) -> str:
        return self.kubernetes.token(POD.namespace, POD.service_account, audience, POD.name, POD.uid)

    def mount(
        self,
        secrets: str,
        *,
        tokens: Mapping[str, str] | None = None,
        referenced: Mapping[str, str] | None = None,
        permission: str = "420",
        seconds: float = 30,
        **parameters: str,
    ) -> MountResult:
        """One mount; with kubelet's token unless `tokens` says otherwise (NONE = there is no such attribute)."""
        found = {POOL: self.token()} if tokens is None else tokens
        told = pod_attributes(POD, None if found is NONE else tokens_text(found))
        attributes = parameters | {"secrets": secrets} | told
        request = read_mount(json.dumps(attributes), json.dumps(referenced), permission, "/t", ())
        pipeline = Pipeline(self.provider, self.cluster, Economy(self.provider, OFF))
        return pipeline.mount(request, Deadline.after(seconds))

    def files(self, secrets: str, **more: Any) -> dict[str, bytes]:
        return {file.path: file.contents.reveal() for file in self.mount(secrets, **more).files}

    def refusal(self, secrets: str, **more: Any) -> MountError:
        with pytest.raises(MountError) as caught:
            self.mount(secrets, **more)
        return caught.value


def one(name: str, version: str = "latest", path: str = "a", **fields: object) -> str:
    """`secrets` with one entry."""
    entry = {"resourceName": f"projects/my-project/secrets/{name}/versions/{version}", "path": path, **fields}
    return json.dumps([entry])


def new_key(google: GoogleEmulator, account: str = TARGET) -> dict[str, str]:
    """`key.json` of a Google service account that the backend knows."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    google.logins.key(account, public.decode())
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "client_email": account,
        "private_key": pem.decode(),
        "private_key_id": "k1",
        "token_uri": f"{google.logins.url}/token",
    }


def with_keys(world: World, **settings: Any) -> None:
    """Let the provider take `key.json`, and send its proof to the backend."""
    world.with_provider(referenced_keys=True, token_urls=(f"{world.google.logins.url}/token",), **settings)


@contextmanager
def gcp_world() -> Iterator[World]:
    """From `with` to its end."""
    with GoogleEmulator() as google, KubernetesEmulator() as kubernetes:
        kubernetes.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": "shop", "name": "web"}}
        )
        google.logins.trust(EXCHANGE, kubernetes.verify)
        yield World(google, kubernetes)
