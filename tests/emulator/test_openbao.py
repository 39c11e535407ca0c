"""The Vault provider against OpenBao's own server; with VAULT_ADDR, VAULT_TOKEN and VAULT_CACERT against that one."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from openbao_stage import NO_SERVER
from sscsi_emulators.kubernetes import KubernetesEmulator
from sscsi_emulators.openbao import OpenBao, binary
from sscsi_provider_vault.dialects import DIALECTS
from sscsi_provider_vault.endpoints import Operator, OperatorsTls
from sscsi_provider_vault.provider import VaultProvider
from sscsi_shared.addresses import Addresses
from sscsi_shared.deadline import Deadline
from sscsi_shared.economy.asking import Economy
from sscsi_shared.economy.options import EconomyOptions
from sscsi_shared.errors import AccessDenied, AuthenticationFailed, MountError, ObjectNotFound
from sscsi_shared.parameters import read_mount
from sscsi_shared.pipeline import Pipeline
from sscsi_shared.testing.stage import POD, pod_attributes, tokens_text
from vault_stage import SUBJECT, OneCluster


class Another(OpenBao):
    """A server that is there already."""

    def __init__(self) -> None:
        super().__init__()
        self.url, self.root = os.environ["VAULT_ADDR"], os.environ["VAULT_TOKEN"]
        self.ca_file = Path(os.environ.get("VAULT_CACERT", "/etc/ssl/certs/ca-certificates.crt"))

    def __enter__(self) -> "Another":  # noqa: PYI034
        return self


class World:
    def __init__(self, server: OpenBao, kubernetes: KubernetesEmulator) -> None:
        self.server = server
        self.kubernetes = kubernetes
        self.cluster = OneCluster(kubernetes)

    def files(self, objects: list[dict[str, Any]], dialect: str = "vault", **parameters: str) -> dict[str, bytes]:
        chosen = DIALECTS[dialect]
        operator = Operator(Addresses(self.server.url), tls=OperatorsTls(ca_file=self.server.ca_file))
        provider = VaultProvider(dialect=chosen, operator=operator)
        token = self.kubernetes.token(POD.namespace, POD.service_account, "vault", POD.name, POD.uid)
        told = pod_attributes(POD, tokens_text({"vault": token}))
        attributes = {"roleName": "app", "audience": "vault"} | parameters | {"objects": json.dumps(objects)} | told
        economy: Economy[Any, Any, Any, Any] = Economy(provider, EconomyOptions())
        request = read_mount(json.dumps(attributes), "null", "420", "/t", ())
        try:
            result = Pipeline(provider, self.cluster, economy).mount(request, Deadline.after(30))
        finally:
            economy.close()
            provider.vault.leases.close()
        return {file.path: file.contents.reveal() for file in result.files}

    def refusal(self, objects: list[dict[str, Any]], **parameters: str) -> MountError:
        with pytest.raises(MountError) as caught:
            self.files(objects, **parameters)
        return caught.value


POLICY = """
path "secret/data/*" { capabilities = ["read"] }
path "kv/*" { capabilities = ["read"] }
path "pki/issue/*" { capabilities = ["update"] }
"""


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    if "VAULT_ADDR" not in os.environ and binary() is None:
        pytest.skip(f"{NO_SERVER}, or set VAULT_ADDR, VAULT_TOKEN and VAULT_CACERT")
    server = Another() if "VAULT_ADDR" in os.environ else OpenBao()
    with server, KubernetesEmulator() as kubernetes:
        kubernetes.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": "shop", "name": "web"}},
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "shop", "name": POD.name, "uid": POD.uid}},
        )
        prepare(server, kubernetes)
        yield World(server, kubernetes)


def public_key(kubernetes: KubernetesEmulator) -> str:
    """What signs the cluster's tokens, as PEM."""
    headers = {"Authorization": f"Bearer {kubernetes.admin_token}"}
    keys = requests.get(f"{kubernetes.url}/openid/v1/jwks", headers=headers, timeout=10).json()["keys"]
    pem = jwt.PyJWK(keys[0]).key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return str(pem.decode())


def prepare(server: OpenBao, kubernetes: KubernetesEmulator) -> None:
    """kv, pki, kubernetes and jwt auth; TokenReview is answered by the API server's stand-in."""
    ask = server.ask
    ask("POST", "sys/policies/acl/app", {"policy": POLICY})
    ask("POST", "sys/mounts/kv", {"type": "kv", "options": {"version": "1"}})
    ask("POST", "sys/mounts/pki", {"type": "pki"})
    ask("POST", "pki/root/generate/internal", {"common_name": "example.com", "ttl": "24h"})
    ask("POST", "pki/roles/web", {"allowed_domains": "example.com", "allow_subdomains": True, "max_ttl": "2h"})
    ask("POST", "sys/auth/kubernetes", {"type": "kubernetes"})
    server.trust(kubernetes.url, kubernetes.admin_token)
    ask(
        "POST", "auth/kubernetes/role/app",
        {"bound_service_account_names": "web", "bound_service_account_namespaces": "shop", "token_policies": "app",
         "audience": "vault", "token_ttl": "10m"},
    )  # fmt: skip
    ask(
        "POST",
        "auth/kubernetes/role/other",
        {"bound_service_account_names": "x", "bound_service_account_namespaces": "shop"},
    )
    ask("POST", "sys/auth/jwt", {"type": "jwt"})
    ask("POST", "auth/jwt/config", {"jwt_validation_pubkeys": [public_key(kubernetes)]})
    ask(
        "POST", "auth/jwt/role/app",
        {"role_type": "jwt", "bound_audiences": "vault", "user_claim": "sub", "bound_subject": SUBJECT,
         "token_policies": "app"},
    )  # fmt: skip


