"""Where faults are tried: a driver, four providers, and four backends with fronts that go bad; started once."""

import atexit
import functools
import shutil
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
import yaml

from fire.case import expect
from fire.faults.cloud import ACCOUNTS, SECRETS, Cloud
from fire.faults.clouds import CLOUDS
from fire.faults.hosts import Hosts
from sscsi.daemons import Daemon
from sscsi.kubelet import Kubelet, PodVolume, ask_provider, channel_to, mount_request
from sscsi_driver import control
from sscsi_driver.tmpfs import mount_points_below, unmount
from sscsi_emulators.tokens import unsigned_token
from sscsi_shared.secret import SecretText

NAMESPACE: Final = "shop"
_TOKEN_SECONDS: Final = 3600
_GRACE_SECONDS: Final = 10
_making: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class Told:
    """How a mount ended.

    Attributes:
        code: of gRPC.
        reason: `sscsi-reason` of the trailing metadata; empty = there was none.
        text: of the status.
        seconds: until it came.
        files: that came; path -> contents.
    """

    code: grpc.StatusCode
    reason: str
    text: str
    seconds: float
    files: Mapping[str, bytes]

    @property
    def good(self) -> bool:
        """Whether all files came."""
        return self.code is grpc.StatusCode.OK


class Place:
    """One cloud's part of the site.

    Attributes:
        cloud: the backend.
        provider: its daemon.
    """

    def __init__(self, site: "Site", cloud: Cloud, provider: Daemon) -> None:
        self._site = site
        self.cloud: Final = cloud
        self.provider: Final = provider
        self._tokens: list[str] = []

    def volume(self, account: int, pod: str) -> PodVolume:
        """A pod's, with a new token."""
        name, now = f"web-{account}", int(time.time())
        audience = self.cloud.audience
        times = {"nbf": now - _GRACE_SECONDS, "exp": now + _TOKEN_SECONDS}
        token = unsigned_token(NAMESPACE, name, audience, **times)
        self._tokens.append(token)
        return PodVolume(NAMESPACE, pod, name, f"demo-{self.cloud.name}", tokens={audience: SecretText(token)})

    def mount(self, account: int, patience: float) -> Told:
        """Ask the provider as a driver does whose own caller waits so long."""
        request = mount_request(self.volume(account, f"pod-{account}"), dict(self.cloud.parameters()), self._site.root)
        began = time.monotonic()
        try:
            answer = ask_provider(self.provider.socket, request, patience)
        except grpc.RpcError as error:
            assert isinstance(error, grpc.Call)  # noqa: PT017  # says so to mypy
            metadata = {str(key): str(value) for key, value in error.trailing_metadata() or ()}
            seconds = time.monotonic() - began
            return Told(error.code(), metadata.get("sscsi-reason", ""), error.details() or "", seconds, {})
        files = {file.path: file.contents for file in answer.files}
        return Told(grpc.StatusCode.OK, "", "", time.monotonic() - began, files)

    def publish(self, volume: PodVolume) -> Path:
        """NodePublishVolume."""
        with Kubelet(self._site.driver.socket, self._site.root, 60) as kubelet:
            return kubelet.publish(volume)

    def unpublish(self, volume: PodVolume) -> None:
        """NodeUnpublishVolume."""
        with Kubelet(self._site.driver.socket, self._site.root, 60) as kubelet:
            kubelet.unpublish(volume)

    def rotate(self) -> None:
        """Let the driver fetch the cloud's volumes now."""
        with channel_to(self._site.driver.socket) as channel:
            control.refresh(channel, f"{NAMESPACE}/demo-{self.cloud.name}", 10)

    def log(self) -> str:
        """The driver's, until now."""
        return self._site.driver.log.read_text(encoding="utf-8", errors="replace")

    def secrets(self) -> set[str]:
        """What no text and no log may hold: tokens of pods, and what the backend gave out."""
        return {*self._tokens, *(one for one in self.cloud.handed_out() if len(one) > 8)}

    def everything_said(self) -> str:
        """All logs."""
        return self.log() + self.provider.log.read_text(encoding="utf-8", errors="replace")


