"""A node full of pods: what its driver and one provider take for each round of rotation, and what a publish adds."""

import shutil
import socket
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import grpc
import yaml

from bench.backends import AwsBackend
from bench.figures import Figure, Table
from bench.process import cpu_seconds, resident_mib
from sscsi.daemons import Daemon
from sscsi.kubelet import Kubelet, PodVolume, ask_provider, channel_to, mount_request
from sscsi_driver import control
from sscsi_driver.tmpfs import mount_points_below, unmount
from sscsi_emulators.tokens import unsigned_token
from sscsi_shared.secret import SecretText

NAMESPACE, CLASS = "shop", "demo"
PODS, ACCOUNTS, SECRETS = 110, 11, 10
"""110 is kubelet's default of pods on a node."""
INTERVAL_SECONDS = 120.0
ROUNDS = 3
AT_ONCE = 20
SETTLE_SECONDS = 10.0
FORGOTTEN_SECONDS = 16.0
"""The provider's --cache-ttl has passed: each round asks the backend anew."""
DRIVER_MIB = 75.0
ADDED_MS = 10.0
GO_CALLS = PODS * SECRETS


class Node:
    """Driver and provider with a canned backend, from `with` to its end."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="bench-", dir="/tmp"))
        self._stack = ExitStack()
        self._port = _free_port()
        self.backend = AwsBackend(0.0, self._folder)
        self.root = self._folder / "kubelet"
        self.driver: Daemon
        self.provider: Daemon
        self.kubelet: Kubelet

    def __enter__(self) -> Self:
        self._stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
        self._stack.callback(self._unmount_all)
        self._stack.enter_context(self.backend)
        (self._folder / "objects").mkdir()
        (self._folder / "objects" / "all.yaml").write_text(yaml.safe_dump_all(self._objects()), encoding="utf-8")
        self.provider = self._daemon(
            f"sscsi_provider_{self.backend.name}",
            self._folder / f"{self.backend.name}.sock",
            [f"--provider-volume={self._folder}", *self.backend.flags()],
        )
        self.driver = self._daemon(
            "sscsi_driver",
            self._folder / "csi.sock",
            [
                f"--endpoint=unix://{self._folder}/csi.sock",
                "--nodeid=node-1",
                f"--provider-volume={self._folder}",
                "--additional-provider-volume-paths=",
                f"--status-dir={self._folder}/status",
                f"--metrics-addr=127.0.0.1:{self._port}",
                "--enable-secret-rotation=true",
                "--rotation-poll-interval=1h",  # rounds are asked for, not waited for
            ],
        )
        self.kubelet = self._stack.enter_context(Kubelet(self.driver.socket, self.root))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def volume(self, number: int) -> PodVolume:
        """A pod's volume, with a new token."""
        account, pod = f"web-{number % ACCOUNTS}", f"web-{number % ACCOUNTS}-{number}"
        audience = self.backend.audience
        token = SecretText(unsigned_token(NAMESPACE, account, audience))
        return PodVolume(NAMESPACE, pod, account, CLASS, tokens={audience: token})

    def publish(self, number: int) -> float:
        """Publish a pod's volume; milliseconds."""
        volume = self.volume(number)
        began = time.perf_counter()
        self.kubelet.publish(volume)
        return (time.perf_counter() - began) * 1000

    def mount(self, number: int) -> float:
        """Ask the provider for the same; milliseconds."""
        request = mount_request(self.volume(number), self.backend.parameters(SECRETS), self.root)
        began = time.perf_counter()
        ask_provider(self.provider.socket, request, 110)
        return (time.perf_counter() - began) * 1000

    def publish_all(self) -> None:
        """Every pod, as kubelet does each minute or so."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(self.publish, range(PODS)))

    def rotate(self) -> float:
        """Let every volume be fetched; seconds until the last was."""
        before = self._rotated()
        began = time.perf_counter()
        with channel_to(self.driver.socket) as channel:
            if control.refresh(channel, "", 10) != PODS:
                raise SystemExit("not all volumes are filled: the figures would mean nothing")
        while self._rotated() < before + PODS:
            if time.perf_counter() - began > 110:
                raise SystemExit("the volumes were not rotated")
            time.sleep(0.05)
        return time.perf_counter() - began

    def _rotated(self) -> float:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=10) as page:
            lines = page.read().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("rotation_reconcile_total{"))

    def _daemon(self, module: str, path: Path, flags: Sequence[str]) -> Daemon:
        objects = f"--objects={self._folder}/objects"
        daemon = Daemon(module, [objects, *flags], path, self._folder / f"{module}.log", self.backend.environ())
        return self._stack.enter_context(daemon)

    def _objects(self) -> list[dict[str, object]]:
        def meta(name: str, **more: object) -> dict[str, object]:
            return {"name": name, "namespace": NAMESPACE, **more}

        spec = {"provider": self.backend.name, "parameters": dict(self.backend.parameters(SECRETS))}
        accounts: list[dict[str, object]] = [
            {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": meta(name, uid=f"uid-{name}", annotations=dict(self.backend.annotations(name))),
            }
            for name in (f"web-{number}" for number in range(ACCOUNTS))
        ]
        api = "secrets-store.csi.x-k8s.io/v1"
        return [{"apiVersion": api, "kind": "SecretProviderClass", "metadata": meta(CLASS), "spec": spec}, *accounts]

    def _unmount_all(self) -> None:
        for point in mount_points_below(self._folder):
            unmount(Path(point))


def measure() -> list[Table]:
    """Idle, filled, and the mean of three rounds in which nothing has changed."""
    with Node() as node:
        pid, provider = node.driver.pid, node.provider.pid
        try:
            node.publish(0)
        except grpc.RpcError as error:
            raise SystemExit(f"no volume can be mounted here: {error}") from error
        time.sleep(SETTLE_SECONDS)
        idle = resident_mib(pid)
        node.publish_all()
        filled = resident_mib(pid)
        spent, asked, lasted = [], [], []
        for _ in range(ROUNDS):
            time.sleep(FORGOTTEN_SECONDS)
            cpu, calls = (cpu_seconds(pid), cpu_seconds(provider)), node.backend.calls.total()
            node.publish_all()  # newer tokens
            lasted.append(node.rotate())
            spent.append((cpu_seconds(pid) - cpu[0], cpu_seconds(provider) - cpu[1]))
            asked.append(node.backend.calls.total() - calls)
        added = _added(node)
        after = resident_mib(pid)
    driver_cpu, provider_cpu = (statistics.mean(one[of] for one in spent) for of in (0, 1))
    return [
        Table(
            f"A node of {PODS} pods, {ACCOUNTS} service accounts, {SECRETS} secrets each, rotating every "
            f"{INTERVAL_SECONDS:g} s; nothing changes",
            [
                Figure("calls of the backend in a round", max(asked), budget=ACCOUNTS),
                Figure("    of the existing driver and provider", GO_CALLS),
                Figure("until the last volume is fetched", statistics.mean(lasted), "s"),
                Figure("driver: CPU in a round, publishes included", driver_cpu, "s"),
                Figure("    of one core", 100 * driver_cpu / INTERVAL_SECONDS, "%"),
                Figure("provider: CPU in a round", provider_cpu, "s"),
                Figure("driver: memory 10 s after the first mount", idle, "MiB", DRIVER_MIB),
                Figure(f"driver: memory with {PODS} volumes", filled, "MiB"),
                Figure("driver: memory after the rounds", after, "MiB"),
                Figure("a publish, more than the provider's time (medians)", added, "ms", ADDED_MS),
            ],
        )
    ]


def _added(node: Node, times: int = 50) -> float:
    """What the driver adds to a first publish whose content the provider knows, in milliseconds."""
    node.mount(0)
    alone = statistics.median(node.mount(0) for _ in range(times))
    whole = statistics.median(node.publish(number * ACCOUNTS) for number in range(PODS, PODS + times))
    return whole - alone


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
