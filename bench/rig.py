"""The AWS provider's daemon against canned AWS, and pods that ask it; the cluster is a folder of service accounts."""

import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import grpc
import yaml

from sscsi.daemons import Daemon
from sscsi_emulators.canned_aws import CannedAws
from sscsi_emulators.tokens import unsigned_token
from sscsi_shared.v1alpha1 import provider_pb2, provider_pb2_grpc

AUDIENCE = "sts.amazonaws.com"
NAMESPACE = "shop"
PREFIX = "csi.storage.k8s.io/"


def secrets(number: int) -> str:
    """`objects` of a class with some secrets."""
    return json.dumps([{"objectName": f"s{n}", "objectType": "secretsmanager"} for n in range(number)])


class Rig:
    """From `with` to its end.

    Args:
        accounts: how many service accounts there are: `web-0`, `web-1`, ...
        latency: seconds that AWS takes for each answer.
        flags: more of the provider's.

    Attributes:
        aws: what is asked.
        daemon: the provider.
    """

    def __init__(self, *, accounts: int = 1, latency: float = 0.0, flags: Sequence[str] = ()) -> None:
        self.aws = CannedAws(latency)
        self._accounts = accounts
        self._flags = flags
        self._stack = ExitStack()
        self.daemon: Daemon
        self._stub: Any

    def __enter__(self) -> Self:
        folder = Path(tempfile.mkdtemp(prefix="bench-", dir="/tmp"))
        self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        self._stack.enter_context(self.aws)
        (folder / "objects").mkdir()
        (folder / "objects" / "accounts.yaml").write_text(
            yaml.safe_dump_all(_account(f"web-{number}") for number in range(self._accounts)), encoding="utf-8"
        )
        self.daemon = Daemon(
            "sscsi_provider_aws",
            [
                f"--provider-volume={folder}",
                f"--objects={folder / 'objects'}",
                "--region=eu-central-1",
                f"--sts-endpoint={self.aws.url}",
                f"--secretsmanager-endpoint={self.aws.url}",
                f"--ssm-endpoint={self.aws.url}",
                *self._flags,
            ],
            folder / "aws.sock",
            folder / "log",
        )
        self._stack.enter_context(self.daemon)
        channel = self._stack.enter_context(
            grpc.insecure_channel(f"unix:{self.daemon.socket}", [("grpc.default_authority", "localhost")])
        )
        self._stub = provider_pb2_grpc.CSIDriverProviderStub(channel)  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def request(self, objects: str, account: int = 0, pod: int = 0) -> provider_pb2.MountRequest:
        """What the driver would send for a pod."""
        name = f"web-{account}"
        attributes = {
            "objects": objects,
            PREFIX + "pod.name": f"{name}-{pod}",
            PREFIX + "pod.namespace": NAMESPACE,
            PREFIX + "pod.uid": f"uid-{account}-{pod}",
            PREFIX + "serviceAccount.name": name,
            PREFIX + "serviceAccount.tokens": json.dumps(
                {AUDIENCE: {"token": unsigned_token(NAMESPACE, name, AUDIENCE)}}
            ),
        }
        return provider_pb2.MountRequest(
            attributes=json.dumps(attributes), secrets="null", permission="420", target_path="/t"
        )

    def mount(self, request: provider_pb2.MountRequest) -> float:
        """Call Mount; the seconds that it took."""
        began = time.perf_counter()
        answer = self._stub.Mount(request, timeout=110)
        took = time.perf_counter() - began
        if not answer.files:
            raise SystemExit("an empty answer: the figures would mean nothing")
        return took

    def mount_all(self, requests: Sequence[provider_pb2.MountRequest], at_once: int) -> list[float]:
        """Call Mount for each, so many at once; the seconds that each took."""
        with ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(self.mount, requests))


def _account(name: str) -> dict[str, Any]:
    role = f"arn:aws:iam::123456789012:role/{name}"
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": f"uid-{name}",
            "annotations": {"eks.amazonaws.com/role-arn": role},
        },
    }
