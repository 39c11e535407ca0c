"""Mounts that ask the same at one time, over a real socket: who leaves, who stays."""

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest

from memory_stage import MemoryStage
from sscsi_shared.economy.asking import Economy
from sscsi_shared.economy.options import OFF, EconomyOptions
from sscsi_shared.pipeline import Pipeline
from sscsi_shared.server.servicer import ProviderServicer
from sscsi_shared.testing.caller import TARGET, Caller
from sscsi_shared.testing.daemon import dialled, serving
from sscsi_shared.testing.stage import Wanted
from sscsi_shared.v1alpha1 import provider_pb2, provider_pb2_grpc

LONG = 20.0


class Rig:
    """A provider whose backend hangs, and callers that may leave."""

    def __init__(self, stack: ExitStack, options: EconomyOptions, slots: int = 4) -> None:
        self.stage = MemoryStage()
        self.stage.put("shop-db", "content")
        self.ended: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.joined = threading.Semaphore(0)
        economy: Economy[Any, Any, Any, Any] = Economy(self.stage.provider, options, count=self._count)
        self.reads = 0
        servicer = ProviderServicer(
            Pipeline(self.stage.provider, self.stage.cluster, economy),
            "memory",
            "0",
            slots,
            observe=lambda reason, _: self.ended.put(reason),
        )
        channel = stack.enter_context(dialled(stack.enter_context(serving(servicer))))
        self._stub = provider_pb2_grpc.CSIDriverProviderStub(channel)  # type: ignore[no-untyped-call]
        attributes = Caller(channel, self.stage, [], []).attributes(Wanted("shop-db"))
        self._request = provider_pb2.MountRequest(
            attributes=json.dumps(attributes), secrets="null", permission="420", target_path=TARGET
        )
        stack.callback(self.stage.mend)
        self.stage.hang()

    def _count(self, what: str, number: int) -> None:
        if what == "read":
            self.reads += number
        if what in {"read", "joined"} and number:
            self.joined.release()

    def mount(self) -> "grpc.Future[provider_pb2.MountResponse]":
        """A Mount that has come as far as the backend, or to somebody who asks it already."""
        call: grpc.Future[provider_pb2.MountResponse] = self._stub.Mount.future(self._request, timeout=60)
        assert self.joined.acquire(timeout=LONG)
        return call


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_the_first_leaves_and_the_others_get_what_it_asked_for(stack: ExitStack) -> None:
    rig = Rig(stack, EconomyOptions())
    first, second, third = rig.mount(), rig.mount(), rig.mount()
    second.cancel()
    assert rig.ended.get(timeout=LONG) == "Cancelled", "who waits for another's answer leaves at once"
    first.cancel()
    rig.stage.mend()
    assert third.result(timeout=LONG).files[0].contents == b"content"
    assert rig.reads == 1


@pytest.mark.parametrize("options", [EconomyOptions(), OFF])
def test_when_all_leave_nobody_works_on(stack: ExitStack, options: EconomyOptions) -> None:
    rig = Rig(stack, options, slots=2)
    for call in (rig.mount(), rig.mount()):
        call.cancel()
    assert [rig.ended.get(timeout=LONG) for _ in range(2)] == ["Cancelled"] * 2, "though the backend still hangs"
    rig.stage.mend()
    assert rig.mount().result(timeout=LONG).files[0].contents == b"content"
