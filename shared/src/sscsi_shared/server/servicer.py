"""protobuf <-> mount.py, and the only table from reason to gRPC status."""

import logging
import math
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from typing import Final, NoReturn, Protocol

import grpc

from sscsi_shared.cancellation import Cancellation
from sscsi_shared.deadline import Clock, Deadline
from sscsi_shared.errors import MAX_MESSAGE_BYTES, MountError, MountFailed, clip
from sscsi_shared.mount import MountInput, MountResult
from sscsi_shared.parameters import read_mount
from sscsi_shared.server.slots import Slots
from sscsi_shared.v1alpha1 import provider_pb2, provider_pb2_grpc

log = logging.getLogger(__name__)

API_VERSION: Final = "v1alpha1"
SLOTS: Final = 128
"""Mounts that run at once."""
WAITING: Final = 256
"""Mounts that may wait for a slot; a node has at most a few hundred pods."""
SPARE_THREADS: Final = 8
"""For Version and health."""
MAX_SECONDS: Final = 100.0
MARGIN_SECONDS: Final = 3.0
"""How long before the caller's deadline ours ends, so that our text arrives first."""
MAX_RETRY_AFTER_SECONDS: Final = 3600
CANCELLED: Final = "Cancelled"
"""What is counted of a Mount whose caller left; no status is sent then."""
_GONE: Final = "the caller left"
MAX_CAUSES: Final = 5
MAX_FRAMES: Final = -20
"""The innermost frames of each exception that are logged."""

STATUS: Final = {
    "InvalidParameters": grpc.StatusCode.INVALID_ARGUMENT,
    "AuthenticationFailed": grpc.StatusCode.UNAUTHENTICATED,
    "AccessDenied": grpc.StatusCode.PERMISSION_DENIED,
    "ObjectNotFound": grpc.StatusCode.NOT_FOUND,
    "ObjectUnusable": grpc.StatusCode.FAILED_PRECONDITION,
    "BackendThrottled": grpc.StatusCode.UNKNOWN,
    "BackendUnavailable": grpc.StatusCode.UNKNOWN,
    "OutOfTime": grpc.StatusCode.UNKNOWN,
    "Overloaded": grpc.StatusCode.UNKNOWN,
}
"""Rule: never UNAVAILABLE, RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED, ABORTED or CANCELLED: kubelet takes those for
unfinished, and the existing driver then reports success over an empty volume on the retry."""


def status_of(error: MountError) -> grpc.StatusCode:
    """The status that answers a failure; a kind of a third party's is taken for the nearest one that is ours."""
    if isinstance(error, MountFailed):
        codes = {status_of(failure) for failure in error.failures}
        if grpc.StatusCode.UNKNOWN in codes:
            return grpc.StatusCode.UNKNOWN
        return codes.pop() if len(codes) == 1 else grpc.StatusCode.FAILED_PRECONDITION
    for kind in type(error).__mro__:
        if issubclass(kind, MountError) and kind.reason in STATUS:
            return STATUS[kind.reason]
    return grpc.StatusCode.UNKNOWN if error.transient else grpc.StatusCode.FAILED_PRECONDITION


class Mounter(Protocol):
    """What answers a Mount: a Pipeline."""

    def mount(self, mount: MountInput, deadline: Deadline) -> MountResult:
        """The content of the volume, or a MountError."""


