"""Target paths that lead elsewhere: links in them, folders that are swapped meanwhile, places that are no pod's."""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self, cast

import grpc

from fire.attacks.canary import make, untouched
from fire.case import Case, Shown, expect
from fire.node import Node
from fire.plan import Plan
from fire.reading import Reader, exact
from sscsi.kubelet import PodVolume, channel_to
from sscsi_driver.csi import csi_pb2, csi_pb2_grpc
from sscsi_driver.tmpfs import mount_points_below, unmount

_SWAP_SECONDS = 0.0005


class _Calls:
    """Publish and unpublish at a path, as they are: no folder is made before or removed after."""

    def __init__(self, node: Node, channel: grpc.Channel) -> None:
        self._node = node
        self._stub = csi_pb2_grpc.NodeStub(channel)  # type: ignore[no-untyped-call]

    def publish(self, volume: PodVolume, target: Path) -> grpc.StatusCode:
        """How it is answered."""
        request = csi_pb2.NodePublishVolumeRequest(
            volume_id=volume.volume_id,
            target_path=str(target),
            volume_capability=csi_pb2.VolumeCapability(mount=csi_pb2.VolumeCapability.MountVolume()),
            readonly=True,
            volume_context=volume.context(),
        )
        return _code(lambda: self._stub.NodePublishVolume(request, timeout=20))

    def unpublish(self, volume: PodVolume, target: Path) -> grpc.StatusCode:
        """How it is answered."""
        request = csi_pb2.NodeUnpublishVolumeRequest(volume_id=volume.volume_id, target_path=str(target))
        return _code(lambda: self._stub.NodeUnpublishVolume(request, timeout=20))


def _code(call: Callable[[], object]) -> grpc.StatusCode:
    try:
        call()
    except grpc.RpcError as error:
        return cast("grpc.Call", error).code()
    return grpc.StatusCode.OK


@contextmanager
def _attacked(plan: Plan) -> Iterator[tuple[Node, _Calls, Path]]:
    """A node with driver and provider, calls to it, and the canary."""
    with Node(None, plan.seed) as node:
        node.provider.start()
        node.driver.start()
        canary = make(node.home)
        with channel_to(node.driver.socket) as channel, untouched(canary):
            yield node, _Calls(node, channel), canary


def _links(plan: Plan) -> Shown:
    tried = 0
    with _attacked(plan) as (node, calls, canary):
        for levels in range(5):  # mount, the volume's folder, kubernetes.io~csi, volumes, the pod's folder
            volume = node.volume(f"web-{levels}")
            target = volume.target(node.root)
            link = (target, *target.parents)[levels]
            for to in (canary / "mount", canary / "secrets-store-inline", canary, canary / "empty", Path("/nowhere")):
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(to)
                for answer in (calls.publish(volume, target), calls.unpublish(volume, target)):
                    expect(answer is not grpc.StatusCode.OK, f"{target} was answered OK, though {link} is a link")
                    tried += 1
                link.unlink()
            expect(calls.publish(volume, target) is grpc.StatusCode.OK, "no mount where the link was")
            expect(calls.unpublish(volume, target) is grpc.StatusCode.OK, "no unmount where the link was")
    return Shown("refused at each element of the path; nothing outside is touched", tried, "calls")


def _elsewhere(plan: Plan) -> Shown:
    tried = 0
    with _attacked(plan) as (node, calls, canary):
        pods = node.root / "pods"
        places = [
            canary, canary / "mount", canary / "empty", canary / "new", node.sockets, node.root, pods, pods / "uid",
            pods / "uid" / "volumes" / "kubernetes.io~csi" / "name",
            pods / "uid" / "volumes" / "kubernetes.io~other" / "name" / "mount",
            pods / "uid" / "volumes" / "kubernetes.io~csi" / "name" / ".." / "mount",
            pods / ".." / "volumes" / "kubernetes.io~csi" / "name" / "mount",
            Path(f"/proc/self/root{canary}"), Path(f"/proc/self/cwd/../../{canary}"), Path("relative/mount"),
        ]  # fmt: skip
        volume = node.volume("web-0")
        for place in places:
            for answer in (calls.publish(volume, place), calls.unpublish(volume, place)):
                expect(answer is grpc.StatusCode.INVALID_ARGUMENT, f"{place} was answered {answer}")
                tried += 1
    return Shown("INVALID_ARGUMENT for whatever is not a volume of a pod; nothing is touched", tried, "calls")


class _Swapper:
    """Swaps a folder and a link to the canary, as fast as it can."""

    def __init__(self, path: Path, to: Path, dice: random.Random) -> None:
        self._path = path
        self._aside = path.with_name("aside")
        self._to = to
        self._dice = dice
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.swaps = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._path.is_symlink():
            self._path.unlink()
        if not self._path.exists():
            with suppress(OSError):  # an empty tmpfs was mounted on what is aside now
                self._aside.rename(self._path)

    def _run(self) -> None:
        while not self._stop.is_set():
            with suppress(OSError):
                self._path.rename(self._aside)
                self._path.symlink_to(self._to)
                self.swaps += 1
            time.sleep(self._dice.random() * _SWAP_SECONDS)
            with suppress(OSError):
                self._path.unlink()
            with suppress(OSError):
                self._aside.rename(self._path)
            time.sleep(self._dice.random() * _SWAP_SECONDS)


def _swapped(plan: Plan) -> Shown:
    dice, rounds = plan.dice("swapped"), plan.count(30, 300)
    swaps = won = 0
    with _attacked(plan) as (node, calls, canary):
        for number in range(rounds):
            volume = node.volume(f"web-{number}")
            target = node.note(volume)
            level = number % 3
            path = (target, target.parent, target.parents[3])[level]
            path.mkdir(exist_ok=True)
            with _Swapper(path, (canary / "mount", canary, canary)[level], dice) as swapper:
                if calls.publish(volume, target) is grpc.StatusCode.OK:
                    won += 1
                calls.unpublish(volume, target)
            swaps += swapper.swaps
            expect(calls.unpublish(volume, target) is grpc.StatusCode.OK, "no unpublish when the attacker has gone")
            _clear(node)
        volume = node.volume("web-afterwards")
        target = node.publish(volume)
        exact(target, plan.seed, Reader(target, plan.seed).read())
        node.unpublish(volume)
    print(f"    {swaps} swaps, {won} of {rounds} volumes published")
    expect(swaps > rounds, "nothing was swapped meanwhile")
    return Shown(
        "a volume stands in its own folder or the call fails; not one file, mount or removal outside",
        2 * rounds,
        "calls in the race",
    )


def _clear(node: Node) -> None:
    """What an attacker's renames have left in kubelet's folder, which the attacker could have as well."""
    for point in mount_points_below(node.root):
        left = os.listdir(point)
        expect(not left, f"{left} at {point}, which nobody will unmount")
        unmount(Path(point))
    for folder, folders, files in os.walk(node.root / "pods", topdown=False):
        for name in files:
            (Path(folder) / name).unlink()
        for name in folders:
            path = Path(folder) / name
            path.unlink() if path.is_symlink() else path.rmdir()


TARGETS = (
    Case(
        "links",
        "an element of the target path is a link: to a volume, to folders, to nothing",
        _links,
    ),
    Case(
        "swapped",
        "a thread swaps the target or a folder above it with a link, all through publish and unpublish",
        _swapped,
    ),
    Case(
        "elsewhere",
        "the target path is no volume of a pod: other folders, climbing paths, ways through /proc",
        _elsewhere,
    ),
)
