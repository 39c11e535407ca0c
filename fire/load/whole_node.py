"""All pods of a node start at once; then all their volumes are fetched again."""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psutil

from fire.case import Case, Shown, expect
from fire.load.crowd import LATENCY_SECONDS, PODS, Crowd
from fire.node import SECRETS
from fire.plan import Plan
from sscsi.kubelet import Kubelet, channel_to
from sscsi_driver import control

_MIB = 1 << 20
_DRIVER_MIB, _MORE_MIB = 75.0, 24.0
"""design.md, section 7; and what many identities may add to an idle provider (bench/memory.py)."""
_START_SECONDS, _ROUND_SECONDS = 60.0, 60.0
"""Half of what kubelet waits: a machine may be busy with more than this."""
_FORGOTTEN_SECONDS = 1.5
"""--cache-ttl has passed: the round asks the backends anew."""


def _start(crowd: Crowd, kubelet: Kubelet) -> list[float]:
    """Publish every pod's volume; the seconds that each took."""

    def publish(number: int) -> float:
        volume = crowd.volume(number)
        began = time.monotonic()
        target = kubelet.publish(volume)
        took = time.monotonic() - began
        expect(any(target.iterdir()), f"pod {number} has an empty volume")
        return took

    with ThreadPoolExecutor(PODS) as pool:
        return list(pool.map(publish, range(PODS)))


def _cold(_: Plan) -> Shown:
    with Crowd() as crowd, crowd.kubelet() as kubelet:
        busy = _busy(crowd)
        seconds = _start(crowd, kubelet)
        cpu = _busy(crowd) - busy
        _print("starts", seconds, cpu, crowd)
        expect(max(seconds) < _START_SECONDS, f"the last pod waited {max(seconds):.1f} s")
        _expect_economy(crowd.calls(), crowd.most_calls())
        memory = _expect_memory(crowd)
        return Shown(
            f"all have their files; the median after {statistics.median(seconds):.1f} s, the last after "
            f"{max(seconds):.1f} s; {sum(crowd.calls())} calls of {crowd.identities} identities for "
            f"{PODS * SECRETS} secrets; {cpu:.1f} s of CPU, {memory:.0f} MiB for five daemons",
            PODS,
            "pods at once",
        )


def _round(_: Plan) -> Shown:
    with Crowd("--cache-ttl=1s") as crowd, crowd.kubelet() as kubelet:
        _start(crowd, kubelet)
        time.sleep(_FORGOTTEN_SECONDS)
        busy, before, rotated = _busy(crowd), crowd.calls(), crowd.rotated()
        began = time.monotonic()
        with channel_to(crowd.driver.socket) as channel:
            expect(control.refresh(channel, "", 10) == PODS, "not every volume is to be fetched")
        _until(lambda: crowd.rotated() >= rotated + PODS, f"not all were fetched in {_ROUND_SECONDS:g} s")
        took, cpu = time.monotonic() - began, _busy(crowd) - busy
        asked = [after - one for after, one in zip(crowd.calls(), before, strict=True)]
        print(f"    {took:.1f} s, {cpu:.1f} s of CPU, calls {asked}")
        _expect_economy(asked, crowd.most_calls())
        memory = _expect_memory(crowd)
        return Shown(
            f"all fetched again after {took:.1f} s; {sum(asked)} calls of {crowd.identities} identities; "
            f"{cpu:.1f} s of CPU, {memory:.0f} MiB for five daemons",
            PODS,
            "volumes",
        )


def _expect_economy(asked: list[int], most: list[int]) -> None:
    for calls, may in zip(asked, most, strict=True):
        expect(0 < calls <= may, f"{asked} calls of the backends; once for an identity would be {most}")


def _expect_memory(crowd: Crowd) -> float:
    """Resident MiB of all daemons; each within what is promised."""
    held = [psutil.Process(daemon.pid).memory_info().rss / _MIB for daemon in crowd.daemons()]
    promised = [_DRIVER_MIB, *(node.backend.promises.idle_mib + _MORE_MIB for node in crowd.nodes)]
    for daemon, mib, most in zip(crowd.daemons(), held, promised, strict=True):
        expect(mib <= most, f"{daemon.module} has {mib:.0f} MiB; promised are {most:g}")
    return sum(held)


def _busy(crowd: Crowd) -> float:
    times = [psutil.Process(daemon.pid).cpu_times() for daemon in crowd.daemons()]
    return sum(one.user + one.system for one in times)


def _until(true: Callable[[], bool], otherwise: str) -> None:
    ends = time.monotonic() + _ROUND_SECONDS
    while not true():
        expect(time.monotonic() < ends, otherwise)
        time.sleep(0.05)


def _print(what: str, seconds: list[float], cpu: float, crowd: Crowd) -> None:
    print(
        f"    {what}: median {statistics.median(seconds):.2f} s, last {max(seconds):.2f} s, {cpu:.1f} s of CPU, "
        f"calls {crowd.calls()} of at most {crowd.most_calls()}"
    )


COLD = Case(
    "start",
    f"{PODS} pods of four clouds start at once, nothing is known; the backends answer in {LATENCY_SECONDS * 1000:g} ms",
    _cold,
)
ROUND = Case("round", f"{PODS} volumes of four clouds are to be fetched again at once", _round)
