"""reference/driver.md section 20a: NodePublish, NodeUnpublish, identity, endpoints, what a log may hold."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from driver_rig import INTERVAL, POD, TOKENS, Driver, failure, mounts, needs_mount
from scripted_provider import ScriptedProvider
from sscsi_driver.class_folder import FolderClasses
from sscsi_driver.csi import csi_pb2, csi_pb2_grpc
from sscsi_driver.identity import IdentityServicer
from sscsi_driver.options import read_options
from sscsi_shared.daemon.serving import Service, running

pytestmark = needs_mount

CLASSES = """
{apiVersion: secrets-store.csi.x-k8s.io/v1, kind: SecretProviderClass, metadata: {name: good, namespace: shop},
 spec: {provider: test, parameters: {a: b}}}
---
{apiVersion: secrets-store.csi.x-k8s.io/v1, kind: SecretProviderClass, metadata: {name: elsewhere, namespace: other},
 spec: {provider: test, parameters: {a: b}}}
---
{apiVersion: secrets-store.csi.x-k8s.io/v1, kind: SecretProviderClass, metadata: {name: no-provider, namespace: shop},
 spec: {parameters: {a: b}}}
---
{apiVersion: secrets-store.csi.x-k8s.io/v1, kind: SecretProviderClass, metadata: {name: no-parameters, namespace: shop},
 spec: {provider: test}}
---
{apiVersion: secrets-store.csi.x-k8s.io/v1, kind: SecretProviderClass, metadata: {name: no-socket, namespace: shop},
 spec: {provider: absent, parameters: {a: b}}}
