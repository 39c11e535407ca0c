"""Garbage on the sockets of a provider and of the driver, and on the port of metrics: the daemon answers on."""

import contextlib
import random
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

import grpc
from google.protobuf.message import Message

from fire.backend_process import CLOUDS
from fire.case import Shown, expect
from fire.endurance.holding import Holding, holding
from fire.hostile import HALF_OPEN
from fire.hostile.garbage import PREFACE, conversation, mutated, reworded, several
from fire.node import Node
from fire.plan import Plan
from sscsi.kubelet import channel_to, mount_request
from sscsi_driver.csi import csi_pb2
from sscsi_shared.v1alpha1 import provider_pb2

_MORE_MIB: Final = 320.0
"""What grpc itself keeps of headers that never end: it grows for some hundred connections, then no more (measured)."""
_RECOVERY_SECONDS: Final = 10.0
_QUIET_SECONDS: Final = 30.0
_UNREADABLE: Final = "Exception deserializing request!"
"""What grpc itself says of bytes that are no message."""
_MESSAGE: Final = "/v1alpha1.CSIDriverProvider/"
_NODE, _IDENTITY = "/csi.v1.Node/", "/csi.v1.Identity/"


def _said(path: Path, method: str, message: bytes) -> str:
    """Send bytes as a call's message; what came of it."""
    with channel_to(path) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            method, request_serializer=None, response_deserializer=None
        )
        try:
            call(message, timeout=20)
        except grpc.RpcError as error:
            answer = cast("grpc.Call", error)
            return f"{answer.code().name}: {answer.details()}"
    return "OK"


def _raw(path: Path, data: bytes) -> None:
    """Send bytes and leave, perhaps in the middle."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client, contextlib.suppress(OSError):
        client.settimeout(5)
        client.connect(str(path))
        client.sendall(data)
        client.settimeout(0.02)
        client.recv(65536)


@contextmanager
def _crowd(connect: Callable[[], socket.socket], first: bytes) -> Iterator[int]:
    """Many connections that begin and say no more."""
    held: list[socket.socket] = []
    try:
        for _ in range(HALF_OPEN):
            with contextlib.suppress(OSError):
                one = connect()
                held.append(one)
                one.sendall(first)
        yield len(held)
    finally:
        for one in held:
            one.close()


def _unix(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(5)
    client.connect(str(path))
    return client


def _attacked(
    path: Path, seeds: Mapping[str, Sequence[Message]], alive: Callable[[], None], dice: random.Random, number: int
) -> tuple[int, dict[str, int], float]:
    """Garbage of every kind; how much, what came of the messages, and seconds until sound calls were answered again."""
    answers: dict[str, int] = {}
    for method, messages in seeds.items():
        for turn in range(number // len(seeds)):
            sound = dice.choice(messages)
            message = mutated(sound.SerializeToString(), dice) if turn % 4 == 0 else reworded(sound, dice)
            said = _said(path, method, message)
            code = said.partition(":")[0]
            answers[code] = answers.get(code, 0) + 1
            expect(code != "INTERNAL" or _UNREADABLE in said, f"{method}: {said}")
            expect(code != "DEADLINE_EXCEEDED", f"{method}: no answer in 20 s")
    alive()
    for turn in range(number):
        method = dice.choice(list(seeds))
        data = (
            conversation(method, dice.choice(seeds[method]).SerializeToString(), dice)
            if turn % 3
            else dice.randbytes(dice.randint(1, 4096))
        )
        _raw(path, data)
    recovery = _recovered(alive)
    for first in (b"", PREFACE, PREFACE[:9], PREFACE + b"\0\0\0\4\0\0\0\0\0"):
        with _crowd(lambda: _unix(path), first) as held:
            expect(held == HALF_OPEN, f"only {held} of {HALF_OPEN} connections were taken")
            alive()
    return sum(answers.values()) + number + 4 * HALF_OPEN, answers, recovery


def _recovered(alive: Callable[[], None]) -> float:
    """Sound calls are answered; grpc drops them while thousands of others stand before them."""
    began = time.monotonic()
    while True:
        try:
            alive()
        except grpc.RpcError as error:
            after = time.monotonic() - began
            dropped = cast("grpc.Call", error).code() in {grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE}
            expect(dropped and after < _RECOVERY_SECONDS, f"after {after:.1f} s: {error}")
            time.sleep(0.1)
        else:
            return time.monotonic() - began


def _shown(tried: int, more: float, recovery: float) -> Shown:
    kept = f"{more:.0f} MiB more, which grpc keeps of headers without end"
    said = f"answers on; no incident; nothing of it stays open; {kept}"
    return Shown(said, tried, "messages and connections", recovery)


def _settled(pid: int, before: Holding, log: Path) -> float:
    """Nothing of it is left; how much memory more."""
    ends = time.monotonic() + _QUIET_SECONDS
    while (now := holding(pid)).sockets > before.sockets + 4 and time.monotonic() < ends:
        time.sleep(0.2)
    expect(now.sockets <= before.sockets + 4, f"{now.sockets} sockets stay open; there were {before.sockets}")
    expect(now.mib - before.mib < _MORE_MIB, f"{now.mib - before.mib:.0f} MiB more than before")
    expect("incident" not in log.read_text(encoding="utf-8", errors="replace"), f"an incident: {log}")
    return now.mib - before.mib


def provider(name: str, plan: Plan) -> Shown:
    """The socket of a cloud's provider."""
    cloud = next(one for one in CLOUDS if one.name == name)
    dice = plan.dice(f"sockets/{cloud.name}")
    with Node(cloud) as node:
        node.provider.start()
        volume = node.volume("web-0")

        def alive() -> None:
            expect(node.ask(node.volume("web-0"), 10) > 0, "a sound mount gets no files")

        request = mount_request(volume, node._parameters(), node.root)
        versions: list[Message] = [provider_pb2.VersionRequest(version="v1alpha1")]
        seeds: dict[str, Sequence[Message]] = {
            f"{_MESSAGE}Mount": [request],
            f"{_MESSAGE}Version": versions,
            "/x.Y/Z": versions,
        }
        alive()
        before = holding(node.provider.pid)
        tried, answers, recovery = _attacked(node.provider.socket, seeds, alive, dice, plan.count(60, 1500))
        more = _settled(node.provider.pid, before, node.home / f"sscsi_provider_{cloud.name}.log")
    print(f"    {answers}, {more:.0f} MiB more")
    return _shown(tried, more, recovery)


