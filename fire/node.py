"""A node on this machine: the driver's daemon, one provider's, and a kubelet that notes its volumes beside them."""

import json
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import yaml

from fire.backend_process import FarBackend
from fire.case import NotRun
from fire.scripted_process import NAME as SCRIPTED
from sscsi.daemons import Daemon
from sscsi.kubelet import Kubelet, PodVolume, ask_provider, channel_to, mount_request
from sscsi_driver.csi import csi_pb2, csi_pb2_grpc
from sscsi_driver.tmpfs import TmpfsLimits, mount, mount_points_below, unmount
from sscsi_emulators.tokens import unsigned_token
from sscsi_shared.secret import SecretText
from sscsi_shared.v1alpha1 import provider_pb2

NAMESPACE, CLASS = "shop", "demo"
DRIVER_NAME = "secrets-store.csi.k8s.io"
SECRETS = 3


class Node:
    """From `with` to its end.

    Args:
        cloud: whose provider; None = the scripted one.
        seed: of the scripted provider's generations.
        accounts: how many service accounts there are: `web-0`, `web-1`, ...
        driver_flags: more of the driver's.
        provider_flags: more of the provider's.

    Attributes:
        backend: the cloud's stand-in.
        driver: its daemon; not started.
        provider: its daemon; not started.
        home: the folder of everything.
        root: kubelet's folder.
    """

    def __init__(
        self,
        cloud: type[FarBackend] | None,
        seed: int = 0,
        *,
        accounts: int = 1,
        driver_flags: Sequence[str] = (),
        provider_flags: Sequence[str] = (),
    ) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="fire-", dir="/tmp"))
        self.root = self.home / "kubelet"
        self.sockets = self.home / "providers"
        self.run = self.home / "run"
        self.status = self.home / "status"
        self._cloud = cloud
        self._seed = seed
        self._accounts = accounts
        self._driver_flags = driver_flags
        self._provider_flags = provider_flags
        self._stack = ExitStack()
        self.backend: FarBackend
        self.driver: Daemon
        self.provider: Daemon

    def __enter__(self) -> Self:
        self._stack.callback(shutil.rmtree, self.home, ignore_errors=True)
        self._stack.callback(self._unmount_all)
        try:
            self._set_up()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def volume(self, pod: str, account: int = 0) -> PodVolume:
        """A pod's volume, with a new token."""
        name = f"web-{account}"
        audience = self.backend.audience if self._cloud else "scripted"
        token = SecretText(unsigned_token(NAMESPACE, name, audience))
        return PodVolume(NAMESPACE, pod, name, CLASS, tokens={audience: token})

    def note(self, volume: PodVolume) -> Path:
        """What kubelet does before it publishes: a folder with a note in it. The target's path."""
        target = volume.target(self.root)
        target.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        text = json.dumps({"driverName": DRIVER_NAME, "volumeLifecycleMode": "Ephemeral"})
        (target.parent / "vol_data.json").write_text(text, encoding="utf-8")
        return target

    def publish(self, volume: PodVolume, timeout: float = 30.0) -> Path:
        """NodePublishVolume.

        Raises:
            grpc.RpcError: it failed.
        """
        self.note(volume)
        with self.kubelet(timeout) as kubelet:
            return kubelet.publish(volume)

    def publish_only(self, volume: PodVolume) -> None:
        """NodePublishVolume where kubelet has made no folder: the driver makes them.

        Raises:
            grpc.RpcError: it failed.
        """
        request = csi_pb2.NodePublishVolumeRequest(
            volume_id=volume.volume_id,
            target_path=str(volume.target(self.root)),
            volume_capability=csi_pb2.VolumeCapability(mount=csi_pb2.VolumeCapability.MountVolume()),
            readonly=True,
            volume_context=volume.context(),
        )
        with channel_to(self.driver.socket) as channel:
            csi_pb2_grpc.NodeStub(channel).NodePublishVolume(request, timeout=30)  # type: ignore[no-untyped-call]

    def unpublish(self, volume: PodVolume) -> None:
        """NodeUnpublishVolume; then kubelet's folder of the volume goes too.

        Raises:
            grpc.RpcError: it failed.
        """
        with self.kubelet() as kubelet:
            kubelet.unpublish(volume)
        shutil.rmtree(self.root / "pods" / volume.pod_uid, ignore_errors=True)

    def kubelet(self, timeout: float = 30.0) -> Kubelet:
        """A client of the driver's socket."""
        return Kubelet(self.driver.socket, self.root, timeout)

    def ask(self, volume: PodVolume, timeout: float = 30.0) -> int:
        """Ask the provider as the driver does; how many files it answers.

        Raises:
            grpc.RpcError: it failed.
        """
        return len(ask_provider(self.provider.socket, self.request(volume), timeout).files)

    def request(self, volume: PodVolume) -> provider_pb2.MountRequest:
        """What the driver would ask the provider."""
        return mount_request(volume, self._parameters(), self.root)

    def mounts(self) -> list[str]:
        """What is mounted for kubelet."""
        return mount_points_below(self.root)

    def _set_up(self) -> None:
        see_whether_mounting_works(self.home)
        for folder in (self.root, self.sockets, self.run, self.home / "objects"):
            folder.mkdir()
        if self._cloud is None:
            self.provider = self._daemon("fire.scripted_process", self.sockets / f"{SCRIPTED}.sock")
        else:
            self.backend = self._stack.enter_context(self._cloud(0.0, self.home))
            name = self._cloud.name
            arguments = [
                f"--provider-volume={self.sockets}",
                f"--objects={self.home}/objects",
                *self.backend.flags(),
                *self._provider_flags,
            ]
            self.provider = self._daemon(f"sscsi_provider_{name}", self.sockets / f"{name}.sock", arguments)
        (self.home / "objects" / "all.yaml").write_text(yaml.safe_dump_all(self._objects()), encoding="utf-8")
        self.driver = self._daemon(
            "sscsi_driver",
            self.run / "csi.sock",
            [
                f"--endpoint=unix://{self.run}/csi.sock",
                "--nodeid=node-1",
                f"--provider-volume={self.sockets}",
                "--additional-provider-volume-paths=",
                f"--objects={self.home}/objects",
                f"--status-dir={self.status}",
                "--takeover-wait=0s",
                "--metrics-addr=",
                *self._driver_flags,
            ],
        )

    def _daemon(self, module: str, socket: Path, arguments: Sequence[str] | None = None) -> Daemon:
        environ = self.backend.environ() if self._cloud else {}
        given = [str(socket), str(self._seed)] if arguments is None else arguments
        daemon = Daemon(module, given, socket, self.home / f"{module}.log", environ)
        self._stack.callback(daemon.kill)
        return daemon

    def _parameters(self) -> dict[str, str]:
        return dict(self.backend.parameters(SECRETS)) if self._cloud else {"objects": "- objectName: generation"}

    def _objects(self) -> list[dict[str, object]]:
        def meta(name: str, **more: object) -> dict[str, object]:
            return {"name": name, "namespace": NAMESPACE, **more}

        provider = self._cloud.name if self._cloud else SCRIPTED
        spec = {"provider": provider, "parameters": self._parameters()}
        of_class = {"apiVersion": "secrets-store.csi.x-k8s.io/v1", "kind": "SecretProviderClass"}
        accounts: list[dict[str, object]] = []
        for name in (f"web-{number}" for number in range(self._accounts)):
            annotations = dict(self.backend.annotations(name)) if self._cloud else {}
            accounts.append(
                {
                    "apiVersion": "v1",
                    "kind": "ServiceAccount",
                    "metadata": meta(name, uid=f"uid-{name}", annotations=annotations),
                }
            )
        return [{**of_class, "metadata": meta(CLASS), "spec": spec}, *accounts]

    def _unmount_all(self) -> None:
        for point in reversed(mount_points_below(self.home)):
            unmount(Path(point))


def see_whether_mounting_works(folder: Path) -> None:
    """Mount a tmpfs and take it away again.

    Raises:
        NotRun: nobody lets us.
    """
    try:
        mount(folder, TmpfsLimits(1 << 20, 16))
    except OSError as error:
        raise NotRun(f"no tmpfs can be mounted here: {error.strerror}") from error
    unmount(folder)
