"""One node with the providers of all four clouds, and pods of many service accounts."""

import dataclasses
import shutil
import socket
import tempfile
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import yaml

from fire.backend_process import CLOUDS
from fire.node import CLASS, NAMESPACE, SECRETS, Node
from sscsi.daemons import Daemon
from sscsi.kubelet import Kubelet, PodVolume
from sscsi_driver.tmpfs import mount_points_below, unmount

PODS = 110
"""kubelet's own limit of pods on a node."""
ACCOUNTS = 7
LATENCY_SECONDS = 0.02


class Crowd:
    """From `with` to its end: the driver, four providers, their stand-ins 20 ms away.

    Args:
        provider_flags: more of every provider's.

    Attributes:
        nodes: what each provider stands on.
        driver: the one driver of all.
        identities: how many there are in all.
    """

    def __init__(self, *provider_flags: str) -> None:
        self._provider_flags = provider_flags
        self._home = Path(tempfile.mkdtemp(prefix="fire-", dir="/tmp"))
        self._stack = ExitStack()
        self.root = self._home / "kubelet"
        self.nodes: list[Node] = []
        self.driver: Daemon
        self.identities = ACCOUNTS * len(CLOUDS)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])

    def __enter__(self) -> Self:
        self._stack.callback(shutil.rmtree, self._home, ignore_errors=True)
        self._stack.callback(self._unmount_all)
        try:
            self._set_up()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def volume(self, number: int) -> PodVolume:
        """The volume of a pod: clouds and accounts take turns."""
        node = self.nodes[number % len(self.nodes)]
        volume = node.volume(f"web-{number}", number // len(self.nodes) % ACCOUNTS)
        return dataclasses.replace(volume, class_name=_class_of(node))

    def kubelet(self) -> Kubelet:
        """A client of the driver's socket, with kubelet's patience."""
        return Kubelet(self.driver.socket, self.root, 120.0)

    def calls(self) -> list[int]:
        """Of each backend."""
        return [node.backend.calls.total() for node in self.nodes]

    def most_calls(self) -> list[int]:
        """What each backend may be asked at most for the first mounts of all: once for an identity."""
        secrets_of_promise = 10
        return [
            ACCOUNTS * max(node.backend.promises.first_calls - secrets_of_promise + SECRETS, 2) for node in self.nodes
        ]

    def daemons(self) -> list[Daemon]:
        """The driver and the providers."""
        return [self.driver, *(node.provider for node in self.nodes)]

    def rotated(self) -> int:
        """How many volumes the driver has fetched again, by its own count."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=10) as page:
            lines = page.read().decode().splitlines()
        counted = (line for line in lines if line.startswith("rotation_reconcile_total{"))
        return int(sum(float(line.rpartition(" ")[2]) for line in counted))

    def _set_up(self) -> None:
        objects = self._home / "objects"
        objects.mkdir()
        for cloud in CLOUDS:
            node = self._stack.enter_context(Node(cloud, accounts=ACCOUNTS, provider_flags=self._provider_flags))
            node.backend.stall(LATENCY_SECONDS)
            self.nodes.append(node)
            for body in yaml.safe_load_all((node.home / "objects" / "all.yaml").read_text(encoding="utf-8")):
                if body["metadata"] == {"name": CLASS, "namespace": NAMESPACE}:
                    body["metadata"]["name"] = _class_of(node)
                    (objects / f"{_class_of(node)}.yaml").write_text(yaml.safe_dump(body), encoding="utf-8")
        first, *others = (str(node.sockets) for node in self.nodes)
        arguments = [
            f"--endpoint=unix://{self._home}/csi.sock",
            "--nodeid=node-1",
            f"--provider-volume={first}",
            f"--additional-provider-volume-paths={','.join(others)}",
            f"--objects={objects}",
            f"--status-dir={self._home}/status",
            f"--metrics-addr=127.0.0.1:{self._port}",
            "--enable-secret-rotation=true",
            "--rotation-poll-interval=1h",  # a round is asked for, not waited for
        ]
        self.driver = Daemon("sscsi_driver", arguments, self._home / "csi.sock", self._home / "driver.log")
        for daemon in self.daemons():
            daemon.launch()
            self._stack.callback(daemon.kill)
        for daemon in self.daemons():
            daemon.await_serving()

    def _unmount_all(self) -> None:
        for point in reversed(mount_points_below(self._home)):
            unmount(Path(point))


def _class_of(node: Node) -> str:
    return f"{CLASS}-{node.backend.name}"
