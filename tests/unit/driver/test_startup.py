"""The startup taint: when it goes, and that no other taint is touched."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest

from sscsi_driver.dispatch import Providers
from sscsi_driver.errors import ErrorType, PublishError
from sscsi_driver.startup import NodeObjects, StartUp, removal
from sscsi_shared.deadline import Deadline

KEY = "secrets-store.csi.k8s.io/agent-not-ready"
OURS = {"key": KEY, "effect": "NoExecute"}
OTHER = {"key": "other", "effect": "NoSchedule", "value": "x"}
DRIVER = "secrets-store.csi.k8s.io"


class MemoryNode:
    def __init__(self, *taints: dict[str, Any]) -> None:
        self.now = list(taints)
        self.drivers: set[str] = {DRIVER}
        self.meanwhile: list[dict[str, Any]] = []
        self.away = False
        self.forbidden = False

    def registered(self) -> frozenset[str]:
        return frozenset(self.drivers)

    def taints(self) -> list[dict[str, Any]] | None:
        if self.forbidden:
            return None
        if self.away:
            raise PublishError("the API server is away", code=grpc.StatusCode.UNAVAILABLE, error_type="x")
        return copy.deepcopy(self.now)

    def patch_taints(self, patch: Sequence[Mapping[str, Any]]) -> bool:
        self.now += self.meanwhile
        self.meanwhile = []
        test, change = patch
        if test["value"] != self.now:
            return False
        self.now = list(change.get("value", []))
        return True


class AnsweringProviders(Providers):
    def __init__(self, *names: str) -> None:
        super().__init__([Path("/nowhere")], 1)
        self.names = set(names)

    def version(self, provider: str, deadline: Deadline) -> str:
        if provider not in self.names:
            raise PublishError(
                f"provider {provider} is not there",
                code=grpc.StatusCode.UNAVAILABLE,
                error_type=ErrorType.PROVIDER_NOT_FOUND,
            )
        return f"{provider} 1"


def start_up(node: NodeObjects | None, providers: Providers, *required: str) -> StartUp:
    return StartUp(providers=providers, required=required, driver_name=DRIVER, node=node, taint=KEY)


@pytest.mark.parametrize(
    ("taints", "patch"),
    [
        ([], []),
        ([OTHER], []),
        ([OURS], [{"op": "test", "path": "/spec/taints", "value": [OURS]}, {"op": "remove", "path": "/spec/taints"}]),
        (
            [OTHER, OURS],
            [
                {"op": "test", "path": "/spec/taints", "value": [OTHER, OURS]},
                {"op": "replace", "path": "/spec/taints", "value": [OTHER]},
            ],
        ),
        (
            [OURS, {**OURS, "effect": "NoSchedule"}],
            [
                {"op": "test", "path": "/spec/taints", "value": [OURS, {**OURS, "effect": "NoSchedule"}]},
                {"op": "remove", "path": "/spec/taints"},
            ],
        ),
    ],
)
def test_the_patch(taints: list[dict[str, Any]], patch: list[dict[str, Any]]) -> None:
    assert removal(taints, KEY) == patch


def test_it_goes_when_kubelet_and_the_providers_are_there() -> None:
    node, providers = MemoryNode(OTHER, OURS), AnsweringProviders("aws")
    node.drivers = set()
    start = start_up(node, providers, "aws", "vault")
    assert not start.look()
    providers.names.add("vault")
    assert not start.look()
    assert node.now == [OTHER, OURS]
    node.drivers = {DRIVER}
    assert start.look()
    assert node.now == [OTHER]


def test_a_taint_that_somebody_adds_meanwhile_stays() -> None:
    node = MemoryNode(OURS)
    node.meanwhile = [OTHER]
    start = start_up(node, AnsweringProviders())
    assert not start.look()
    assert node.now == [OURS, OTHER]
    assert start.look()
    assert node.now == [OTHER]


def test_the_api_server_may_be_away() -> None:
    node = MemoryNode(OURS)
    node.away = True
    start = start_up(node, AnsweringProviders())
    assert not start.look()
    node.away = False
    assert start.look()


def test_what_is_missing_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    start = start_up(None, AnsweringProviders(), "aws")
    for _ in range(3):
        assert not start.look()
    assert caplog.text.count("not ready for secrets yet: provider aws is not there") == 1


def test_without_a_taint_there_is_nothing_to_patch() -> None:
    assert start_up(MemoryNode(OTHER), AnsweringProviders()).look()
    assert start_up(None, AnsweringProviders()).look()


def test_without_the_right_to_see_nodes_there_is_nothing_to_do() -> None:
    node = MemoryNode(OURS)
    node.forbidden = True
    assert start_up(node, AnsweringProviders()).look()
    assert node.now == [OURS]
