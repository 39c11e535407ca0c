"""More mounts at once than a provider has places, while its backend is slow."""

import time
from collections import Counter
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from fire.backend_process import CLOUDS, FarBackend
from fire.case import Case, Shown, expect
from fire.node import Node
from fire.plan import Plan
from sscsi.kubelet import channel_to
from sscsi_shared.v1alpha1 import provider_pb2, provider_pb2_grpc

_MORE_THAN_ALL = 400
"""There are 128 places; each mount is of an identity of its own, so that none can join another."""
_PATIENCE_SECONDS = 12.0
_CHEAP_SECONDS = 2.0
_SLOW_SECONDS = 3.0
"""For each answer; a login and a read are two, so a place is taken for 6 s."""
_RECOVERY_SECONDS = 10.0
# design.md, section 5: kubelet takes these for unfinished.
_FORBIDDEN = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,
}


def _overload(cloud: type[FarBackend]) -> tuple[Counter[str], int, float]:
    """Reasons of the refused, how often Version and health were asked meanwhile, and seconds of recovery."""
    with Node(cloud, accounts=_MORE_THAN_ALL) as node, node.provider, channel_to(node.provider.socket) as channel:
        node.backend.stall(_SLOW_SECONDS)
        provider: Any = provider_pb2_grpc.CSIDriverProviderStub(channel)  # type: ignore[no-untyped-call]
        health: Any = health_pb2_grpc.HealthStub(channel)
        began = time.monotonic()
        requests = [node.request(node.volume(f"web-{number}", number)) for number in range(_MORE_THAN_ALL)]
        calls = [provider.Mount.future(request, timeout=_PATIENCE_SECONDS) for request in requests]
        asked = 0
        while not all(call.done() for call in calls):
            at = time.monotonic()
            provider.Version(provider_pb2.VersionRequest(version="v1alpha1"), timeout=_CHEAP_SECONDS)
            state = health.Check(health_pb2.HealthCheckRequest(), timeout=_CHEAP_SECONDS).status
            expect(state == health_pb2.HealthCheckResponse.SERVING, f"health says {state}")
            asked += 1
            expect(at < began + 2 * _PATIENCE_SECONDS, "calls do not end")
            time.sleep(0.2)
        reasons: Counter[str] = Counter()
        for call in calls:
            expect(call.code() not in _FORBIDDEN, f"{call.code()}: {call.details()}")
            reasons[dict(call.trailing_metadata() or ()).get("sscsi-reason", call.code().name)] += 1
        return reasons, asked, _recovery(node)


def _recovery(node: Node) -> float:
    """Seconds until a pod has its files, from when the backend answers again."""
    node.backend.stall(0.0)
    began = time.monotonic()
    while True:
        try:
            node.ask(node.volume("late", 0))
        except grpc.RpcError as error:
            took = time.monotonic() - began
            expect(took < _RECOVERY_SECONDS, f"{took:.0f} s after the backend's recovery: {error}")
            time.sleep(0.1)
        else:
            return time.monotonic() - began


def _all(plan: Plan) -> Shown:
    clouds = list(CLOUDS) if plan.count(0, 1) else [plan.dice("overload").choice(CLOUDS)]
    seen: Counter[str] = Counter()
    asked, slowest = 0, 0.0
    for cloud in clouds:
        reasons, cheap, recovery = _overload(cloud)
        print(
            f"    {cloud.name}: {dict(reasons)}; Version and health answered {cheap} times; recovery {recovery:.1f} s"
        )
        expect(reasons["Overloaded"] > 0, f"nobody was told of the overload: {dict(reasons)}")
        seen, asked, slowest = seen + reasons, asked + cheap, max(slowest, recovery)
    return Shown(
        "each has its files or a reason before its caller's deadline; who found no place is told Overloaded; Version "
        "and health answer all the while",
        _MORE_THAN_ALL * len(clouds),
        "mounts",
        slowest,
    )


OVERLOAD = Case(
    "overload",
    f"{_MORE_THAN_ALL} mounts at once of a provider with 128 places, and a backend that answers in {_SLOW_SECONDS:g} s",
    _all,
)