class Site:
    """Started by `site`."""

    def __init__(self, hosts: Hosts) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="fire-", dir="/tmp"))
        self.root = self.home / "kubelet"
        self.hosts: Final = hosts
        self.places: dict[str, Place] = {}
        self._stack = ExitStack()
        self._stack.callback(shutil.rmtree, self.home, ignore_errors=True)
        self._stack.callback(self._unmount_all)
        for name in ("kubelet", "providers", "run", "objects"):
            (self.home / name).mkdir()
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise

    def close(self) -> None:
        """End everything."""
        self._stack.close()

    def _start(self) -> None:
        clouds = [self._stack.enter_context(one(self._host)) for one in CLOUDS]
        documents = [document for cloud in clouds for document in _objects(cloud)]
        (self.home / "objects" / "all.yaml").write_text(yaml.safe_dump_all(documents), encoding="utf-8")
        for cloud in clouds:
            cloud.put("first")
            cloud.resolve = self._resolve
            self.places[cloud.name] = Place(self, cloud, self._provider(cloud))
        self.driver = self._daemon(
            "sscsi_driver",
            self.home / "run" / "csi.sock",
            [
                f"--endpoint=unix://{self.home}/run/csi.sock", "--nodeid=node-1",
                f"--provider-volume={self.home}/providers", "--additional-provider-volume-paths=",
                f"--objects={self.home}/objects", f"--status-dir={self.home}/status", "--takeover-wait=0s",
                "--metrics-addr=", "--enable-secret-rotation", "--rotation-poll-interval=1h", "--log-level=debug",
            ],
            {},
        )  # fmt: skip
        for place in self.places.values():
            place.provider.start()
        self.driver.start()

    def _host(self, name: str) -> str:
        self.hosts.add(name)
        return name

    def _resolve(self, name: str, good: bool) -> None:
        (self.hosts.add if good else self.hosts.remove)(name)

    def _provider(self, cloud: Cloud) -> Daemon:
        flags = [
            f"--provider-volume={self.home}/providers", f"--objects={self.home}/objects/{cloud.name}",
            *cloud.flags(), "--cache-ttl=0s", "--takeover-wait=0s", "--log-level=debug",
        ]  # fmt: skip
        folder = self.home / "objects" / cloud.name
        folder.mkdir()
        (folder / "all.yaml").write_text(yaml.safe_dump_all(_objects(cloud)[1:]), encoding="utf-8")
        socket = self.home / "providers" / f"{cloud.name}.sock"
        return self._daemon(f"sscsi_provider_{cloud.name}", socket, flags, cloud.environ())

    def _daemon(self, module: str, socket: Path, flags: list[str], environ: Mapping[str, str]) -> Daemon:
        daemon = Daemon(module, flags, socket, self.home / f"{module}.log", environ)
        self._stack.callback(daemon.kill)
        return daemon

    def _unmount_all(self) -> None:
        for point in reversed(mount_points_below(self.home)):
            unmount(Path(point))


def site() -> Site:
    """The one of this process.

    Raises:
        NotRun: names can't be made here.
    """
    with _making:
        return _made()


@functools.cache
def _made() -> Site:
    made = Site(Hosts())
    atexit.register(made.close)
    return made


def _objects(cloud: Cloud) -> list[dict[str, object]]:
    spec = {"provider": cloud.name, "parameters": dict(cloud.parameters())}
    of_class: dict[str, object] = {
        "apiVersion": "secrets-store.csi.x-k8s.io/v1",
        "kind": "SecretProviderClass",
        "metadata": {"name": f"demo-{cloud.name}", "namespace": NAMESPACE},
        "spec": spec,
    }
    accounts: list[dict[str, object]] = [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {
                "name": name,
                "namespace": NAMESPACE,
                "uid": f"uid-{name}",
                "annotations": dict(cloud.annotations(name)),
            },
        }
        for name in (f"web-{number}" for number in range(ACCOUNTS))
    ]
    return [of_class, *accounts]


def contents(target: Path) -> set[bytes]:
    """What the files of a volume hold.

    Raises:
        Broken: not all files are there.
    """
    found = {name: (target / name).read_bytes() for name in SECRETS}
    expect(len(found) == len(SECRETS), f"files: {sorted(found)}")
    return set(found.values())
