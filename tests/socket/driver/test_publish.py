"""A volume fills and vanishes; what the provider is told; what is no valid request."""

import json
import socket
import stat
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest

from driver_rig import LIMITS, POD, TOKENS, Driver, failure, gone, mounts, needs_mount, status_files
from scripted_provider import ScriptedProvider, always, volume
from sscsi_driver import tmpfs
from sscsi_driver.csi import csi_pb2
from sscsi_shared.v1alpha1 import provider_pb2 as pb

pytestmark = needs_mount


class TestOnePod:
    """The whole line of one volume."""

    def test_a_volume_fills_and_vanishes(
        self, driver: Driver, provider: ScriptedProvider, home: Path, target: Path
    ) -> None:
        provider.answer = always(volume(("password", b"one"), ("tls/key", b"two"), mode=0o400))

        driver.publish(target)

        assert (target / "password").read_bytes() == b"one"
        assert (target / "tls" / "key").read_bytes() == b"two"
        assert stat.S_IMODE((target / "password").stat().st_mode) == 0o400
        assert stat.S_IMODE(target.stat().st_mode) == 0o755
        assert mounts(home) == [str(target)]
        options = next(line for line in Path("/proc/self/mounts").read_text().splitlines() if str(target) in line)
        assert {"noexec", "nosuid", "nodev", "size=16384k", "nr_inodes=1024"} <= set(options.split()[3].split(","))
        assert driver.counted("node_publish_total", provider="test") == 1

        driver.unpublish(target)

        assert gone(home, target)
        assert driver.counted("node_unpublish_total") == 1

    def test_what_the_provider_is_told(self, driver: Driver, provider: ScriptedProvider, target: Path) -> None:
        tokens = '{"sts.amazonaws.com":{"token":"t"}}'
        driver.classes.parameters = {
            "objects": "a",
            "region": "of class",
            "csi.storage.k8s.io/pod.uid": "forged",
            "x": "<&>é",
        }

        driver.publish(
            target,
            volume_context=POD | {"region": "of pod", TOKENS: tokens, "csi.storage.k8s.io/made.up": "forged"},
            secrets={"user": "u"},
        )

        request = provider.requests[0]
        assert json.loads(request.attributes) == {
            **POD,
            "objects": "a",
            "region": "of pod",
            "x": "<&>é",
            TOKENS: tokens,
        }
        assert json.loads(request.secrets) == {"user": "u"}
        assert request.permission == "420"
        assert request.target_path == str(target)
        assert list(request.current_object_version) == []

    def test_without_secrets_the_text_is_null(self, driver: Driver, provider: ScriptedProvider, target: Path) -> None:
        driver.publish(target)
        assert provider.requests[0].secrets == "null"

    def test_the_authority_is_localhost(self, driver: Driver, home: Path, target: Path) -> None:
        """Go servers refuse the socket's path, which gRPC would send by itself. The header is plain text."""
        received = b""
        with socket.socket(socket.AF_UNIX) as listener, futures.ThreadPoolExecutor(1) as pool:
            listener.bind(str(home / "b" / "test.sock"))
            listener.listen(4)
            call = pool.submit(failure, lambda: driver.publish(target))
            listener.accept()[0].close()  # the driver's look whether anybody listens: once before the mount
            listener.accept()[0].close()  # and once before the call
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"\0\0\0\4\0\0\0\0\0")  # HTTP/2: empty SETTINGS
                connection.settimeout(5)
                while b"/v1alpha1.CSIDriverProvider/Mount" not in received:
                    received += connection.recv(4096)
            listener.close()
            call.result()
        assert b"localhost" in received

    def test_the_pod_status_says_what_is_mounted(
        self, rotating: Driver, provider: ScriptedProvider, home: Path, target: Path
    ) -> None:
        provider.answer = always(volume(("b", b"1"), ("a", b"2"), version="v1"))

        rotating.publish(target)

        assert status_files(home) == {
            "shop.web-0-shop-demo.yaml": {
                "apiVersion": "secrets-store.csi.x-k8s.io/v1",
                "kind": "SecretProviderClassPodStatus",
                "metadata": {
                    "name": "web-0-shop-demo",
                    "namespace": "shop",
                    "labels": {"internal.secrets-store.csi.k8s.io/node-name": "node-1"},
                    "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "web-0", "uid": "uid-1"}],
                },
                "status": {
                    "podName": "web-0",
                    "secretProviderClassName": "demo",
                    "targetPath": str(target),
                    "mounted": True,
                    "objects": [{"id": "a", "version": "v1"}, {"id": "b", "version": "v1"}],
                },
            }
        }

    def test_publish_and_unpublish_are_idempotent(
        self, driver: Driver, provider: ScriptedProvider, home: Path, target: Path
    ) -> None:
        driver.publish(target)
        driver.publish(target)
        assert mounts(home) == [str(target)]
        assert len(provider.requests) == 1

        driver.unpublish(target)
        driver.unpublish(target)
        assert gone(home, target)

    def test_unpublish_of_what_never_was(self, driver: Driver, target: Path, home: Path) -> None:
        driver.unpublish(target)
        assert gone(home, target)

    def test_a_provider_that_writes_the_files_itself(
        self, driver: Driver, provider: ScriptedProvider, home: Path, target: Path
    ) -> None:
        def write(request: pb.MountRequest, context: grpc.ServicerContext) -> pb.MountResponse:
            Path(request.target_path, "own").write_bytes(b"own")
            return volume()

        provider.answer = write

        driver.publish(target)
        driver.publish(target)

        assert (target / "own").read_bytes() == b"own"
        assert len(provider.requests) == 1
        driver.unpublish(target)
        assert gone(home, target)

    def test_a_volume_in_use_is_detached(
        self, driver: Driver, provider: ScriptedProvider, home: Path, target: Path
    ) -> None:
        driver.publish(target)
        with (target / "password").open("rb") as reader:
            driver.unpublish(target)
            assert reader.read() == b"one"
        assert gone(home, target)

    def test_stacked_mounts_of_the_existing_driver_all_go(self, driver: Driver, home: Path, target: Path) -> None:
        target.mkdir(parents=True)
        for _ in range(10):
            tmpfs.mount(target, LIMITS)

        driver.unpublish(target)

        assert gone(home, target)

    def test_a_plain_directory_with_files_goes(self, driver: Driver, home: Path, target: Path) -> None:
        target.mkdir(parents=True)
        (target / "secret").write_bytes(b"on the node's disk")

        driver.unpublish(target)

        assert gone(home, target)


