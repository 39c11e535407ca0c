"""A whole cluster's worth of this on one machine: emulators in this process, provider and driver as real daemons."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sscsi.daemons import Daemon
from sscsi.kubelet import Kubelet, PodVolume
from sscsi_driver.tmpfs import mount_points_below, unmount
from sscsi_emulators.aws import REGION, AwsEmulator
from sscsi_emulators.kubernetes import KubernetesEmulator
from sscsi_shared.secret import SecretText

AUDIENCE: Final = "sts.amazonaws.com"
NAMESPACE: Final = "application-one"
ACCOUNT: Final = "csi-provider-user"
CLASS: Final = "application-one-spc"
POD: Final = "nginx-secrets-store-inline"
ROLE: Final = "arn:aws:iam::123456789012:role/application-one-secrets"
SECRET: Final = "password"  # noqa: S105  # the article's name for it
VALUE: Final = "h+7Q?D7ydVXrzCXn"
"""The article's sample value, public as it is."""
KEEP_NOTHING: Final = ("--cache-ttl=0", "--session-max-age=0", "--backoff=0")
_MAX_FOLDER_BYTES: Final = 40
_PROVIDER_ACCOUNT: Final = ("kube-system", "sscsi-provider-aws")
_CLUSTER: Final = """
apiVersion: storage.k8s.io/v1
kind: CSIDriver
metadata: {name: secrets-store.csi.k8s.io}
spec:
  podInfoOnMount: true
  attachRequired: false
  volumeLifecycleModes: [Ephemeral]
  requiresRepublish: true
  tokenRequests: [{audience: sts.amazonaws.com}]
"""


def examples() -> Path:
    """The folder of the article's AWS manifests."""
    return Path(__file__).resolve().parents[3] / "examples" / "aws"


def _short_folder() -> str:
    """Where temporary folders go (TMPDIR), if the path of a socket in one is not too long (107 bytes)."""
    folder = tempfile.gettempdir()
    return folder if len(os.fsencode(folder)) <= _MAX_FOLDER_BYTES else "/tmp"  # noqa: S108


class Stage:
    """Everything that a demo, a test or the bench needs, from `with` to its end.

    Args:
        driver: whether to start the driver; it needs to be able to mount.
        rotation: its --rotation-poll-interval; empty = no rotation.
        reflection: whether the provider serves gRPC reflection.
        tied: whether the daemons are killed when this process is; see Daemon.
        flags: more of the provider's; by default it keeps nothing, so that each mount shows what the backend says now.

    Attributes:
        aws: Secrets Manager, SSM and STS.
        kubernetes: who signs the tokens, and where the provider finds service accounts.
        folder: temporary, short enough for sockets.
        objects: the folder of classes that the driver reads.
        provider: the provider's daemon.
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
    ) -> None:
        self.aws = AwsEmulator()
        self.kubernetes = KubernetesEmulator()
        self.folder = Path(tempfile.mkdtemp(prefix="sscsi-", dir=_short_folder()))
        self.objects = self.folder / "objects"
        self.sockets = self.folder / "providers"
        self.kubelet_root = self.folder / "kubelet"
        self.status = self.folder / "status"
        self._own_token = self.folder / "run" / "provider-token"
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

    def tokens(self, account: str = ACCOUNT, pod: str = POD, *, seconds: int = 3600) -> dict[str, SecretText]:
        """What kubelet would get of TokenRequest."""
        volume = PodVolume(NAMESPACE, pod, account, CLASS)
        token = self.kubernetes.token(NAMESPACE, account, AUDIENCE, pod, volume.pod_uid, seconds)
        return {AUDIENCE: SecretText(token)}

    def volume(self, of_class: str = CLASS, pod: str = POD, account: str = ACCOUNT) -> PodVolume:
        """A volume of a pod that stands on this stage."""
        return PodVolume(NAMESPACE, pod, account, of_class, tokens=self.tokens(account, pod))

    def kubelet(self, timeout: float = 120.0) -> Kubelet:
        """A client of the driver's socket."""
        return Kubelet(self.driver.socket, self.kubelet_root, timeout)

    def put_class(self, name: str, objects: str, **parameters: str) -> None:
        """A class in the driver's folder: its `objects`, and other parameters."""
        body = {
            "apiVersion": "secrets-store.csi.x-k8s.io/v1",
            "kind": "SecretProviderClass",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"provider": "aws", "parameters": {**parameters, "objects": objects}},
        }
        (self.objects / f"{name}.json").write_text(json.dumps(body), encoding="utf-8")

    def provider_daemon(self, sockets: Path, *flags: str) -> Daemon:
        """A provider in a folder of sockets, not started yet; with flags beside those that say where everything is."""
        return Daemon(
            "sscsi_provider_aws",
            [
                f"--provider-volume={sockets}",
                f"--kube-api-url={self.kubernetes.url}",
                f"--kube-token-file={self._own_token}",
                f"--region={REGION}",
                f"--sts-endpoint={self.aws.url}",
                f"--secretsmanager-endpoint={self.aws.url}",
                f"--ssm-endpoint={self.aws.url}",
                "--log-format=text",
                f"--grpc-reflection={str(self._reflection).lower()}",
                *flags,
            ],
            sockets / "aws.sock",
            self.folder / f"{sockets.name}.log",
            tied=self._tied,
        )

    def _unmount_all(self) -> None:
        """What a killed driver left mounted; else the folder could not be removed."""
        for point in reversed(mount_points_below(self.folder)):
            unmount(Path(point))

    def _set_up(self) -> None:
        if not examples().is_dir():
            raise FileNotFoundError(f"{examples()} is not there: run this from a checkout of the project")
        for folder in (self.objects, self.kubelet_root, self.folder / "run"):
            folder.mkdir()
        for manifest in sorted(examples().glob("*.yaml")):
            shutil.copy(manifest, self.objects)
        (self.objects / "cluster.yaml").write_text(_CLUSTER, encoding="utf-8")
        self._stack.enter_context(self.kubernetes)
        self._stack.enter_context(self.aws)
        self.kubernetes.apply(
            (self.objects / "serviceaccount.yaml").read_text(encoding="utf-8"),
            {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"namespace": _PROVIDER_ACCOUNT[0], "name": _PROVIDER_ACCOUNT[1]},
            },
        )
        self.kubernetes.grant(f"system:serviceaccount:{':'.join(_PROVIDER_ACCOUNT)}", "get", "serviceaccounts")
        self._own_token.touch(mode=0o600)
        self._own_token.write_text(self.kubernetes.token(*_PROVIDER_ACCOUNT, self.kubernetes.issuer), encoding="utf-8")
        self.aws.trust(ROLE, self.kubernetes.verify, f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}")
        self.aws.put_secret(SECRET, VALUE)
        self.provider = self.provider_daemon(self.sockets, *self._flags)
        self.driver = Daemon(
            "sscsi_driver",
            [
                f"--endpoint=unix://{self.folder}/run/csi.sock",
                "--nodeid=node-1",
                f"--provider-volume={self.sockets}",
                f"--additional-provider-volume-paths={self.sockets}",
                f"--objects={self.objects}",
                f"--status-dir={self.status}",
                "--log-format=text",
                *(
                    ["--enable-secret-rotation=true", f"--rotation-poll-interval={self._rotation}"]
                    if self._rotation
                    else []
                ),
            ],
            self.folder / "run" / "csi.sock",
            self.folder / "driver.log",
            tied=self._tied,
        )
        if self._wants_driver:
            self._stack.enter_context(self.driver)
        self._stack.enter_context(self.provider)
