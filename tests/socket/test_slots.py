"""Slots: who waits, who is refused, and that each place is given back."""

import queue
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import grpc
import pytest

from servicer_rig import ATTRIBUTES, RESULT, Rig, Scripted
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import ObjectNotFound
from sscsi_shared.mount import MountInput, MountResult
from sscsi_shared.server.servicer import ProviderServicer
from sscsi_shared.v1alpha1 import provider_pb2 as pb

Code = grpc.StatusCode


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


class Crowded(Rig):
    """One slot, which is taken, until `release`; one place to wait."""

    def __init__(self, stack: ExitStack) -> None:
        super().__init__(stack, slots=1, waiting=1)
        self.release = threading.Event()
        stack.callback(self.release.set)
        self.entered = threading.Semaphore(0)

        def answer(mount: MountInput, deadline: Deadline) -> MountResult:
            self.entered.release()
            self.release.wait(20)
            return RESULT

        self.mounter.answer = answer
        self.holder = self.later()
        assert self.entered.acquire(timeout=20)

    def later(self, timeout: float = 20) -> "grpc.Future[pb.MountResponse]":
        request = pb.MountRequest(attributes=ATTRIBUTES, secrets="null", permission="420", target_path="/t")
        call: grpc.Future[pb.MountResponse] = self.stub.Mount.future(request, timeout=timeout)
        return call


def test_a_mount_without_a_slot_waits_and_then_runs(stack: ExitStack) -> None:
    crowded = Crowded(stack)
    waiter = crowded.later()
    assert not crowded.entered.acquire(timeout=0.2)
    crowded.release.set()
    assert waiter.result(timeout=20).files
    assert crowded.holder.result(timeout=20).files


def test_a_mount_that_gets_no_slot_in_time_is_overloaded(stack: ExitStack) -> None:
    crowded = Crowded(stack)
    code, text, metadata = crowded.refused(timeout=1)
    assert (code, metadata) == (Code.UNKNOWN, {"sscsi-reason": "Overloaded"})
    assert text.startswith("The provider had no free slot for this mount in time.")


def test_a_full_waiting_room_refuses_at_once_and_version_still_answers(stack: ExitStack) -> None:
    crowded = Crowded(stack)
    done: queue.SimpleQueue[grpc.Future[pb.MountResponse]] = queue.SimpleQueue()
    both = [crowded.later(), crowded.later()]  # whoever comes second finds the only place taken
    for call in both:
        call.add_done_callback(done.put)
    refused = done.get(timeout=20)
    error = refused.exception()
    assert isinstance(error, grpc.RpcError)
    assert "too many mounts wait" in str(error)
    assert crowded.stub.Version(pb.VersionRequest(), timeout=20).version == "v1alpha1"
    crowded.release.set()
    (waiter,) = (call for call in both if call is not refused)
    assert waiter.result(timeout=20).files


def test_a_caller_that_leaves_gives_its_place_back(stack: ExitStack) -> None:
    crowded = Crowded(stack)
    for _ in range(3):
        waiter = crowded.later()
        assert not crowded.entered.acquire(timeout=0.1)
        waiter.cancel()
    while "no free slot" not in crowded.refused(timeout=1)[1]:
        pass
    left = [reason for reason, _ in crowded.observed]
    assert left.count("Cancelled") == 3
    assert set(left) == {"Cancelled", "Overloaded"}


def test_a_failed_mount_gives_its_slot_back(stack: ExitStack) -> None:
    rig = Rig(stack, slots=1, waiting=0)
    for error in (ObjectNotFound("gone"), ZeroDivisionError(), SystemExit(1)):
        rig.mounter.fail(error)
        assert rig.refused()[0] in {Code.NOT_FOUND, Code.INTERNAL}
    rig.mounter.answer = lambda mount, deadline: RESULT
    assert rig.mount().files


def test_the_server_has_a_thread_for_every_long_call_and_more() -> None:
    servicer = ProviderServicer(Scripted(), "name", "1", slots=3, waiting=4)
    assert servicer.long_calls == 7
    assert servicer.threads > 7
