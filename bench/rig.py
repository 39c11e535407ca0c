"""A provider's daemon against a fast stand-in, and pods that ask it; the cluster is a folder of service accounts."""

import json
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import grpc
import yaml

from bench.backends import Backend
from sscsi.daemons import Daemon
from sscsi_emulators.tokens import unsigned_token
from sscsi_shared.v1alpha1 import provider_pb2, provider_pb2_grpc

NAMESPACE = "shop"
PREFIX = "csi.storage.k8s.io/"
B_co = TypeVar("B_co", bound=Backend, covariant=True)


class Rig(Generic[B_co]):
    """From `with` to its end.

    Args:
        of: the cloud.
        accounts: how many service accounts there are: `web-0`, `web-1`, ...
        latency: seconds that the backend takes for each answer.
        flags: more of the provider's.

    Attributes:
        backend: what is asked.
        daemon: the provider.
    """

    def __init__(self, of: type[B_co], *, accounts: int = 1, latency: float = 0.0, flags: Sequence[str] = ()) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="bench-", dir="/tmp"))
        self.backend = of(latency, self._folder)
        self._accounts = accounts
        self._flags = flags
        self._stack = ExitStack()
        self.daemon: Daemon
        self._stub: Any

    def __enter__(self) -> Self:
        self._stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
        self._stack.enter_context(self.backend)
        objects = self._folder / "objects"
        objects.mkdir()
        (objects / "accounts.yaml").write_text(
            yaml.safe_dump_all(self._account(f"web-{number}") for number in range(self._accounts)), encoding="utf-8"
        )
        self.daemon = Daemon(
            f"sscsi_provider_{self.backend.name}",
            [
                f"--provider-volume={self._folder}",
                f"--objects={objects}",
                *self.backend.flags(),
                *self._flags,
            ],
            self._folder / f"{self.backend.name}.sock",
            self._folder / "log",
            self.backend.environ(),
        )
        self._stack.enter_context(self.daemon)
        channel = self._stack.enter_context(
            grpc.insecure_channel(f"unix:{self.daemon.socket}", [("grpc.default_authority", "localhost")])
        )
        self._stub = provider_pb2_grpc.CSIDriverProviderStub(channel)  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def calls(self) -> Counter[str]:
        """How often each operation of the backend was asked for, until now."""
        return self.backend.calls.copy()

    def request(self, secrets: int, account: int = 0, pod: int = 0) -> provider_pb2.MountRequest:
        """What the driver would send for a pod whose class has so many secrets."""
        name = f"web-{account}"
        token = unsigned_token(NAMESPACE, name, self.backend.audience)
        attributes = {
            **self.backend.parameters(secrets),
            PREFIX + "pod.name": f"{name}-{pod}",
            PREFIX + "pod.namespace": NAMESPACE,
            PREFIX + "pod.uid": f"uid-{account}-{pod}",
            PREFIX + "serviceAccount.name": name,
            PREFIX + "serviceAccount.tokens": json.dumps({self.backend.audience: {"token": token}}),
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

    def _account(self, name: str) -> dict[str, Any]:
        annotations = dict(self.backend.annotations(name))
        metadata = {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}", "annotations": annotations}
        return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
