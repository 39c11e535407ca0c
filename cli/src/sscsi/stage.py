"""A whole cluster's worth of this on one machine: emulators in this process, providers and driver as real daemons."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sscsi.clouds import AwsCloud, Cloud, Ground
from sscsi.clouds.cloud import ACCOUNT, CLASS, NAMESPACE, POD, VALUE
from sscsi.daemons import Daemon
from sscsi.kubelet import Kubelet, PodVolume
from sscsi_driver.tmpfs import mount_points_below, unmount
from sscsi_emulators.aws import AwsEmulator
from sscsi_emulators.kubernetes import KubernetesEmulator
from sscsi_shared.manifests import Manifest, parse_manifests
from sscsi_shared.secret import SecretText

KEEP_NOTHING: Final = ("--cache-ttl=0", "--session-max-age=0", "--backoff=0")
_MAX_FOLDER_BYTES: Final = 40


def examples(cloud: str) -> Path:
    """The folder of the article's manifests for a cloud."""
    return Path(__file__).resolve().parents[3] / "examples" / cloud


def _short_folder() -> str:
    """Where temporary folders go (TMPDIR), if the path of a socket in one is not too long (107 bytes)."""
    folder = tempfile.gettempdir()
    return folder if len(os.fsencode(folder)) <= _MAX_FOLDER_BYTES else "/tmp"  # noqa: S108


