"""The daemon as the existing manifests start it: flags, socket, probes, and the existing metrics, whatever fails."""

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from sscsi.clouds import AzureCloud
from sscsi.clouds.azure import VAULT
from sscsi.daemons import Daemon
from sscsi.kubelet import ask_provider, channel_to, mount_request
from sscsi.stage import Stage
from sscsi_emulators.azure_store import TENANT
from sscsi_shared.v1alpha1 import provider_pb2, provider_pb2_grpc

pytestmark = pytest.mark.e2e

CONSTANT = {
    "provider": "azure",
    "os_type": "linux",
    "service_name": "csi-secrets-store-provider-azure",
    "otel_scope_name": "keyvault",
    "otel_scope_version": "",
    "otel_scope_schema_url": "",
}
BUCKETS = ["0.1", "0.2", "0.3", "0.4", "0.5", "1.0", "1.5", "2.0", "2.5", "3.0", "5.0", "10.0", "15.0", "30.0", "+Inf"]
SAMPLE = re.compile(r"(\w+)\{(.*)\} \S+")


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage(driver=False, clouds=(AzureCloud,)) as stage:
        stage.provider.stop()
        yield stage


def azure(stage: Stage) -> AzureCloud:
    cloud = stage.clouds["azure"]
    assert isinstance(cloud, AzureCloud)
    return cloud


def again(stage: Stage, folder: Path, *flags: str) -> Daemon:
    """The stage's provider, where -endpoint says."""
    kept = [one for one in stage.provider.arguments if not one.startswith("--provider-volume")]
    arguments = [*kept, "-endpoint", f"unix://{folder}/azure.sock", *flags]
    return Daemon(
        "sscsi_provider_azure", arguments, folder / "azure.sock", stage.folder / "again.log", azure(stage).environ()
    )


def request(stage: Stage, **parameters: str) -> provider_pb2.MountRequest:
    return mount_request(stage.volume(), {**stage.parameters_of("azure"), **parameters}, stage.kubelet_root)


def page(port: int, path: str = "/metrics") -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return str(answer.read().decode())


def samples(text: str, name: str) -> list[dict[str, str]]:
    found = (SAMPLE.fullmatch(line) for line in text.splitlines())
    return [dict(re.findall(r'(\w+)="([^"]*)"', one[2])) for one in found if one and one[1] == name]


@pytest.fixture
def other_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_as_the_existing_manifests_start_it(stage: Stage, unused_port: int, other_port: int) -> None:
    folder = stage.folder / "provider"
    folder.mkdir()
    flags = [
        f"-prometheus-port={unused_port}", f"-healthz-port={other_port}", "-healthz-path=/probe", "-healthz-timeout=5s",
        "-construct-pem-chain=true", "-write-cert-and-key-in-separate-files=false", "-log-format-json=true", "-v=5",
        "-enable-pprof=false", "-pprof-port=6060", "-metrics-backend=PROMETHEUS", "-cloud-name=azurePublicCloud",
        "-custom-user-agent=own", "-logtostderr=true",
    ]  # fmt: skip
    with again(stage, folder, *flags) as daemon:
        assert [file.contents for file in ask_provider(daemon.socket, request(stage), 20).files]
        azure(stage).backend.store.remove(VAULT, "secret", "password")
        with pytest.raises(grpc.RpcError):
            ask_provider(daemon.socket, request(stage), 20)
        with pytest.raises(grpc.RpcError):
            ask_provider(daemon.socket, request(stage, keyvaultName=""), 20)
        with channel_to(daemon.socket) as channel:
            stub = provider_pb2_grpc.CSIDriverProviderStub(channel)  # type: ignore[no-untyped-call]  # generated
            version = stub.Version(provider_pb2.VersionRequest(version="v1alpha1"), timeout=5)
        text = page(unused_port)
        for path in ("/probe", "/healthz", "/readyz"):
            assert page(other_port, path) == "ok\n"
    assert not daemon.socket.exists()
    assert (version.version, version.runtime_name) == ("v1alpha1", "secrets-store-csi-driver-provider-azure")
    assert any(" own azsdk-python-" in agent for agent in azure(stage).backend.agents)

    requests = samples(text, "keyvault_request_bucket")
    assert [one.pop("le") for one in requests] == BUCKETS * 2
    read = CONSTANT | {"object_type": "secret", "object_name": "password"}
    assert requests == [read | {"error": ""}] * 15 + [read | {"error": "ObjectNotFound"}] * 15
    assert samples(text, "keyvault_request_count") == [requests[0], requests[15]]

    calls = CONSTANT | {"grpc_method": "/v1alpha1.CSIDriverProvider/Mount"}
    assert samples(text, "grpc_request_count") == [
        calls | {"grpc_code": code, "grpc_message": message}
        for code, message in (("OK", ""), ("NotFound", "ObjectNotFound"), ("InvalidArgument", "InvalidParameters"))
    ]
    assert [one["le"] for one in samples(text, "grpc_request_bucket")[:15]] == BUCKETS
    assert samples(text, "target_info") == [{"service_name": "csi-secrets-store-provider-azure"}]
    for line in ("# TYPE keyvault_request histogram", "# TYPE grpc_request histogram", "# TYPE target_info gauge"):
        assert line in text
    assert "go_" not in text


