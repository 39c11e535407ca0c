"""The driver in this process, on a real socket, with real tmpfs mounts; and what tests ask of the world around it."""

import dataclasses
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from prometheus_client import CollectorRegistry

from sscsi_driver import control, tmpfs
from sscsi_driver.annotations import Annotations
from sscsi_driver.attributes import DriverObject, OverlayRule, refusal
from sscsi_driver.classes import Classes, SecretProviderClass, not_found
from sscsi_driver.csi import csi_pb2, csi_pb2_grpc
from sscsi_driver.dispatch import Providers
from sscsi_driver.events import Event
from sscsi_driver.filling import Filler, PublishSettings
from sscsi_driver.identity import IdentityServicer
from sscsi_driver.metrics import DriverMetrics
from sscsi_driver.node import NodeServicer
from sscsi_driver.publishing import Publisher
from sscsi_driver.refreshing import Refresher
from sscsi_driver.secret_sink import Filled
from sscsi_driver.status_folder import StatusFolder
from sscsi_driver.tmpfs import TmpfsLimits
from sscsi_driver.volume import Volumes
from sscsi_shared.cancellation import Cancellation
from sscsi_shared.deadline import Deadline
from sscsi_shared.mount import PodInfo

LIMITS = TmpfsLimits(size=16 * 1024 * 1024, inodes=1024)
POD = {
    "csi.storage.k8s.io/pod.name": "web-0",
    "csi.storage.k8s.io/pod.namespace": "shop",
    "csi.storage.k8s.io/pod.uid": "uid-1",
    "csi.storage.k8s.io/serviceAccount.name": "web",
    "csi.storage.k8s.io/ephemeral": "true",
    "secretProviderClass": "demo",
}
TOKENS = "csi.storage.k8s.io/serviceAccount.tokens"
INTERVAL = 120.0
PREFIX = "failed to mount secrets store objects for pod shop/web-0, err: "