class Stage:
    """Everything that a demo, a test or the bench needs, from `with` to its end.

    Args:
        driver: whether to start the driver; it needs to be able to mount.
        rotation: its --rotation-poll-interval; empty = no rotation.
        reflection: whether the providers serve gRPC reflection.
        tied: whether the daemons are killed when this process is; see Daemon.
        flags: more of every provider's; by default they keep nothing, so that each mount shows what a backend says now.
        clouds: whose providers run; the first is the one whose story is told whole.

    Attributes:
        clouds: the backends, by name.
        providers: their daemons, by name.
        kubernetes: who signs the tokens, and where the providers find service accounts.
        folder: temporary, short enough for sockets.
        objects: the folder of classes that the driver reads.
        driver: the driver's daemon; started only if asked for.
    """

    def __init__(
        self,
        *,
        driver: bool = True,
        rotation: str = "",
        reflection: bool = False,
        tied: bool = False,
        flags: Sequence[str] = KEEP_NOTHING,
        clouds: Sequence[type[Cloud]] = (AwsCloud,),
    ) -> None:
        self.kubernetes = KubernetesEmulator()
        self.folder = Path(tempfile.mkdtemp(prefix="sscsi-", dir=_short_folder()))
        self.objects = self.folder / "objects"
        self.sockets = self.folder / "providers"
        self.kubelet_root = self.folder / "kubelet"
        self.status = self.folder / "status"
        ground = Ground(self.kubernetes, self.folder)
        self.clouds: Mapping[str, Cloud] = {cloud.name: cloud(ground) for cloud in clouds}
        self.providers: dict[str, Daemon] = {}
        self._wants_driver = driver
        self._stack = ExitStack()
        self._rotation = rotation
        self._reflection = reflection
        self._flags = flags
        self._tied = tied

    def __enter__(self) -> Self:
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self._stack.callback(self._unmount_all)
        try:
            self._set_up()
        except BaseException:
            self._stack.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    @property
    def aws(self) -> AwsEmulator:
        """Secrets Manager, SSM and STS, where AWS is among the clouds."""
        cloud = self.clouds[AwsCloud.name]
        if not isinstance(cloud, AwsCloud):
            raise TypeError(f"{cloud} is not the AWS of this package")
        return cloud.backend

    @property
    def provider(self) -> Daemon:
        """The first cloud's daemon."""
        return next(iter(self.providers.values()))

    def tokens(self, account: str = ACCOUNT, pod: str = POD, *, seconds: int = 3600) -> dict[str, SecretText]:
        """What kubelet would get of TokenRequest for a pod, which is made if it is not there: for each audience."""
        uid = PodVolume(NAMESPACE, pod, account, CLASS).pod_uid
        metadata = {"namespace": NAMESPACE, "name": pod, "uid": uid}
        spec = {"serviceAccountName": account}
        self.kubernetes.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
        audiences = [cloud.audience for cloud in self.clouds.values()]
        return {
            audience: SecretText(self.kubernetes.token(NAMESPACE, account, audience, pod, uid, seconds))
            for audience in audiences
        }

    def volume(
        self, of_class: str = CLASS, pod: str = POD, account: str = ACCOUNT, *, name: str = "secrets-store-inline"
    ) -> PodVolume:
        """A volume of a pod that stands on this stage."""
        return PodVolume(NAMESPACE, pod, account, of_class, volume=name, tokens=self.tokens(account, pod))

    def kubelet(self, timeout: float = 120.0) -> Kubelet:
        """A client of the driver's socket."""
        return Kubelet(self.driver.socket, self.kubelet_root, timeout)

    def class_of(self, cloud: str) -> str:
        """The name of the article's class of a cloud; the first cloud's has the article's own."""
        return CLASS if cloud == next(iter(self.clouds)) else f"{CLASS}-{cloud}"

    def parameters_of(self, cloud: str) -> Mapping[str, str]:
        """The parameters of the article's class of a cloud, with this machine's addresses."""
        printed = _example(cloud, "SecretProviderClass").body["spec"]["parameters"]
        return self.clouds[cloud].parameters(printed)

    def class_file(self, name: str) -> Path:
        """Where the driver finds a class."""
        return self.objects / f"{name}.json"

    def put_class(self, name: str, parameters: Mapping[str, str], provider: str = AwsCloud.name) -> None:
        """A class in the driver's folder."""
        body = {
            "apiVersion": "secrets-store.csi.x-k8s.io/v1",
            "kind": "SecretProviderClass",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"provider": provider, "parameters": dict(parameters)},
        }
        self.class_file(name).write_text(json.dumps(body), encoding="utf-8")

    def provider_daemon(self, sockets: Path, *flags: str, cloud: str = AwsCloud.name) -> Daemon:
        """A provider in a folder of sockets, not started yet; with flags beside those that say where everything is."""
        return Daemon(
            f"sscsi_provider_{cloud}",
            [
                f"--provider-volume={sockets}",
                f"--kube-api-url={self.kubernetes.url}",
                f"--kube-token-file={self._own_token(cloud)}",
                "--log-format=text",
                f"--grpc-reflection={str(self._reflection).lower()}",
                *self.clouds[cloud].flags(),
                *flags,
            ],
            sockets / f"{cloud}.sock",
            self.folder / f"{sockets.name}-{cloud}.log",
            tied=self._tied,
            environ=self.clouds[cloud].environ(),
        )

    def calls(self) -> Mapping[str, int]:
        """How often each operation of the backends and of Kubernetes was asked for."""
        total = self.kubernetes.calls.copy()
        for cloud in self.clouds.values():
            total += cloud.calls
        return total

    def handed_out(self) -> Iterable[str]:
        """What nothing may print: tokens and keys of the backends."""
        return (one for cloud in self.clouds.values() for one in cloud.handed_out())

    def _unmount_all(self) -> None:
        """What a killed driver left mounted; else the folder could not be removed."""
        for point in reversed(mount_points_below(self.folder)):
            unmount(Path(point))

    def _set_up(self) -> None:
        for folder in (self.objects, self.kubelet_root, self.folder / "run"):
            folder.mkdir()
        self._stack.enter_context(self.kubernetes)
        for cloud in self.clouds.values():
            self._stack.enter_context(cloud)
            cloud.put(VALUE)
        self._set_up_cluster()
        for name in self.clouds:
            self.put_class(self.class_of(name), self.parameters_of(name), name)
            self.providers[name] = self.provider_daemon(self.sockets, *self._flags, cloud=name)
        self.driver = self._driver_daemon()
        daemons = [*([self.driver] if self._wants_driver else []), *self.providers.values()]
        for daemon in daemons:  # all at once: each takes a second of CPU to start
            daemon.launch()
            self._stack.push(daemon)
        for daemon in daemons:
            daemon.await_serving()

    def _set_up_cluster(self) -> None:
        """The article's service account, with each cloud's annotations; the providers' own, with their rights."""
        annotations = {
            key: value
            for name in self.clouds
            for key, value in (_example(name, "ServiceAccount").body["metadata"].get("annotations") or {}).items()
        }
        account = _account(NAMESPACE, ACCOUNT, annotations)
        self.kubernetes.apply(account)
        for name, cloud in self.clouds.items():
            namespace, own = _provider_account(name)
            self.kubernetes.apply(_account(namespace, own))
            for verb, resource in cloud.rights:
                self.kubernetes.grant(f"system:serviceaccount:{namespace}:{own}", verb, resource)
            self._own_token(name).touch(mode=0o600)
            token = self.kubernetes.token(namespace, own, self.kubernetes.issuer)
            self._own_token(name).write_text(token, encoding="utf-8")
        requests = [{"audience": cloud.audience} for cloud in self.clouds.values()]
        cluster = {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "CSIDriver",
            "metadata": {"name": "secrets-store.csi.k8s.io"},
            "spec": {
                "podInfoOnMount": True,
                "attachRequired": False,
                "volumeLifecycleModes": ["Ephemeral"],
                "requiresRepublish": True,
                "tokenRequests": requests,
            },
        }
        (self.objects / "cluster.json").write_text(json.dumps(cluster), encoding="utf-8")

    def _own_token(self, cloud: str) -> Path:
        return self.folder / "run" / f"{cloud}-provider-token"

    def _driver_daemon(self) -> Daemon:
        rotation = ["--enable-secret-rotation=true", f"--rotation-poll-interval={self._rotation}"]
        return Daemon(
            "sscsi_driver",
            [
                f"--endpoint=unix://{self.folder}/run/csi.sock",
                "--nodeid=node-1",
                f"--provider-volume={self.sockets}",
                f"--additional-provider-volume-paths={self.sockets}",
                f"--objects={self.objects}",
                f"--status-dir={self.status}",
                "--log-format=text",
                "--metrics-addr=",
                *(rotation if self._rotation else []),
            ],
            self.folder / "run" / "csi.sock",
            self.folder / "driver.log",
            tied=self._tied,
        )


def _provider_account(cloud: str) -> tuple[str, str]:
    return "kube-system", f"sscsi-provider-{cloud}"


def _account(namespace: str, name: str, annotations: Mapping[str, str] | None = None) -> dict[str, object]:
    metadata = {"namespace": namespace, "name": name, "annotations": dict(annotations or {})}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def _example(cloud: str, kind: str) -> Manifest:
    """The manifest of a kind in a cloud's examples.

    Raises:
        FileNotFoundError: there is none.
    """
    folder = examples(cloud)
    for path in sorted(folder.glob("*.yaml")):
        for manifest in parse_manifests(path.read_text(encoding="utf-8"), path.name):
            if manifest.kind == kind:
                return manifest
    raise FileNotFoundError(f"{folder} holds no {kind}: run this from a checkout of the project")
