"""No credentials but those of the mount at hand, and nothing of a secret or token in any output of the daemon."""

import base64
import json
import stat
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption

from pki import chain, key, pfx, pkcs8
from sscsi.clouds import AzureCloud
from sscsi.clouds.azure import CLIENT, TENANT, VAULT
from sscsi.clouds.cloud import VALUE
from sscsi.daemons import Daemon
from sscsi.kubelet import PodVolume, ask_provider, mount_request
from sscsi.stage import Stage
from sscsi_emulators.azure import AzureEmulator
from sscsi_emulators.azure_store import PFX
from sscsi_emulators.faults import Fault
from sscsi_shared.v1alpha1 import provider_pb2

pytestmark = pytest.mark.e2e

OTHER = "1f9a4b7e-0d52-4c3f-8d27-6f1b2a9c4e10"
PRINCIPAL = {"clientid": OTHER, "clientsecret": "canary-of-a-principal"}
PASSWORD = "canary-of-a-pfx"


class Trap(BaseHTTPRequestHandler):
    """Where a metadata server, an agent or another authority would be; nobody may come."""

    visitors: list[str] = []  # noqa: RUF012  # the class is the trap

    def do_GET(self) -> None:
        self.visitors.append(self.path)
        self.send_error(404)

    def do_POST(self) -> None:
        self.do_GET()

    def do_CONNECT(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def hostile(folder: Path, trap: str) -> dict[str, str]:
    """An environment full of credentials that DefaultAzureCredential would find, of each of its kinds."""
    marker = folder / "marker"
    for name in ("az", "azd", "pwsh", "powershell"):
        program = folder / name
        program.write_text(f"#!/bin/sh\ntouch {marker}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (folder / "token").write_text("canary-federated-token")
    (folder / "certificate.pem").write_bytes(pkcs8(key("rsa", "leaf")))
    (folder / ".azure").mkdir()
    (folder / ".azure" / "msal_token_cache.json").write_text('{"AccessToken": {"a": {"secret": "canary-cached"}}}')
    (folder / ".netrc").write_text("default login canary-user password canary-netrc\n")
    return {
        "PATH": f"{folder}:/usr/bin:/bin",
        "HOME": str(folder),
        "AZURE_CONFIG_DIR": str(folder / ".azure"),
        "AZURE_CLIENT_ID": OTHER,
        "AZURE_TENANT_ID": OTHER,
        "AZURE_CLIENT_SECRET": "canary-environment",
        "AZURE_CLIENT_CERTIFICATE_PATH": str(folder / "certificate.pem"),
        "AZURE_FEDERATED_TOKEN_FILE": str(folder / "token"),
        "AZURE_USERNAME": "canary-user",
        "AZURE_PASSWORD": "canary-password",
        "AZURE_AUTHORITY_HOST": "canary.example",
        "AZURE_POD_IDENTITY_AUTHORITY_HOST": trap,
        "IMDS_ENDPOINT": trap,
        "IDENTITY_ENDPOINT": trap,
        "IDENTITY_HEADER": "canary-header",
        "MSI_ENDPOINT": trap,
        "MSI_SECRET": "canary-msi",
        "HTTP_PROXY": trap,
    }


@pytest.fixture
def trap() -> Iterator[str]:
    Trap.visitors.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Trap)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def backend(stage: Stage) -> AzureEmulator:
    cloud = stage.clouds["azure"]
    assert isinstance(cloud, AzureCloud)
    return cloud.backend


def restarted(stage: Stage, *flags: str, environ: dict[str, str] | None = None) -> Daemon:
    """The stage's provider again, with more flags, in another environment."""
    stage.provider.stop()
    told = dict(stage.clouds["azure"].environ()) | (environ or {})
    arguments = [*stage.provider.arguments, *flags]
    return Daemon("sscsi_provider_azure", arguments, stage.provider.socket, stage.folder / "again.log", told)


def request(
    stage: Stage, volume: PodVolume, referenced: Mapping[str, str] | None = None, **parameters: Any
) -> provider_pb2.MountRequest:
    merged = {key: value for key, value in {**stage.parameters_of("azure"), **parameters}.items() if value}
    made = mount_request(volume, merged, stage.kubelet_root)
    made.secrets = json.dumps(referenced)
    return made


def array(*entries: str) -> str:
    return json.dumps({"array": entries})


@pytest.mark.parametrize("way", ["workload identity", "service principal"])
def test_only_the_credentials_of_the_mount_are_used(way: str, trap: str, tmp_path: Path) -> None:
    with Stage(driver=False, clouds=(AzureCloud,)) as stage:
        azure = backend(stage)
        azure.logins.secret(OTHER, TENANT, PRINCIPAL["clientsecret"])
        more: dict[str, Any] = {"clientID": ""} if way == "service principal" else {}
        client, referenced = (OTHER, PRINCIPAL) if more else (CLIENT, None)
        with restarted(stage, environ=hostile(tmp_path, trap)) as provider:
            made = request(stage, stage.volume(), referenced, **more)
            assert [file.contents for file in ask_provider(provider.socket, made, 20).files] == [VALUE.encode()]
            assert azure.calls["token"] == 1
            azure.logins.refuse(client, TENANT, 53003)
            before = azure.calls["GET secret"]
            with pytest.raises(grpc.RpcError, match="AADSTS53003"):
                ask_provider(provider.socket, made, 20)
            assert azure.calls["GET secret"] == before, "it went on with other credentials"
    assert Trap.visitors == []
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"clientID": "", "tenantID": ""}, "nodePublishSecretRef secret is not set"),
        ({"useVMManagedIdentity": "true"}, "--allowed-auth=managed-identity"),
    ],
)
def test_where_a_mount_brings_none_there_are_none(
    parameters: dict[str, str], said: str, trap: str, tmp_path: Path
) -> None:
    """Though the environment, files, programs and a metadata server have some."""
    with Stage(driver=False, clouds=(AzureCloud,)) as stage:
        with restarted(stage, environ=hostile(tmp_path, trap)) as provider:
            volume = PodVolume("application-one", "pod", "csi-provider-user", "class")
            with pytest.raises(grpc.RpcError, match=said):
                ask_provider(provider.socket, request(stage, volume, None, **parameters), 20)
        assert not backend(stage).calls
    assert Trap.visitors == []
    assert not (tmp_path / "marker").exists()