def can_mount() -> str:
    """Empty if a tmpfs can really be mounted here; else why not."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        tmpfs.mount(folder, LIMITS)
        tmpfs.unmount(folder)
    except OSError as error:
        return f"no tmpfs can be mounted here: {error.strerror}"
    finally:
        folder.rmdir()
    return ""


CANT_MOUNT = can_mount()
needs_mount = [pytest.mark.mount, pytest.mark.skipif(bool(CANT_MOUNT), reason=CANT_MOUNT or "mounting works")]


@dataclasses.dataclass
class MemoryClasses:
    """Classes of a test; namespace shop, class demo."""

    parameters: dict[str, str] = dataclasses.field(default_factory=lambda: {"objects": "- objectName: password"})
    provider: str = "test"
    driver: DriverObject | None = None
    present: bool = True
    refresh: str = ""

    def get(self, namespace: str, name: str) -> SecretProviderClass:
        if not self.present or (namespace, name) != ("shop", "demo"):
            raise not_found(namespace, name, ["demo"], [])
        return SecretProviderClass(namespace, name, self.provider, self.parameters, self.refresh)

    def driver_object(self, driver_name: str) -> DriverObject | None:
        return self.driver


class KeptSecrets:
    """A SecretSink that keeps what it is given."""

    def __init__(self) -> None:
        self.filled: list[Filled] = []
        self.forgotten: list[Path] = []

    def write(self, filled: Filled, entries: Sequence[Mapping[str, Any]], deadline: Deadline) -> None:
        self.filled.append(filled)

    def forget(self, target: Path) -> None:
        self.forgotten.append(target)


class Driver:
    """One driver process's worth of objects; several may follow each other on one set of folders."""

    def __init__(
        self,
        home: Path,
        rotation_interval: float | None = None,
        overlay: OverlayRule | None = None,
        classes: Classes | None = None,
        max_receive_bytes: int = 4 * 1024 * 1024,
    ) -> None:
        self.home = home
        self.folders = (home / "a", home / "b")
        for folder in self.folders:
            folder.mkdir(exist_ok=True)
        self.classes = MemoryClasses()
        self.registry = CollectorRegistry()
        self.now = 1000.0
        self.told: list[Event] = []
        metrics = DriverMetrics(self.registry)
        self.volumes: Volumes[Any] = Volumes()
        self.providers = Providers(self.folders, max_receive_bytes)
        self.secrets = KeptSecrets()
        filler = Filler(
            classes=classes or self.classes,
            providers=self.providers,
            statuses=StatusFolder(home / "status"),
            settings=PublishSettings("driver", "node-1", LIMITS, overlay or OverlayRule(), rotation_interval),
            secrets=self.secrets,
            now=lambda: self.now,
        )
        self.refresher = Refresher(
            filler=filler,
            volumes=self.volumes,
            metrics=metrics,
            events=self,
            clock=lambda: self.now,
            now=lambda: self.now,
            jitter=lambda: 0.0,
        )
        self.words: dict[str, str] | None = None
        self.annotations = Annotations(filler=filler, pods=self, volumes=self.volumes, force=self.refresher.force)
        self.publisher = Publisher(
            filler=filler,
            refresher=self.refresher,
            volumes=self.volumes,
            metrics=metrics,
            events=self,
            now=lambda: self.now,
        )
        self.socket = home / "csi.sock"
        self.server = grpc.server(futures.ThreadPoolExecutor(24))
        identity = IdentityServicer("driver", lambda: refusal("driver", self.classes.driver_object("driver")))
        node = NodeServicer(self.publisher, "node-1", metrics, any_target=True)
        csi_pb2_grpc.add_NodeServicer_to_server(node, self.server)  # type: ignore[no-untyped-call]
        csi_pb2_grpc.add_IdentityServicer_to_server(identity, self.server)  # type: ignore[no-untyped-call]
        control.add_to_server(self.refresher.force, self.server)
        self.server.add_insecure_port(f"unix:{self.socket}")
        self.server.start()
        self.channel = grpc.insecure_channel(f"unix:{self.socket}", options=(("grpc.use_local_subchannel_pool", 1),))
        self.node = csi_pb2_grpc.NodeStub(self.channel)  # type: ignore[no-untyped-call]
        self.identity = csi_pb2_grpc.IdentityStub(self.channel)  # type: ignore[no-untyped-call]

    def tell(self, pod: PodInfo, event: Event) -> None:
        """See Events."""
        assert pod.namespace == "shop"
        self.told.append(event)

    def refresh_words(self) -> Mapping[str, str] | None:
        """See PodWords."""
        return self.words

    def stop(self) -> None:
        self.channel.close()
        self.server.stop(None).wait()
        self.providers.close()

    def request(self, target: Path, **changes: Any) -> csi_pb2.NodePublishVolumeRequest:
        fields: dict[str, Any] = {
            "volume_id": "csi-1",
            "target_path": str(target),
            "volume_capability": csi_pb2.VolumeCapability(mount=csi_pb2.VolumeCapability.MountVolume()),
            "readonly": True,
            "volume_context": POD,
        }
        return csi_pb2.NodePublishVolumeRequest(**(fields | changes))

    def publish(self, target: Path, timeout: float = 20, **changes: Any) -> None:
        self.node.NodePublishVolume(self.request(target, **changes), timeout=timeout)

    def rotate(self) -> int:
        """Fetch what is due, here and now; how many."""
        due = self.refresher.due()
        for target in due:
            self.refresher.refresh(target, Deadline.after(20), Cancellation())
        return len(due)

    def unpublish(self, target: Path) -> None:
        self.node.NodeUnpublishVolume(
            csi_pb2.NodeUnpublishVolumeRequest(volume_id="csi-1", target_path=str(target)), timeout=20
        )

    def counted(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, {"os_type": "linux", **labels}) or 0.0


def failure(call: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error = caught.value
    assert isinstance(error, grpc.Call)
    return error.code(), error.details()


def mounts(home: Path) -> list[str]:
    return tmpfs.mount_points_below(home)


def status_files(home: Path) -> dict[str, Mapping[str, Any]]:
    return {path.name: yaml.safe_load(path.read_text()) for path in (home / "status").glob("*.yaml")}


def gone(home: Path, target: Path) -> bool:
    return not mounts(home) and not target.exists() and status_files(home) == {}


def until(condition: Callable[[], bool]) -> bool:
    for _ in range(200):
        if condition():
            return True
        threading.Event().wait(0.05)
    return False