class ProviderServicer(provider_pb2_grpc.CSIDriverProviderServicer):
    """The provider contract over one Mounter.

    Args:
        mounter: answers Mounts.
        runtime_name: the provider's name, for Version.
        runtime_version: its version.
        slots: how many Mounts run at once.
        waiting: how many more wait for a slot, within their deadline; the rest are refused as Overloaded.
        observe: told the reason ("OK", an error's, or "Cancelled") and the seconds of each Mount.
        clock: seconds that only grow.

    Attributes:
        long_calls: how many threads Mounts can hold, running and waiting.
        threads: what its server needs, so that Version and health always have one.
    """

    def __init__(
        self,
        mounter: Mounter,
        runtime_name: str,
        runtime_version: str,
        slots: int = SLOTS,
        *,
        waiting: int = WAITING,
        observe: Callable[[str, float], None] = lambda _reason, _seconds: None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._mounter = mounter
        self._version = provider_pb2.VersionResponse(
            version=API_VERSION, runtime_name=runtime_name, runtime_version=runtime_version
        )
        self._slots = Slots(slots, waiting)
        self.long_calls: Final = slots + waiting
        self.threads: Final = self.long_calls + SPARE_THREADS
        self._observe = observe
        self._clock = clock

    def Version(  # noqa: N802  # the contract's name
        self, request: provider_pb2.VersionRequest, context: grpc.ServicerContext
    ) -> provider_pb2.VersionResponse:
        """Who answers here; whatever the request says."""
        del request, context
        return self._version

    def Mount(  # noqa: N802  # the contract's name
        self, request: provider_pb2.MountRequest, context: grpc.ServicerContext
    ) -> provider_pb2.MountResponse:
        """Read everything that a volume asks for."""
        began = self._clock()
        reason = "Internal"
        whose = "an unknown pod"
        gone = Cancellation()
        try:
            deadline = self._deadline(context, gone)
            mount = read_mount(
                request.attributes,
                request.secrets,
                request.permission,
                request.target_path,
                ((version.id, version.version) for version in request.current_object_version),
            )
            whose = f"{_text(mount.pod.namespace, 64)}/{_text(mount.pod.name, 256)}"
            with self._slots.taken(deadline):
                result = self._mounter.mount(mount, deadline)
            response = _response(result)
            if result.read_at is not None:  # our driver lets no older content replace newer in a Kubernetes Secret
                context.set_trailing_metadata((("sscsi-read-at", f"{result.read_at:.6f}"),))
            reason = "OK"
        except MountError as error:
            reason = CANCELLED if gone.reason else error.reason
            _refuse(context, error, whose, left=bool(gone.reason))
        except BaseException as error:  # noqa: BLE001  # an answer is due whatever happened: gRPC lets SystemExit pass
            _fail(context, error, whose)
        else:
            return response
        finally:
            self._tell(reason, self._clock() - began)

    def _deadline(self, context: grpc.ServicerContext, gone: Cancellation) -> Deadline:
        left: float | None = context.time_remaining()  # None where the caller set no deadline, whatever the stubs say
        seconds = MAX_SECONDS if left is None else min(MAX_SECONDS, max(left - MARGIN_SECONDS, left / 2))
        if not context.add_callback(lambda: gone.cancel(_GONE)):
            gone.cancel(_GONE)
        return Deadline.after(seconds, self._clock, gone)

    def _tell(self, reason: str, seconds: float) -> None:
        try:
            self._observe(reason, seconds)
        except Exception as error:  # noqa: BLE001  # a broken counter fails no mount
            log.error("a mount could not be counted: %s", type(error).__name__)  # noqa: TRY400


def _response(result: MountResult) -> provider_pb2.MountResponse:
    return provider_pb2.MountResponse(
        object_version=[
            provider_pb2.ObjectVersion(id=version.id, version=version.version) for version in result.versions
        ],
        files=[
            provider_pb2.File(path=file.path, mode=file.mode, contents=file.contents.reveal()) for file in result.files
        ],
    )


def _text(text: str, limit: int = MAX_MESSAGE_BYTES) -> str:
    """One line of at most `limit` bytes of UTF-8 without control characters: valid in a status, harmless in a log."""
    line = " ".join(text.split())
    return clip("".join(char if char.isprintable() else "\ufffd" for char in line), limit)


def _refuse(context: grpc.ServicerContext, error: MountError, whose: str, *, left: bool) -> NoReturn:
    metadata = [("sscsi-reason", error.reason)]
    if error.retry_after is not None and error.retry_after >= 0:
        metadata.append(("sscsi-retry-after", str(math.ceil(min(error.retry_after, MAX_RETRY_AFTER_SECONDS)))))
    context.set_trailing_metadata(tuple(metadata))
    text = _text(str(error))
    if left:
        log.info("mount for %s ended: the caller left", whose, extra={"reason": CANCELLED, "pod": whose})
    else:
        log.warning(
            "mount for %s failed, %s: %s", whose, error.reason, text, extra={"reason": error.reason, "pod": whose}
        )
    context.abort(status_of(error), text)


def _fail(context: grpc.ServicerContext, error: BaseException, whose: str) -> NoReturn:
    """A bug: the caller gets an incident id, the log types and frames only; an exception's text may hold a secret."""
    incident = uuid.uuid4().hex[:12]
    log.error(
        "mount for %s failed, Internal: incident %s\n%s",
        whose,
        incident,
        "\n".join(_frames(error)),
        extra={"reason": "Internal", "pod": whose, "incident": incident},
    )
    context.set_trailing_metadata((("sscsi-reason", "Internal"),))
    context.abort(
        grpc.StatusCode.INTERNAL,
        f"The provider failed by a mistake of its own. Its log has the cause under incident {incident}.",
    )


def _frames(error: BaseException) -> Iterator[str]:
    """Type and frames of an exception and of those that led to it, without their texts."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen and len(seen) < MAX_CAUSES:
        seen.add(id(following))
        yield f"{type(following).__module__}.{type(following).__qualname__}"
        yield "".join(traceback.format_tb(following.__traceback__, MAX_FRAMES)).rstrip()
        following = following.__cause__ or following.__context__
