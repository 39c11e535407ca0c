"""What we send to a driver and to a provider, held against what kubelet was recorded to send; over a real socket."""

import base64
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest

from sscsi.kubelet import Kubelet, PodVolume, mount_request
from sscsi_driver.csi import csi_pb2, csi_pb2_grpc
from sscsi_shared.secret import SecretText

UID = "0d0c2c0e-0000-4000-8000-000000000001"
VOLUME = PodVolume("shop", "web-0", "web", "demo", volume="vol", uid=UID)
CSI = "csi.storage.k8s.io/"
OPEN = {
    "secretProviderClass": "demo",
    f"{CSI}pod.name": "web-0",
    f"{CSI}pod.namespace": "shop",
    f"{CSI}pod.uid": UID,
    f"{CSI}serviceAccount.name": "web",
    f"{CSI}ephemeral": "true",
}


def jwt(**claims: object) -> SecretText:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return SecretText(f"e30.{body}.c2ln")


class Node(csi_pb2_grpc.NodeServicer):
    """Keeps what it is asked, and looks at the folders at that moment."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.parent_mode = 0
        self.target_was_there = True
        self.refuse = False

    def NodePublishVolume(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.asked.append(request)
        target = Path(request.target_path)
        self.parent_mode = target.parent.stat().st_mode & 0o7777
        self.target_was_there = target.exists()
        if self.refuse:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "no")
        return csi_pb2.NodePublishVolumeResponse()

    def NodeUnpublishVolume(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.asked.append(request)
        return csi_pb2.NodeUnpublishVolumeResponse()


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(dir="/tmp"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def node(folder: Path) -> Iterator[Node]:
    servicer = Node()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    csi_pb2_grpc.add_NodeServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    server.add_insecure_port(f"unix:{folder}/csi.sock")
    server.start()
    yield servicer
    server.stop(None).wait()


def test_the_request_is_kubelets(folder: Path, node: Node) -> None:
    before = os.umask(0o077)
    try:
        with Kubelet(folder / "csi.sock", folder / "root", 5) as kubelet:
            target = kubelet.publish(VOLUME)
    finally:
        os.umask(before)
    [asked] = node.asked
    assert target == folder / "root" / "pods" / UID / "volumes" / "kubernetes.io~csi" / "vol" / "mount"
    assert asked == csi_pb2.NodePublishVolumeRequest(
        volume_id="csi-" + hashlib.sha256(f"{UID}vol".encode()).hexdigest(),
        target_path=str(target),
        volume_capability=csi_pb2.VolumeCapability(
            mount=csi_pb2.VolumeCapability.MountVolume(),
            access_mode=csi_pb2.VolumeCapability.AccessMode(mode="SINGLE_NODE_WRITER"),
        ),
        readonly=True,
        volume_context=OPEN,
    )
    assert node.parent_mode == 0o750
    assert not node.target_was_there


def test_another_target(folder: Path, node: Node) -> None:
    volume = PodVolume("shop", "web-0", "web", "demo", target_path=folder / "x" / "here")
    with Kubelet(folder / "csi.sock", folder / "root", 5) as kubelet:
        assert kubelet.publish(volume) == folder / "x" / "here"
        kubelet.unpublish(volume)
    assert [one.target_path for one in node.asked] == [str(folder / "x" / "here")] * 2
    assert not (folder / "root").exists()


def test_a_failed_publish_leaves_no_folders(folder: Path, node: Node) -> None:
    node.refuse = True
    (folder / "root").mkdir()
    with Kubelet(folder / "csi.sock", folder / "root", 5) as kubelet, pytest.raises(grpc.RpcError):
        kubelet.publish(VOLUME)
    assert list((folder / "root").iterdir()) == []


def test_unpublish_takes_away_only_empty_folders_of_the_pod(folder: Path, node: Node) -> None:
    with Kubelet(folder / "csi.sock", folder / "root", 5) as kubelet:
        target = kubelet.publish(VOLUME)
        (folder / "root" / "pods" / UID / "etc-hosts").touch()
        kubelet.unpublish(VOLUME)
    assert not (folder / "root" / "pods" / UID / "volumes").exists()
    assert (folder / "root" / "pods" / UID / "etc-hosts").exists()
    assert node.asked[1].target_path == str(target)


def test_tokens_come_with_their_end_where_they_tell_it() -> None:
    good, dumb, odd = jwt(exp=1893456000), SecretText("opaque"), jwt(exp="soon")
    volume = PodVolume("shop", "web-0", "web", "demo", uid=UID, tokens={"sts": good, "": dumb, "x": odd})
    assert json.loads(volume.context()[f"{CSI}serviceAccount.tokens"]) == {
        "sts": {"token": good.reveal(), "expirationTimestamp": "2030-01-01T00:00:00Z"},
        "": {"token": "opaque"},
        "x": {"token": odd.reveal()},
    }
    assert f"{CSI}serviceAccount.tokens" not in volume.open_context()
    assert "opaque" not in repr(volume)


def test_a_pod_without_a_uid_gets_one_that_stays() -> None:
    one, same, other = (PodVolume("shop", pod, "web", "demo") for pod in ("web-0", "web-0", "web-1"))
    assert one.volume_id == same.volume_id != other.volume_id


def test_a_provider_is_asked_as_our_driver_asks() -> None:
    parameters = {"objects": "[]", f"{CSI}serviceAccount.tokens": "forged", f"{CSI}pod.name": "forged"}
    request = mount_request(VOLUME, parameters, Path("/var/lib/kubelet"))
    assert json.loads(request.attributes) == {"objects": "[]", **OPEN}
    assert (request.secrets, request.permission) == ("null", "420")
    assert request.target_path == f"/var/lib/kubelet/pods/{UID}/volumes/kubernetes.io~csi/vol/mount"
