"""The provider's daemon in a process of its own: its socket from the first moment to the last."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from sscsi.daemons import Daemon
from sscsi.kubelet import ask_provider
from sscsi_shared.daemon.socket import inode_of, is_live
from sscsi_shared.v1alpha1 import provider_pb2, provider_pb2_grpc

ACCOUNT = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: sa, namespace: ns, annotations: {eks.amazonaws.com/role-arn: 'arn:aws:iam::123456789012:role/app'}}
"""


class House:
    """A folder for one daemon."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "p" / "aws.sock"
        (folder / "objects").mkdir()
        (folder / "objects" / "account.yaml").write_text(ACCOUNT)
        self._daemons: list[Daemon] = []

    def daemon(self, *flags: str, objects: bool = True) -> Daemon:
        arguments = [f"--provider-volume={self.socket.parent}", "--region=eu-central-1", "--log-format=text", *flags]
        if objects:
            arguments.append(f"--objects={self.folder / 'objects'}")
        log = self.folder / f"{len(self._daemons)}.log"
        self._daemons.append(Daemon("sscsi_provider_aws", arguments, self.socket, log))
        return self._daemons[-1]

    def version(self) -> str:
        with self.channel() as channel:
            stub = provider_pb2_grpc.CSIDriverProviderStub(channel)  # type: ignore[no-untyped-call]
            answer = stub.Version(provider_pb2.VersionRequest(version="v1alpha1"), timeout=5)
            return f"{answer.version} {answer.runtime_name}"

    def channel(self) -> grpc.Channel:
        options = [("grpc.default_authority", "localhost"), ("grpc.use_local_subchannel_pool", 1)]
        return grpc.insecure_channel(f"unix:{self.socket}", options)

    def close(self) -> None:
        for daemon in self._daemons:
            daemon.kill()


@pytest.fixture
def house() -> Iterator[House]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        house = House(Path(folder))
        yield house
        house.close()


def until(true: Callable[[], bool], seconds: float = 15) -> None:
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.02)


def test_it_answers_on_a_private_socket_and_takes_it_along(house: House) -> None:
    daemon = house.daemon()
    daemon.start()
    assert house.socket.stat().st_mode & 0o777 == 0o600
    assert house.version() == "v1alpha1 secrets-store-csi-driver-provider-aws"
    assert [path.name for path in house.socket.parent.iterdir()] == ["aws.sock"]
    daemon.stop()
    assert not house.socket.exists()
    assert "Traceback" not in daemon.log.read_text()
    assert "serves on" in daemon.log.read_text()


def test_a_crash_leaves_no_core_file(house: House) -> None:
    daemon = house.daemon()
    daemon.start()
    limits = Path(f"/proc/{daemon.pid}/limits").read_text()
    assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE)


def test_health_and_no_reflection(house: House) -> None:
    house.daemon().start()
    with house.channel() as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        for service in ("", "v1alpha1.CSIDriverProvider"):
            answer = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.RpcError) as caught:
            ProtoReflectionDescriptorDatabase(channel).get_services()
        assert isinstance(caught.value, grpc.Call)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_reflection_when_asked_for(house: House) -> None:
    house.daemon("--grpc-reflection").start()
    with house.channel() as channel:
        assert "v1alpha1.CSIDriverProvider" in ProtoReflectionDescriptorDatabase(channel).get_services()


def test_a_stale_socket_is_taken_at_once(house: House) -> None:
    first = house.daemon()
    first.start()
    first.kill()
    assert house.socket.exists()
    began = time.monotonic()
    house.daemon("--takeover-wait=20s").start()
    assert time.monotonic() - began < 15
    assert house.version()


def test_a_live_socket_is_taken_after_a_while_and_kept(house: House) -> None:
    first = house.daemon()
    first.start()
    before = inode_of(house.socket)
    second = house.daemon("--takeover-wait=1s")
    second.launch()
    until(lambda: inode_of(house.socket) not in {before, None})
    until(lambda: "taking the socket over" in second.log.read_text())
    first.stop()
    assert house.socket.exists()
    assert house.version()


def test_a_removed_socket_comes_back(house: House) -> None:
    daemon = house.daemon()
    daemon.start()
    house.socket.unlink()
    until(lambda: is_live(house.socket))
    assert house.version()
    assert "has vanished" in daemon.log.read_text()


def test_without_a_cluster_the_answer_names_the_remedy(house: House) -> None:
    house.daemon(objects=False).start()
    request = provider_pb2.MountRequest(
        attributes='{"objects": "[]"}', secrets="null", permission="420", target_path="/t"
    )
    with pytest.raises(grpc.RpcError) as caught:
        ask_provider(house.socket, request, 5)
    assert isinstance(caught.value, grpc.Call)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_mount_in_progress_may_end_but_not_for_ever(house: House) -> None:
    from sscsi_emulators.kubernetes import KubernetesEmulator

    with socket.create_server(("127.0.0.1", 0)) as silent, KubernetesEmulator() as kubernetes:
        kubernetes.apply(ACCOUNT)
        daemon = house.daemon("--drain=1s", f"--sts-endpoint=http://127.0.0.1:{silent.getsockname()[1]}")
        daemon.start()
        token = kubernetes.token("ns", "sa", "sts.amazonaws.com")
        attributes = {
            "objects": "[{objectName: a, objectType: secretsmanager}]",
            "csi.storage.k8s.io/pod.namespace": "ns",
            "csi.storage.k8s.io/serviceAccount.name": "sa",
            "csi.storage.k8s.io/serviceAccount.tokens": f'{{"sts.amazonaws.com": {{"token": "{token}"}}}}',
        }
        request = provider_pb2.MountRequest(
            attributes=json.dumps(attributes), secrets="null", permission="420", target_path="/t"
        )
        outcome: list[Any] = []
        with house.channel() as channel:
            stub = provider_pb2_grpc.CSIDriverProviderStub(channel)  # type: ignore[no-untyped-call]

            def mount() -> None:
                try:
                    outcome.append(stub.Mount(request, timeout=60))
                except grpc.RpcError as error:
                    outcome.append(error)

            thread = threading.Thread(target=mount)
            thread.start()
            silent.settimeout(15)
            silent.accept()[0].close()
            silent.accept()[0].detach()
            began = time.monotonic()
            os.kill(daemon.pid, signal.SIGTERM)
            until(lambda: not house.socket.exists(), 10)
            daemon.stop()
            thread.join(10)
        assert time.monotonic() - began < 8
        assert isinstance(outcome[0], grpc.RpcError)


def test_metrics(house: House, unused_port: int) -> None:
    house.daemon(f"--metrics-addr=127.0.0.1:{unused_port}").start()
    base = f"http://127.0.0.1:{unused_port}"
    page = urllib.request.urlopen(f"{base}/metrics", timeout=5).read().decode()
    assert 'sscsi_build_info{name="secrets-store-csi-driver-provider-aws"' in page
    assert urllib.request.urlopen(f"{base}/readyz", timeout=5).read() == b"ok\n"


@pytest.mark.parametrize(
    ("flags", "status", "text"),
    [
        (["--odd"], 2, "flag provided but not defined: -odd"),
        (["-version"], 0, "0.1.0"),
        (["-help"], 0, "--provider-volume"),
        ([f"--provider-volume=/tmp/{'x' * 120}"], 1, "too long for a unix socket"),
        (["--provider-volume=/proc/nowhere"], 1, "can't start"),
    ],
)
def test_ends_before_it_serves(flags: list[str], status: int, text: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sscsi_provider_aws", *flags], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == status, done.stderr
    assert text in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
