"""Measure, print, and keep the figures in bench/results.txt."""

import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import grpc

from bench.figures import Figure, table
from bench.process import first_answer, resident_mib
from sscsi.daemons import Daemon
from sscsi.kubelet import ask_provider, mount_request
from sscsi.stage import AUDIENCE, Stage
from sscsi_driver.csi import csi_pb2, csi_pb2_grpc
from sscsi_shared.v1alpha1 import provider_pb2, provider_pb2_grpc

RESULTS = Path(__file__).with_name("results.txt")
SECRETS = 10
PODS = 50
MOUNTS = 200
SETTLE_SECONDS = 10.0
AWS_BUDGET_MIB = 75.0
DRIVER_BUDGET_MIB = 75.0


def main() -> None:
    """Run all of it; exit 1 if a budget is broken."""
    figures: list[Figure] = []
    with Stage(driver=False) as stage:
        names = [f"bench-{number}" for number in range(SECRETS)]
        for name in names:
            stage.aws.put_secret(name, f"value of {name}")
        objects = "\n".join(f"- {{objectName: {name}, objectType: secretsmanager}}" for name in names)
        stage.provider.stop()
        figures += [*provider_start(stage), *driver_start(stage)]
        calls, figures_of_memory = mounts(stage, objects)
    text = "\n".join(
        [
            f"Python {platform.python_version()}, {platform.machine()}; one run on a machine that may be noisy.",
            "",
            table("From start to the first answered Version (provider) or GetPluginInfo (driver)", figures),
            table("Resident memory", figures_of_memory),
            table(f"Backend calls, {SECRETS} secrets in a class", calls),
        ]
    )
    print(text)
    RESULTS.write_text(text, encoding="utf-8")
    over = [one for one in figures_of_memory if one.budget is not None and one.value > one.budget]
    sys.exit(1 if over else 0)


def provider_start(stage: Stage) -> list[Figure]:
    """Seconds to the first Version."""

    def ask() -> bool:
        if not stage.provider.socket.exists():
            return False
        with grpc.insecure_channel(
            f"unix:{stage.provider.socket}", [("grpc.default_authority", "localhost")]
        ) as channel:
            stub = provider_pb2_grpc.CSIDriverProviderStub(channel)  # type: ignore[no-untyped-call]
            stub.Version(provider_pb2.VersionRequest(version="v1alpha1"), timeout=5)
        return True

    return _start("provider aws", stage.provider, ask)


def driver_start(stage: Stage) -> list[Figure]:
    """Seconds to the first GetPluginInfo, and the driver's idle memory."""

    def ask() -> bool:
        if not stage.driver.socket.exists():
            return False
        with grpc.insecure_channel(f"unix:{stage.driver.socket}", [("grpc.default_authority", "localhost")]) as channel:
            stub = csi_pb2_grpc.IdentityStub(channel)  # type: ignore[no-untyped-call]
            stub.GetPluginInfo(csi_pb2.GetPluginInfoRequest(), timeout=5)
        return True

    return _start("driver", stage.driver, ask)


def mounts(stage: Stage, objects: str) -> tuple[list[Figure], list[Figure]]:
    """Backend calls of a first mount, a repeat, and 50 pods; memory after the first and after 200."""
    calls = [_calls(stage, "first mount", 1, objects), _calls(stage, "the same again", 1, objects)]
    time.sleep(SETTLE_SECONDS)
    memory = [
        Figure("provider aws, 10 s after the first mount", resident_mib(stage.provider.pid), "MiB", AWS_BUDGET_MIB),
        Figure("driver, idle", resident_mib(stage.driver.pid), "MiB", DRIVER_BUDGET_MIB),
    ]
    calls.append(_calls(stage, f"{PODS} pods of one service account", PODS, objects))
    for number in range(MOUNTS - PODS - 2):
        _mount(stage, f"more-{number}", objects)
    memory.append(Figure(f"provider aws, after {MOUNTS} mounts", resident_mib(stage.provider.pid), "MiB"))
    stage.driver.stop()
    return [figure for group in calls for figure in group], memory


def _start(name: str, daemon: Daemon, ask: Callable[[], bool]) -> list[Figure]:
    began = time.monotonic()
    daemon.launch()
    wall, cpu = first_answer(daemon.pid, ask, began=began)
    return [Figure(f"{name}, wall", wall, "s"), Figure(f"{name}, CPU", cpu, "s")]


def _mount(stage: Stage, pod: str, objects: str) -> None:
    request = mount_request(stage.volume(pod=pod), {"objects": objects}, stage.kubelet_root)
    answer = ask_provider(stage.provider.socket, request, timeout=60)
    if len(answer.files) != SECRETS:
        raise SystemExit(f"{len(answer.files)} files instead of {SECRETS}: the figures would mean nothing")


def _calls(stage: Stage, name: str, pods: int, objects: str) -> list[Figure]:
    stage.aws.calls.clear()
    stage.kubernetes.calls.clear()
    for number in range(pods):
        _mount(stage, f"{AUDIENCE}-{number}", objects)
    counted = stage.aws.calls + stage.kubernetes.calls
    figures = [Figure(f"{name}: all", counted.total())]
    return figures + [Figure(f"    {operation}", count) for operation, count in sorted(counted.items())]


if __name__ == "__main__":
    main()
