"""SIGTERM ends every provider within 5 s, even where a backend holds all its answers back."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import grpc
import pytest

from sscsi.clouds import AwsCloud, Cloud, GcpCloud, Ground, VaultCloud
from sscsi.clouds.cloud import ACCOUNT, NAMESPACE, POD
from sscsi.kubelet import PodVolume, ask_provider, mount_request
from sscsi.stage import Stage
from sscsi_emulators.vault import VaultEmulator

pytestmark = pytest.mark.e2e

LIMIT_SECONDS = 5.0
ACCOUNTS = 40
"""More than are closed at once: one after the other, and even side by side, they would take longer than the limit."""


class HeldVault(VaultCloud):
    """Vault that can be silent, which OpenBao's own server can't."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self.vault = VaultEmulator()

    def __enter__(self) -> "HeldVault":  # noqa: PYI034
        self.vault.__enter__()
        self.vault.trust(self._ground.kubernetes.verify)
        names = [ACCOUNT, *(f"app-{number}" for number in range(ACCOUNTS))]
        self.vault.role("app", *(f"system:serviceaccount:{NAMESPACE}:{name}" for name in names))
        return self

    def __exit__(self, *_: object) -> None:
        self.vault.__exit__()

    def put(self, value: str) -> None:
        self.vault.put("secret/data/db", {"k": value})

    def flags(self) -> list[str]:
        return ["--health-addr=", f"--allowed-addresses={self.vault.url}"]

    def parameters(self, printed: Mapping[str, str]) -> Mapping[str, str]:
        entry = {"objectName": "password", "secretPath": "secret/data/db", "secretKey": "k"}
        return {"roleName": "app", "vaultAddress": self.vault.url, "objects": json.dumps([entry])}

    def handed_out(self) -> Iterable[str]:
        return self.vault.handed_out()


def backend_of(cloud: Cloud) -> Any:
    assert isinstance(cloud, HeldVault | AwsCloud | GcpCloud)
    return cloud.vault if isinstance(cloud, HeldVault) else cloud.backend


def mount(stage: Stage, volume: PodVolume) -> None:
    parameters = stage.parameters_of(next(iter(stage.clouds)))
    ask_provider(stage.provider.socket, mount_request(volume, parameters, stage.kubelet_root), 60)


def seconds_of(end: Callable[[], None]) -> float:
    began = time.monotonic()
    end()
    return time.monotonic() - began


def test_what_is_held_at_a_silent_server_keeps_no_process() -> None:
    """Each session has a token to give back, which takes 3 s where nobody answers."""
    with Stage(driver=False, clouds=(HeldVault,), flags=()) as stage:
        vault = backend_of(stage.clouds["vault"])
        for number in range(ACCOUNTS):
            account, pod = f"app-{number}", f"{POD}-{number}"
            metadata = {"namespace": NAMESPACE, "name": account}
            stage.kubernetes.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
            mount(stage, stage.volume(pod=pod, account=account))
        assert vault.calls["login"] == ACCOUNTS
        vault.hold()
        assert seconds_of(stage.provider.stop) < LIMIT_SECONDS
        assert "not all was given back" in stage.provider.log.read_text()
        assert not stage.provider.socket.exists()


def test_where_the_server_answers_all_is_given_back() -> None:
    with Stage(driver=False, clouds=(HeldVault,), flags=()) as stage:
        mount(stage, stage.volume())
        stage.provider.stop()
        assert backend_of(stage.clouds["vault"]).calls["revoke-self"] == 1
        assert "given back" not in stage.provider.log.read_text()


@pytest.mark.parametrize("cloud", [AwsCloud, GcpCloud, HeldVault], ids=lambda cloud: str(cloud.name))
def test_a_mount_that_waits_for_a_silent_backend_keeps_no_process_beyond_its_drain(cloud: type[Cloud]) -> None:
    with Stage(driver=False, clouds=(cloud,), flags=("--drain=1s", "--cache-ttl=0")) as stage:
        mount(stage, stage.volume())
        backend = backend_of(stage.clouds[cloud.name])
        backend.hold()
        asked = sum(backend.calls.values())
        errors: list[grpc.RpcError] = []

        def waiting() -> None:
            try:
                mount(stage, stage.volume(pod=f"{POD}-2"))
            except grpc.RpcError as error:
                errors.append(error)

        thread = threading.Thread(target=waiting)
        thread.start()
        ends = time.monotonic() + 20
        while sum(backend.calls.values()) == asked:
            assert time.monotonic() < ends, "the backend was never asked"
            time.sleep(0.01)
        assert seconds_of(stage.provider.stop) < LIMIT_SECONDS
        thread.join(10)
        assert errors, "the mount was answered"
