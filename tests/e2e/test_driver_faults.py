"""The driver as a process of its own: killed, stopped and started again, with a provider that is killed too."""

import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest

import scripted_provider
from driver_rig import POD, PREFIX, failure, needs_mount
from sscsi_driver import tmpfs
from sscsi_driver.csi import csi_pb2, csi_pb2_grpc

pytestmark = [pytest.mark.e2e, *needs_mount]

CLASS = """\
apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata: {name: demo, namespace: shop}
spec:
  provider: test
  parameters:
    objects: |
      - objectName: password
"""


class Node:
    """A node: folders, one driver after the other, and providers."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.target = home / "pods" / "uid-1" / "volumes" / "kubernetes.io~csi" / "secrets" / "mount"
        self.providers = home / "providers"
        self.driver_socket = home / "csi.sock"
        (home / "objects").mkdir()
        (home / "objects" / "class.yaml").write_text(CLASS)
        self.processes: list[subprocess.Popen[str]] = []
        self.channel = grpc.insecure_channel(
            f"unix:{self.driver_socket}", options=(("grpc.max_reconnect_backoff_ms", 200),)
        )
        self.node = csi_pb2_grpc.NodeStub(self.channel)  # type: ignore[no-untyped-call]

    def driver(self, *flags: str) -> subprocess.Popen[str]:
        """Start a driver and wait until it answers."""
        log = (self.home / "driver.log").open("a")
        with log:
            process = subprocess.Popen(
                [
                    sys.executable, "-m", "sscsi_driver", f"--endpoint=unix://{self.driver_socket}", "--nodeid=node-1",
                    f"--provider-volume={self.providers}", "--additional-provider-volume-paths=",
                    f"--objects={self.home}/objects", f"--status-dir={self.home}/status", "--takeover-wait=0s",
                    "--metrics-addr=", *flags,
                ],
                stdout=log, stderr=log, text=True,
            )  # fmt: skip
        self.processes.append(process)
        info = self.node.NodeGetInfo(csi_pb2.NodeGetInfoRequest(), timeout=20, wait_for_ready=True)
        assert info.node_id == "node-1"
        return process

    def provider(self, *what: str) -> subprocess.Popen[str]:
        """Start a provider, which takes the socket over."""
        path = self.providers / "test.sock"
        path.unlink(missing_ok=True)
        process = subprocess.Popen(
            [sys.executable, scripted_provider.__file__, str(path), *what], stdout=subprocess.PIPE, text=True
        )
        self.processes.append(process)
        assert self.line(process) == "ready\n"
        return process

    @staticmethod
    def line(process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        return process.stdout.readline()

    def publish(self) -> None:
        self.node.NodePublishVolume(
            csi_pb2.NodePublishVolumeRequest(
                volume_id="csi-1",
                target_path=str(self.target),
                volume_capability=csi_pb2.VolumeCapability(mount=csi_pb2.VolumeCapability.MountVolume()),
                readonly=True,
                volume_context=POD,
            ),
            timeout=30,
            wait_for_ready=True,
        )

    def unpublish(self) -> None:
        self.node.NodeUnpublishVolume(
            csi_pb2.NodeUnpublishVolumeRequest(volume_id="csi-1", target_path=str(self.target)),
            timeout=30,
            wait_for_ready=True,
        )

    def password(self) -> bytes:
        return (self.target / "password").read_bytes()

    def mounts(self) -> list[str]:
        return tmpfs.mount_points_below(self.home)

    def close(self) -> None:
        self.channel.close()
        for process in self.processes:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        for point in self.mounts():
            tmpfs.unmount(Path(point))


@pytest.fixture
def node() -> Iterator[Node]:
    home = Path(tempfile.mkdtemp(dir="/tmp", prefix="e2e"))
    node = Node(home)
    try:
        yield node
    finally:
        node.close()
        sys.stdout.write((home / "driver.log").read_text())
        shutil.rmtree(home)


def until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_the_driver_is_killed_in_the_middle_of_a_mount(node: Node) -> None:
    driver = node.driver()
    provider = node.provider("hang")
    with futures.ThreadPoolExecutor(1) as pool:
        call = pool.submit(failure, node.publish)
        assert node.line(provider) == "asked\n"
        began = time.monotonic()
        driver.kill()
        code, _ = call.result(10)
    assert time.monotonic() - began < 5
    assert code is grpc.StatusCode.UNAVAILABLE
    assert node.mounts() == [str(node.target)]

    node.driver()
    node.provider("answer", "one")
    node.publish()
    assert node.password() == b"one"
    assert node.mounts() == [str(node.target)]
    node.unpublish()
    assert (node.mounts(), node.target.exists()) == ([], False)


def test_the_driver_is_killed_in_the_middle_of_a_mount_that_is_never_tried_again(node: Node) -> None:
    driver = node.driver()
    provider = node.provider("hang")
    with futures.ThreadPoolExecutor(1) as pool:
        call = pool.submit(failure, node.publish)
        assert node.line(provider) == "asked\n"
        driver.kill()
        call.result(10)
    node.driver()
    node.unpublish()
    assert (node.mounts(), node.target.exists()) == ([], False)


def test_the_provider_is_killed_in_the_middle_of_a_mount(node: Node) -> None:
    node.driver()
    provider = node.provider("hang")
    with futures.ThreadPoolExecutor(1) as pool:
        call = pool.submit(failure, node.publish)
        assert node.line(provider) == "asked\n"
        began = time.monotonic()
        provider.kill()
        code, details = call.result(10)
    assert time.monotonic() - began < 5
    assert code is grpc.StatusCode.UNAVAILABLE
    assert details.startswith(f'{PREFIX}error connecting to provider "test": connection refused: nobody listens on ')
    assert (node.mounts(), node.target.exists()) == ([], False)

    node.provider("answer", "one")
    node.publish()
    assert node.password() == b"one"


def test_a_stopped_driver_leaves_its_mounts_and_its_follower_takes_them_over(node: Node) -> None:
    driver = node.driver("--enable-secret-rotation", "--rotation-poll-interval=1h")
    node.provider("answer", "one")
    node.publish()
    driver.send_signal(signal.SIGTERM)
    assert driver.wait(25) == 0
    assert node.password() == b"one"

    node.provider("answer", "two")
    node.driver("--enable-secret-rotation", "--rotation-poll-interval=1h")
    node.publish()
    assert until(lambda: node.password() == b"two")
    assert node.mounts() == [str(node.target)]
    node.unpublish()
    assert (node.mounts(), node.target.exists(), list((node.home / "status").iterdir())) == ([], False, [])


def test_rotation_by_the_drivers_own_timer_never_shows_half_a_volume(node: Node) -> None:
    node.driver("--enable-secret-rotation", "--rotation-poll-interval=1s")
    node.provider("answer", "one")
    node.publish()
    node.provider("answer", "two")
    seen = set()

    def rotated() -> bool:
        seen.add(node.password())
        return b"two" in seen

    assert until(rotated)
    assert seen <= {b"one", b"two"}


def test_no_secret_is_in_the_log(node: Node) -> None:
    node.driver("--log-level=debug", "--enable-secret-rotation", "--rotation-poll-interval=1s")
    node.provider("answer", "canary-7f3a")
    node.publish()
    node.provider("answer", "canary-7f3b")
    assert until(lambda: node.password() == b"canary-7f3b")
    log = (node.home / "driver.log").read_text()
    assert re.search(r"filled the volume", log)
    assert "canary" not in log


@pytest.mark.parametrize("place", ["", "volumes/kubernetes.io~csi/secrets", "volumes/kubernetes.io~other/x/mount"])
def test_a_target_that_is_no_volume_of_a_pod_is_refused_and_left_alone(node: Node, place: str) -> None:
    node.driver()
    node.provider("answer", "one")
    node.target = node.home / "pods" / "uid-1" / place
    node.target.mkdir(parents=True)
    (node.target / "precious").touch()
    for call in (node.publish, node.unpublish):
        code, details = failure(call)
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert details.startswith("Target path in request is not where kubelet has the volume of a pod")
    assert (node.target / "precious").exists()
    assert node.mounts() == []


def test_with_any_target_a_volume_may_stand_elsewhere(node: Node) -> None:
    node.driver("--any-target")
    node.provider("answer", "one")
    node.target = node.home / "here" / "mount"
    node.publish()
    assert node.password() == b"one"
    node.unpublish()
    assert not node.target.exists()
