"""From the start of a daemon to its first answer, and what it holds then."""

import time
from collections.abc import Callable
from functools import partial

import grpc

from bench.figures import Figure, Table
from bench.process import first_answer, resident_mib
from sscsi.clouds import ALL
from sscsi.daemons import Daemon
from sscsi.stage import Stage
from sscsi_driver.csi import csi_pb2, csi_pb2_grpc
from sscsi_shared.v1alpha1 import provider_pb2, provider_pb2_grpc

DRIVER_BUDGET_MIB = 75.0
SETTLE_SECONDS = 10.0


def measure() -> list[Table]:
    """Seconds of wall and CPU; the driver's memory 10 s after its first answer."""
    with Stage(driver=False, clouds=ALL) as stage:
        figures = []
        for name, daemon in stage.providers.items():
            daemon.stop()
            figures += _start(f"provider {name}", daemon, partial(_version, daemon))
        figures += _start("driver", stage.driver, lambda: _plugin_info(stage.driver))
        time.sleep(SETTLE_SECONDS)
        idle = Figure("driver, 10 s after the first answer", resident_mib(stage.driver.pid), "MiB", DRIVER_BUDGET_MIB)
        stage.driver.stop()
    return [
        Table("From start to the first answered Version (provider) or GetPluginInfo (driver)", figures),
        Table("Resident memory", [idle]),
    ]


def _start(name: str, daemon: Daemon, ask: Callable[[], bool]) -> list[Figure]:
    began = time.monotonic()
    daemon.launch()
    wall, cpu = first_answer(daemon.pid, ask, began=began)
    return [Figure(f"{name}, wall", wall, "s"), Figure(f"{name}, CPU", cpu, "s")]


def _version(daemon: Daemon) -> bool:
    if not daemon.socket.exists():
        return False
    with _channel(daemon) as channel:
        stub = provider_pb2_grpc.CSIDriverProviderStub(channel)  # type: ignore[no-untyped-call]
        stub.Version(provider_pb2.VersionRequest(version="v1alpha1"), timeout=5)
    return True


def _plugin_info(daemon: Daemon) -> bool:
    if not daemon.socket.exists():
        return False
    with _channel(daemon) as channel:
        stub = csi_pb2_grpc.IdentityStub(channel)  # type: ignore[no-untyped-call]
        stub.GetPluginInfo(csi_pb2.GetPluginInfoRequest(), timeout=5)
    return True


def _channel(daemon: Daemon) -> grpc.Channel:
    return grpc.insecure_channel(f"unix:{daemon.socket}", [("grpc.default_authority", "localhost")])