class TestArguments:
    """What no driver could serve; the texts are the existing driver's."""

    @pytest.mark.parametrize(
        ("changes", "text"),
        [
            ({"volume_capability": None}, "Volume capability missing in request"),
            ({"volume_id": ""}, "Volume ID missing in request"),
            ({"target_path": ""}, "Target path missing in request"),
            ({"volume_context": {}}, "Volume attributes missing in request"),
            ({"readonly": False}, "Readonly is not true in request"),
            ({"target_path": "relative/mount"}, "Target path in request"),
            ({"target_path": "/a/../b/mount"}, "Target path in request"),
            ({"volume_capability": csi_pb2.VolumeCapability(block={})}, "Block volumes are not supported"),
            ({"volume_context": {"secretProviderClass": "demo"}}, "the request does not say whose volume it is"),
        ],
    )
    def test_invalid_argument(
        self, driver: Driver, provider: ScriptedProvider, home: Path, target: Path, changes: dict[str, Any], text: str
    ) -> None:
        for _ in range(2):
            code, details = failure(lambda: driver.publish(target, **changes))
            assert code is grpc.StatusCode.INVALID_ARGUMENT
            assert details.startswith(text)
        assert gone(home, target)
        assert provider.requests == []
        counts = (
            driver.counted("node_publish_error_total", provider=name, error_type="InvalidRequest")
            for name in ("", "test")
        )
        assert sum(counts) == 2

    def test_unpublish(self, driver: Driver) -> None:
        stub = driver.node.NodeUnpublishVolume
        assert failure(lambda: stub(csi_pb2.NodeUnpublishVolumeRequest(target_path="/x/y"))) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "Volume ID missing in request",
        )
        assert failure(lambda: stub(csi_pb2.NodeUnpublishVolumeRequest(volume_id="v"))) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "Target path missing in request",
        )
        assert driver.counted("node_unpublish_error_total") == 2

    def test_the_class(self, driver: Driver, home: Path, target: Path) -> None:
        driver.classes.present = False
        code, details = failure(lambda: driver.publish(target))
        assert code is grpc.StatusCode.UNKNOWN
        assert details.startswith(
            "failed to get secretproviderclass shop/demo, error: "
            'SecretProviderClass.secrets-store.csi.x-k8s.io "demo" not found.'
        )
        code, details = failure(lambda: driver.publish(target, volume_context={**POD, "secretProviderClass": ""}))
        assert (code, details.startswith("secretProviderClass is not set")) == (grpc.StatusCode.UNKNOWN, True)
        assert gone(home, target)
        assert driver.counted("node_publish_error_total", provider="", error_type="SecretProviderClassNotFound") == 2

    def test_identity_and_node_info(self, driver: Driver) -> None:
        info = driver.identity.GetPluginInfo(csi_pb2.GetPluginInfoRequest())
        assert (info.name, info.vendor_version[:1]) == ("driver", "v")
        assert list(driver.identity.GetPluginCapabilities(csi_pb2.GetPluginCapabilitiesRequest()).capabilities) == []
        assert driver.identity.Probe(csi_pb2.ProbeRequest()).ready.value
        capabilities = driver.node.NodeGetCapabilities(csi_pb2.NodeGetCapabilitiesRequest()).capabilities
        rpc = csi_pb2.NodeServiceCapability.RPC
        assert [one.rpc.type for one in capabilities] == [rpc.GET_VOLUME_STATS, rpc.VOLUME_MOUNT_GROUP]
        assert driver.node.NodeGetInfo(csi_pb2.NodeGetInfoRequest()).node_id == "node-1"
        code, _ = failure(lambda: driver.node.NodeStageVolume(csi_pb2.NodeStageVolumeRequest(volume_id="v")))
        assert code is grpc.StatusCode.UNIMPLEMENTED