"""
INVALID, UNKNOWN = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNKNOWN


def naming(of_class: str) -> dict[str, Any]:
    return {"volume_context": {**POD, "secretProviderClass": of_class}}


@pytest.fixture
def classy(start: Callable[..., Driver], home: Path) -> Driver:
    (home / "classes").mkdir()
    (home / "classes" / "all.yaml").write_text(CLASSES)
    return start(classes=FolderClasses(home / "classes"))


class TestNodePublish:
    """Each error is tried twice; nothing stays mounted; the error counter goes up by one each time."""

    @pytest.mark.parametrize(
        ("changes", "code", "text"),
        [
            ({"volume_capability": None}, INVALID, "Volume capability missing in request"),
            ({"volume_id": ""}, INVALID, "Volume ID missing in request"),
            ({"target_path": ""}, INVALID, "Target path missing in request"),
            ({"volume_context": {}}, INVALID, "Volume attributes missing in request"),
            (naming(""), UNKNOWN, "secretProviderClass is not set"),
            (naming("absent"), UNKNOWN, "failed to get secretproviderclass shop/absent, error: "),
            (naming("elsewhere"), UNKNOWN, "failed to get secretproviderclass shop/elsewhere, error: "),
            (naming("no-provider"), UNKNOWN, "provider not set in shop/no-provider"),
            (naming("no-parameters"), UNKNOWN, "parameters not set in shop/no-parameters"),
            (naming("good") | {"readonly": False}, INVALID, "Readonly is not true in request"),
            (naming("no-socket"), UNKNOWN, "failed to mount secrets store objects for pod shop/web-0, err: error conn"),
        ],
    )
    def test_errors(
        self,
        classy: Driver,
        provider: ScriptedProvider,
        home: Path,
        target: Path,
        changes: dict[str, Any],
        code: grpc.StatusCode,
        text: str,
    ) -> None:
        for _ in range(2):
            got, details = failure(lambda: classy.publish(target, **changes))
            assert (got, details[: len(text)]) == (code, text)
            assert mounts(home) == []
        errors = [
            sample.value
            for metric in classy.registry.collect()
            for sample in metric.samples
            if sample.name == "node_publish_error_total"
        ]
        assert sum(errors) == 2
        assert provider.requests == []

    def test_the_event_that_existing_tests_look_for(self, classy: Driver, target: Path) -> None:
        """e2e: `FailedMount.*failed to get secretproviderclass <ns>/<name>.*not found`"""
        _, details = failure(lambda: classy.publish(target, **naming("absent")))
        assert "not found" in details

    def test_twice_without_rotation(self, classy: Driver, provider: ScriptedProvider, home: Path, target: Path) -> None:
        for _ in range(2):
            classy.publish(target, **naming("good"))
        assert mounts(home) == [str(target)]
        assert classy.counted("node_publish_total", provider="test") == 2

    def test_twice_with_rotation_and_tokens(
        self, rotating: Driver, provider: ScriptedProvider, home: Path, target: Path
    ) -> None:
        for _ in range(2):
            rotating.publish(target, volume_context={**POD, TOKENS: '{"a":{"token":"t"}}'})
            rotating.now += 2 * INTERVAL
            rotating.rotate()
        assert mounts(home) == [str(target)]

    def test_a_fresh_empty_directory_is_no_volume(
        self, rotating: Driver, provider: ScriptedProvider, home: Path, target: Path
    ) -> None:
        """Better: the existing driver answers OK twice, with nothing mounted."""
        target.mkdir(parents=True)
        for _ in range(2):
            rotating.publish(target)
        assert mounts(home) == [str(target)]
        assert (target / "password").exists()


class TestNodeUnpublish:
    def test_twice(self, driver: Driver, provider: ScriptedProvider, home: Path, target: Path) -> None:
        driver.publish(target)
        for _ in range(2):
            driver.unpublish(target)
            assert (mounts(home), target.exists()) == ([], False)
        assert driver.counted("node_unpublish_total") == 2

    @pytest.mark.parametrize(
        ("volume_id", "path", "text"),
        [("", "/a/b/c", "Volume ID missing in request"), ("v", "", "Target path missing in request")],
    )
    def test_errors(self, driver: Driver, volume_id: str, path: str, text: str) -> None:
        request = csi_pb2.NodeUnpublishVolumeRequest(volume_id=volume_id, target_path=path)
        assert failure(lambda: driver.node.NodeUnpublishVolume(request, timeout=5)) == (INVALID, text)
        assert driver.counted("node_unpublish_error_total") == 1


def test_identity_without_a_name(home: Path) -> None:
    def register(server: grpc.Server) -> None:
        csi_pb2_grpc.add_IdentityServicer_to_server(IdentityServicer(""), server)  # type: ignore[no-untyped-call]

    service = Service("d", "1", home / "i.sock", register, ("csi.v1.Identity",), 2)
    with running(service), grpc.insecure_channel(f"unix:{home / 'i.sock'}") as channel:
        stub = csi_pb2_grpc.IdentityStub(channel)  # type: ignore[no-untyped-call]
        answer = failure(lambda: stub.GetPluginInfo(csi_pb2.GetPluginInfoRequest(), timeout=5))
    assert answer == (grpc.StatusCode.UNAVAILABLE, "driver name not configured")


class TestEndpoint:
    @pytest.mark.parametrize(
        ("text", "path"),
        [
            ("unix://fake.sock", "/fake.sock"),
            ("unix:///fake.sock", "/fake.sock"),
            ("unix:///a/b/fake.sock", "/a/b/fake.sock"),
            ("UNIX:///a/b/fake.sock", "/a/b/fake.sock"),
        ],
    )
    def test_sockets(self, text: str, path: str) -> None:
        assert read_options([f"--endpoint={text}"], {}, "1").socket == Path(path)

    @pytest.mark.parametrize("text", ["unix:/fake.sock/", "fake.sock", "unix://", "://", ""])
    def test_errors(self, text: str) -> None:
        with pytest.raises(SystemExit):
            read_options([f"--endpoint={text}"], {}, "1")

    @pytest.mark.parametrize("text", ["tcp://127.0.0.1:1234", "TCP://127.0.0.1:1234", "tcp://example.com:1234"])
    def test_no_tcp(self, text: str) -> None:
        """Different: whoever reaches a port could have any pod's secrets mounted. Kubelet takes unix sockets alone."""
        with pytest.raises(SystemExit):
            read_options([f"--endpoint={text}"], {}, "1")


def test_no_token_and_no_secret_is_logged(
    driver: Driver, provider: ScriptedProvider, target: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    changes: dict[str, Any] = {
        "volume_context": {**POD, TOKENS: '{"a":{"token":"canary-token"}}'},
        "secrets": {"user": "canary-secret"},
    }
    driver.publish(target, **changes)
    failure(lambda: driver.publish(target.parents[1] / "other" / "mount", **changes, readonly=False))
    driver.unpublish(target)
    assert "canary" not in caplog.text
    assert "filled the volume" in caplog.text
