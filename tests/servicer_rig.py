"""A servicer over a real unix socket, with a Mounter that does as it is told."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import grpc
import pytest

from sscsi_shared.deadline import Deadline
from sscsi_shared.mount import MountInput, MountResult, ObjectVersion, SecretFile
from sscsi_shared.secret import SecretBytes
from sscsi_shared.server.servicer import ProviderServicer
from sscsi_shared.testing.daemon import dialled, serving
from sscsi_shared.v1alpha1 import provider_pb2 as pb
from sscsi_shared.v1alpha1 import provider_pb2_grpc

ATTRIBUTES = json.dumps({"csi.storage.k8s.io/pod.namespace": "shop", "csi.storage.k8s.io/pod.name": "web-0"})
RESULT = MountResult((SecretFile("db", 0o400, SecretBytes(b"canary\\x00\\xff")),), (ObjectVersion("db", "v1"),))


class Scripted:
    """Mounts as told."""

    def __init__(self) -> None:
        self.answer: Callable[[MountInput, Deadline], MountResult] = lambda mount, deadline: RESULT

    def mount(self, mount: MountInput, deadline: Deadline) -> MountResult:
        return self.answer(mount, deadline)

    def fail(self, error: BaseException) -> None:
        def answer(mount: MountInput, deadline: Deadline) -> MountResult:
            raise error

        self.answer = answer


class Rig:
    """A servicer, its caller, and what it told its observer."""

    def __init__(self, stack: ExitStack, **options: Any) -> None:
        self.mounter = Scripted()
        self.observed: list[tuple[str, float]] = []
        self.servicer = ProviderServicer(
            self.mounter, "sscsi-provider-test", "1.2.3", **{"observe": self._observe} | options
        )
        channel = stack.enter_context(dialled(stack.enter_context(serving(self.servicer))))
        self.stub = provider_pb2_grpc.CSIDriverProviderStub(channel)  # type: ignore[no-untyped-call]

    def _observe(self, reason: str, seconds: float) -> None:
        self.observed.append((reason, seconds))

    def mount(self, timeout: float | None = 20, attributes: str = ATTRIBUTES, **fields: Any) -> pb.MountResponse:
        request = pb.MountRequest(attributes=attributes, secrets="null", permission="420", target_path="/t", **fields)
        response: pb.MountResponse = self.stub.Mount(request, timeout=timeout)
        return response

    def refused(self, timeout: float | None = 20, **fields: Any) -> tuple[grpc.StatusCode, str, dict[str, str]]:
        with pytest.raises(grpc.RpcError) as caught:
            self.mount(timeout, **fields)
        call = caught.value
        assert isinstance(call, grpc.Call)
        metadata = {key: str(value) for key, value in call.trailing_metadata() or ()}
        return call.code(), call.details() or "", metadata