def test_the_root_token_is_in_no_list_of_processes(world: World) -> None:
    if world.server.pid is None:
        pytest.skip("VAULT_ADDR names a server that is not ours")
    process = Path("/proc") / str(world.server.pid)
    arguments = (process / "cmdline").read_bytes()
    assert b"server\0-dev\0" in arguments
    assert world.server.root.encode() not in arguments
    assert (process / "environ").stat().st_mode & 0o077 == 0


def test_kv_of_both_versions(world: World) -> None:
    world.server.ask("POST", "secret/data/db", {"data": {"password": "h+7Q", "port": 5432}})
    world.server.ask("POST", "kv/db", {"password": "one"})
    wanted: list[dict[str, Any]] = [
        {"objectName": "two", "secretPath": "secret/data/db", "secretKey": "password"},
        {"objectName": "port", "secretPath": "secret/data/db", "secretKey": "port"},
        {"objectName": "one", "secretPath": "kv/db", "secretKey": "password"},
        {"objectName": "whole", "secretPath": "secret/data/db", "dataOnly": True},
    ]
    expected = {"two": b"h+7Q", "port": b"5432", "one": b"one", "whole": b'{"password":"h+7Q","port":5432}'}
    assert world.files(wanted) == expected
    assert world.files(wanted, dialect="openbao") == expected


def test_an_old_version(world: World) -> None:
    for value in ("old", "new"):
        world.server.ask("POST", "secret/data/versions", {"data": {"k": value}})
    wanted = [
        {"objectName": "now", "secretPath": "secret/data/versions", "secretKey": "k"},
        {"objectName": "then", "secretPath": "secret/data/versions?version=1", "secretKey": "k"},
    ]
    assert world.files(wanted) == {"now": b"new", "then": b"old"}


def test_a_certificate(world: World) -> None:
    wanted = [
        {"objectName": name, "secretPath": "pki/issue/web", "secretKey": name, "method": "PUT",
         "secretArgs": {"common_name": "app.example.com", "ttl": "1h"}}
        for name in ("certificate", "private_key")
    ]  # fmt: skip
    files = world.files(wanted)
    certificate = x509.load_pem_x509_certificate(files["certificate"])
    key = serialization.load_pem_private_key(files["private_key"], None)
    assert certificate.public_key() == key.public_key()


def test_jwt_auth(world: World) -> None:
    world.server.ask("POST", "kv/jwt", {"k": "x"})
    wanted = [{"objectName": "a", "secretPath": "kv/jwt", "secretKey": "k"}]
    assert world.files(wanted, vaultAuthMountPath="jwt") == {"a": b"x"}


def test_what_is_told(world: World) -> None:
    wanted = [{"objectName": "a", "secretPath": "sys/policy", "secretKey": "k"}]
    error = world.refusal(wanted)
    assert isinstance(error, AccessDenied), repr(error)
    assert 'grant: path "sys/policy" { capabilities = ["read"] }' in str(error)
    error = world.refusal([{"objectName": "a", "secretPath": "secret/data/none", "secretKey": "k"}])
    assert isinstance(error, ObjectNotFound)
    error = world.refusal(wanted, roleName="other")
    assert isinstance(error, AuthenticationFailed)
    assert "service account shop/web" in str(error)
    assert isinstance(world.refusal(wanted, roleName="nope"), AuthenticationFailed)
    assert isinstance(world.refusal(wanted, vaultAuthMountPath="nowhere"), AuthenticationFailed)


def test_a_namespace(world: World) -> None:
    try:
        world.server.ask("POST", "sys/namespaces/team", {})
    except Exception as error:  # noqa: BLE001
        pytest.skip(f"this server has no namespaces: {error}")
    world.server.ask("POST", "sys/mounts/kv", {"type": "kv", "options": {"version": "1"}}, "team")
    world.server.ask("POST", "kv/db", {"k": "spaced"}, "team")
    world.server.ask("POST", "sys/policies/acl/app", {"policy": POLICY}, "team")
    world.server.ask("POST", "sys/auth/kubernetes", {"type": "kubernetes"}, "team")
    world.server.trust(world.kubernetes.url, world.kubernetes.admin_token, namespace="team")
    role = {
        "bound_service_account_names": "web", "bound_service_account_namespaces": "shop", "token_policies": "app",
        "audience": "vault",
    }  # fmt: skip
    world.server.ask("POST", "auth/kubernetes/role/app", role, "team")
    wanted = [{"objectName": "a", "secretPath": "kv/db", "secretKey": "k"}]
    assert world.files(wanted, vaultNamespace="team") == {"a": b"spaced"}