def test_probes_fail_once_the_socket_is_gone_and_answer_when_it_is_back(stage: Stage, unused_port: int) -> None:
    with again(stage, stage.sockets, f"-healthz-port={unused_port}") as daemon:
        daemon.socket.unlink()
        with pytest.raises(urllib.error.HTTPError, match="503"):
            page(unused_port, "/healthz")
        daemon.await_serving()
        assert page(unused_port, "/healthz") == "ok\n"


def test_five_hundred_failed_logins_do_not_grow_the_page(stage: Stage, unused_port: int) -> None:
    """Q of section 9: trace ids and names in labels made 18.9 MB of it there."""
    logins = azure(stage).backend.logins
    with again(stage, stage.sockets, f"-prometheus-port={unused_port}") as daemon:

        def fail(number: int) -> str:
            client = f"00000000-0000-0000-0000-{number:012}"
            if number % 2:
                logins.refuse(client, TENANT, (53003, 7000112, 7000222, 90002)[number // 2 % 4])
            objects = json.dumps({"array": [f"objectName: s{number}\nobjectType: secret"]})
            with pytest.raises(grpc.RpcError) as caught:
                ask_provider(daemon.socket, request(stage, clientID=client, objects=objects), 30)
            return str(caught.value)

        with ThreadPoolExecutor(8) as pool:
            told = list(pool.map(fail, range(500)))
        text = page(unused_port)
    assert [one for one in told if "AADSTS" not in one] == []
    assert azure(stage).backend.calls["token"] >= 500
    assert len(text) < 100_000
    assert "AADSTS" not in text
    counted = samples(text, "grpc_request_count")
    assert {one["grpc_message"] for one in counted} == {"AuthenticationFailed"}


def test_names_without_number_are_counted_together(stage: Stage, unused_port: int) -> None:
    """Half of what is read is not there: both outcomes of a name count."""
    store = azure(stage).backend.store
    for number in range(0, 600, 2):
        store.put_secret(VAULT, f"s{number}", "x")
    with again(stage, stage.sockets, f"-prometheus-port={unused_port}") as daemon:
        for start in range(0, 600, 100):
            for more in (0, 1):
                names = [f"s{number}" for number in range(start + more, start + 100, 2)]
                objects = json.dumps({"array": [f"objectName: {name}\nobjectType: secret" for name in names]})
                if more:
                    with pytest.raises(grpc.RpcError):
                        ask_provider(daemon.socket, request(stage, objects=objects), 60)
                else:
                    assert len(ask_provider(daemon.socket, request(stage, objects=objects), 60).files) == 50
        text = page(unused_port)
    counted = samples(text, "keyvault_request_count")
    assert len(counted) == 202
    assert [(one["object_name"], one["error"]) for one in counted if one["object_name"] == "other"] == [
        ("other", ""),
        ("other", "ObjectNotFound"),
    ]


@pytest.mark.parametrize(
    ("flags", "status", "said"),
    [
        (
            ["-cloud-name=AzureWrongCloud"],
            2,
            "cloudName AzureWrongCloud is not valid, error: there is no cloud of this name",
        ),
        (["-metrics-backend=Stackdriver"], 2, "one of prometheus is needed"),
        (["-endpoint=tcp://:7777"], 2, "unix:///folder/name.sock is needed"),
        (["-endpoint=udp:///a.sock"], 2, "unix:///folder/name.sock is needed"),
        (["-endpoint=unix://"], 2, "unix:///folder/name.sock is needed"),
        (["-endpoint=/a.sock"], 2, "unix:///folder/name.sock is needed"),
        (["-token-proxy-url=http://proxy"], 2, "no https address without user, query and fragment"),
        (["-token-proxy-url=https://proxy:port"], 2, "for flag -token-proxy-url"),
        (["-prometheus-port=x"], 2, "a whole number is needed"),
        (["-prometheus-port=70000"], 1, "is not host:port"),
        (["-construct-pem-chain=maybe"], 2, "true or false is needed"),
        (["-odd"], 2, "flag provided but not defined: -odd"),
        (["-version"], 0, "0.1.0"),
        (["-help"], 0, "--construct-pem-chain"),
    ],
    ids=lambda flags: str(flags[0]) if isinstance(flags, list) else None,
)
def test_ends_before_it_serves(flags: list[str], status: int, said: str, tmp_path: Path) -> None:
    usual = [f"--provider-volume={tmp_path}", "--prometheus-port=0", "--healthz-port=0"]
    command = [sys.executable, "-m", "sscsi_provider_azure", *usual, *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == status, done.stderr
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_cloud_of_its_own_needs_a_file_only_once_a_class_asks(stage: Stage) -> None:
    with again(stage, stage.sockets, "-cloud-name=AzureStackCloud") as daemon:
        with pytest.raises(grpc.RpcError, match="cloudEnvFileName is not set"):
            ask_provider(daemon.socket, request(stage), 20)
        assert ask_provider(daemon.socket, request(stage, cloudName="AzureCloud"), 20).files