def test_a_nodes_identity_comes_from_the_metadata_server_alone(trap: str, tmp_path: Path) -> None:
    with Stage(driver=False, clouds=(AzureCloud,)) as stage:
        azure = backend(stage)
        azure.node.assign(OTHER, system=True)
        environ = hostile(tmp_path, trap)
        for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "MSI_SECRET", "IMDS_ENDPOINT"):
            del environ[name]  # an operator's words for where it is, on other hosts than nodes of AKS
        environ["AZURE_POD_IDENTITY_AUTHORITY_HOST"] = azure.metadata_url
        with restarted(stage, "--allowed-auth=managed-identity", environ=environ) as provider:
            made = request(stage, stage.volume(), useVMManagedIdentity="true")
            assert [file.contents for file in ask_provider(provider.socket, made, 20).files] == [VALUE.encode()]
            azure.faults.add(Fault("imds", 400, "invalid_request", "Identity not found"))
            with pytest.raises(grpc.RpcError, match="ManagedIdentityCredential authentication failed"):
                ask_provider(provider.socket, made, 20)
        assert azure.calls["token"] == 0
    assert Trap.visitors == [], "the proxy for plain http is not asked either"
    assert not (tmp_path / "marker").exists()


def test_nothing_secret_in_logs_metrics_and_errors(unused_port: int) -> None:
    """Certificates, passwords, principals and bindings too; each way once as it should be and once as it should not."""
    metrics = f"127.0.0.1:{unused_port}"
    private = pkcs8(key("rsa", "leaf")).decode()
    packed = base64.b64encode(
        pfx(key("rsa", "leaf"), chain("rsa"), BestAvailableEncryption(PASSWORD.encode()))
    ).decode()
    flags = (
        "--log-level=debug", "--log-format=json", f"--metrics-addr={metrics}", "--write-cert-and-key-in-separate-files"
    )  # fmt: skip
    refused: list[str] = []
    with Stage(driver=False, clouds=(AzureCloud,)) as stage:
        azure = backend(stage)
        azure.logins.secret(OTHER, TENANT, PRINCIPAL["clientsecret"])
        azure.store.put_certificate(VAULT, "c", key("rsa", "leaf"), chain("rsa"))
        azure.store.put_secret(VAULT, "p", packed, PFX)
        azure.store.put_secret(VAULT, "pw", PASSWORD)
        azure.store.put_secret(VAULT, "broken", private[:-60] + "canary-tail", PFX, kid="of its certificate")
        fields = "objectType: secret\nobjectFormat: pem\n"
        certificates = array(f"objectName: c\n{fields}", f"objectName: p\n{fields}pfxPasswordSecretName: pw\n")
        with restarted(stage, *flags) as provider:
            volume = stage.volume()

            def good(referenced: dict[str, str] | None = None, **parameters: str) -> None:
                assert ask_provider(provider.socket, request(stage, volume, referenced, **parameters), 20).files

            def bad(referenced: dict[str, str] | None = None, **parameters: str) -> None:
                with pytest.raises(grpc.RpcError) as caught:
                    ask_provider(provider.socket, request(stage, volume, referenced, **parameters), 20)
                refused.append(str(caught.value))

            good()
            good(objects=certificates)
            good(PRINCIPAL, clientID="")
            bad(PRINCIPAL | {"clientsecret": "canary-wrong"}, clientID="")
            bad(PRINCIPAL | {"clientid": "canary/../x"}, clientID="", tenantID="x")
            bad(objects=array(f"objectName: broken\n{fields}"))
            bad(objects=array(f"objectName: p\n{fields}"))
            bad(objects=array(f"objectName: p\n{fields}pfxPasswordSecretName: password\n"))
            bad(objects=array("objectName: pw\nobjectType: secret\nobjectEncoding: base64\n"))
            bad(objects=array("objectName: pw\nobjectType: secret\njmesPath: [{path: a, objectAlias: b}]\n"))
            bad(useAzureTokenProxy="true")
            for word in ("token", "GET secret"):
                for status in (0, 400, 401, 403, 429, 500):
                    azure.faults.add(Fault(word, status, "canary".upper(), "words"))
                    bad()
                    azure.faults.clear()
            azure.bodies["token"] = {"access_token": "canary-token", "expires_in": "x"}
            bad()
            azure.bodies["token"] = "<html>canary-page"
            bad()
            page = urllib.request.urlopen(f"http://{metrics}/metrics", timeout=5).read().decode()
        log = provider.log.read_text()
        tokens = [token.reveal() for token in volume.tokens.values()]
        lines = [line for line in private.splitlines() if len(line) == 64]
        hidden = [VALUE, PASSWORD, *PRINCIPAL.values(), *lines, packed[:64], *tokens, *azure.handed_out()]
        hidden += [*(token.split(".")[1] for token in tokens), "canary"]
        hidden.remove(OTHER)
    assert 'sscsi_mounts_total{reason="OK"} 3.0' in page
    assert len(refused) == 22
    assert "AADSTS7000215" in "".join(refused)
    told = log + page + "".join(refused)
    for word in hidden:
        assert word not in told.replace("canary/../x", "")
    assert all(json.loads(line)["level"] for line in log.splitlines())