def driver(plan: Plan) -> Shown:
    """The driver's socket."""
    dice = plan.dice("sockets/driver")
    with Node(None, plan.seed) as node:
        node.provider.start()
        node.driver.start()
        volume = node.volume("web-0")
        target = str(node.note(volume))

        def alive() -> None:
            other = node.volume("web-alive")
            node.publish(other)
            node.unpublish(other)

        mount = csi_pb2.VolumeCapability(mount=csi_pb2.VolumeCapability.MountVolume())
        publish = csi_pb2.NodePublishVolumeRequest(
            volume_id=volume.volume_id,
            target_path=target,
            volume_capability=mount,
            readonly=True,
            volume_context=volume.context(),
        )
        leave = csi_pb2.NodeUnpublishVolumeRequest(volume_id=volume.volume_id, target_path=target)
        stats = csi_pb2.NodeGetVolumeStatsRequest(volume_id=volume.volume_id, volume_path=target)
        seeds: dict[str, Sequence[Message]] = {
            f"{_NODE}NodePublishVolume": [publish],
            f"{_NODE}NodeUnpublishVolume": [leave],
            f"{_NODE}NodeGetVolumeStats": [stats],
            f"{_NODE}NodeStageVolume": [leave],
            f"{_IDENTITY}Probe": [csi_pb2.ProbeRequest()],
        }
        alive()
        before = holding(node.driver.pid)
        tried, answers, recovery = _attacked(node.driver.socket, seeds, alive, dice, plan.count(60, 1000))
        more = _settled(node.driver.pid, before, node.home / "sscsi_driver.log")
    print(f"    {answers}, {more:.0f} MiB more")
    return _shown(tried, more, recovery)


def page(plan: Plan) -> Shown:
    """The port of metrics."""
    dice = plan.dice("sockets/metrics")
    port = _free_port()
    with Node(CLOUDS[0], provider_flags=(f"--metrics-addr=127.0.0.1:{port}",)) as node:
        node.provider.start()

        def connect() -> socket.socket:
            return socket.create_connection(("127.0.0.1", port), timeout=5)

        def alive() -> None:
            for name in ("metrics", "healthz"):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}", timeout=10) as answer:
                    expect(answer.status == 200, f"{name}: {answer.status}")

        alive()
        before = holding(node.provider.pid)
        number = plan.count(60, 1500)
        seeds = [b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", b"POST / HTTP/1.0\r\nContent-Length: 99999999999\r\n\r\n"]
        seeds += [
            b"GET " + b"/" * 70_000,
            b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 300,
            b"GET / HTTP/9.9\r\n\r\n",
            PREFACE,
        ]
        for data in several(seeds, dice, number):
            with contextlib.suppress(OSError), connect() as client:
                client.sendall(data)
                client.settimeout(0.02)
                client.recv(4096)
        alive()
        for first in (b"", b"GET", b"GET /metrics HTTP/1.1\r\nA: b\r\n"):
            with _crowd(connect, first):
                most = holding(node.provider.pid).threads - before.threads
                expect(most < 100, f"{most} threads more for {HALF_OPEN} connections that say nothing")
                alive()
        _settled(node.provider.pid, before, node.home / "sscsi_provider_aws.log")
        told = (node.home / "sscsi_provider_aws.log").read_text(encoding="utf-8", errors="replace")
        expect("Traceback" not in told, "a traceback in the log")
    return Shown(
        "metrics and probes answer on; threads stay few; no traceback",
        number + 3 * HALF_OPEN,
        "requests and connections",
    )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
