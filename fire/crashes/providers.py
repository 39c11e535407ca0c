"""A provider is killed while its backend keeps a mount waiting; who waits for it is told, and the next one serves."""

import threading
import time
from collections.abc import Callable

import grpc

from fire.backend_process import CLOUDS, FarBackend
from fire.case import Case, Shown, expect
from fire.node import SECRETS, Node
from fire.plan import Plan
from sscsi.kubelet import PodVolume
from sscsi.stage import KEEP_NOTHING

_STALL_SECONDS = 60.0
_TOLD_SECONDS = 5.0
"""Until the caller has an error."""


def _fails(node: Node, call: Callable[[], object]) -> float:
    """Kill the provider once its backend is asked; seconds until the call fails."""
    node.backend.stall(_STALL_SECONDS)
    before = node.backend.calls.total()
    told: list[BaseException] = []

    def attempt() -> None:
        try:
            call()
        except grpc.RpcError as error:
            told.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    ends = time.monotonic() + 20
    while node.backend.calls.total() == before:
        expect(time.monotonic() < ends and thread.is_alive(), "the backend was not asked")
        time.sleep(0.005)
    node.provider.kill()
    began = time.monotonic()
    thread.join(2 * _TOLD_SECONDS)
    took = time.monotonic() - began
    expect(not thread.is_alive(), f"no answer within {2 * _TOLD_SECONDS:g} s")
    expect(told, "a mount succeeded whose provider was killed")
    error = told[0]
    assert isinstance(error, grpc.Call)
    expect(error.code() is grpc.StatusCode.UNAVAILABLE, f"the caller was told {error.code()}: {error.details()}")
    expect(took < _TOLD_SECONDS, f"the caller was told after {took:.1f} s")
    return took


def _mounts(node: Node, volume: PodVolume) -> list[Callable[[], int]]:
    """How a provider is asked, alone and by the driver; each says how many files there are then."""
    return [lambda: node.ask(volume), lambda: len(list(node.publish(volume).glob("s*")))]


def _killed(cloud: type[FarBackend], plan: Plan) -> Shown:
    rounds = plan.count(1, 5)
    told = recovery = 0.0
    with Node(cloud, plan.seed, provider_flags=KEEP_NOTHING) as node:
        node.provider.start()
        node.driver.start()
        for number in range(rounds):
            volume = node.volume(f"web-{number}")
            for mount in _mounts(node, volume):
                told = max(told, _fails(node, mount))
                expect(node.mounts() == [], f"mounted after a failed publish: {node.mounts()}")
                node.backend.stall(0.0)
                began = time.monotonic()
                node.provider.start()
                expect(mount() == SECRETS, "files are missing")
                recovery = max(recovery, time.monotonic() - began)
            node.unpublish(volume)
    return Shown(
        "driver and bare caller have UNAVAILABLE within 5 s, nothing stays mounted, and the first call after the "
        "provider's restart is answered whole",
        2 * rounds,
        "kills",
        recovery,
    )


def _case(cloud: type[FarBackend]) -> Case:
    return Case(
        cloud.name,
        f"SIGKILL to the {cloud.name} provider while its backend is silent in the middle of a mount",
        lambda plan: _killed(cloud, plan),
    )


PROVIDERS = tuple(_case(cloud) for cloud in CLOUDS)
