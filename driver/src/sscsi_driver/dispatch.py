"""From a provider's name to its answer: find the socket, dial it, call Mount, read what came back.

The only place of the driver that knows the provider contract's messages (Secrets Store CSI provider API v1alpha1).
"""

import logging
import re
import threading
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc

from sscsi_driver.attributes import PERMISSION
from sscsi_driver.errors import ErrorType, PublishError, Unpublished
from sscsi_driver.said import Said
from sscsi_driver.sockets import ProviderSocket, reach
from sscsi_shared.cancellation import Cancellation
from sscsi_shared.deadline import Deadline, Instant
from sscsi_shared.errors import clip
from sscsi_shared.mount import MountResult, ObjectVersion, SecretFile
from sscsi_shared.secret import SecretBytes, SecretText
from sscsi_shared.v1alpha1 import provider_pb2, provider_pb2_grpc

log = logging.getLogger(__name__)

API_VERSION: Final = "v1alpha1"
"""What every driver sends with Version."""
MAX_PROVIDER_TEXT_BYTES: Final = 2048
"""How much of a provider's text goes on to kubelet."""
_LARGE_ANSWER_BYTES: Final = 1024 * 1024
"""A Kubernetes Secret can't hold more."""
_MAX_METADATA_BYTES: Final = 256 * 1024
"""Existing providers put whole answers of backends into the status; gRPC's own limit of 8 KiB would hide them."""
_HANDSHAKE_MS: Final = 4000
"""How long a provider that accepted the connection may take to speak HTTP/2 (gRPC's least connect timeout)."""
_MODE_BITS: Final = 0o777
"""No setuid, setgid or sticky bit on a secret; the existing driver sets whatever it is told."""
_MOMENT: Final = re.compile(r"\d{1,11}(\.\d{1,9})?", re.ASCII)
_REASON: Final = re.compile(r"[A-Za-z]{1,40}")
_LOST: Final = re.compile(
    r"Socket closed|Stream removed|Connection reset|Broken pipe|GOAWAY|Endpoint (closed|closing)|End of TCP stream"
    r"|failed to connect|recvmsg|sendmsg|Transport closed|empty address list",
    re.IGNORECASE,
)
"""How gRPC says that the connection ended without a response; it gives no better sign (grpcio 1.85, measured)."""


@dataclass(frozen=True, slots=True)
class ProviderRequest:
    """A MountRequest: the two JSON texts, redacted, and the volume's path on the host."""

    attributes: SecretText
    secrets: SecretText
    target_path: str


class _Channel:
    """A channel to one socket file; closed when it is out of date and its last call has ended."""

    __slots__ = ("calls", "channel", "identity", "stale", "stub")

    def __init__(self, found: ProviderSocket, max_receive_bytes: int) -> None:
        self.identity = found.identity
        self.calls = 0
        self.stale = False
        self.channel = grpc.insecure_channel(
            f"unix:{urllib.parse.quote(str(found.path.absolute()))}",
            options=(
                ("grpc.default_authority", "localhost"),
                ("grpc.use_local_subchannel_pool", 1),
                ("grpc.initial_reconnect_backoff_ms", 100),
                ("grpc.max_reconnect_backoff_ms", 1000),
                ("grpc.min_reconnect_backoff_ms", _HANDSHAKE_MS),
                ("grpc.enable_retries", 0),
                ("grpc.enable_http_proxy", 0),
                ("grpc.max_receive_message_length", max_receive_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.max_metadata_size", _MAX_METADATA_BYTES),
                ("grpc.absolute_max_metadata_size", _MAX_METADATA_BYTES),
            ),
        )
        self.stub = provider_pb2_grpc.CSIDriverProviderStub(self.channel)  # type: ignore[no-untyped-call]  # generated


class Providers:
    """Calls providers by name; one channel for each socket file.

    Args:
        folders: searched in this order.
        max_receive_bytes: the largest answer taken.
    """

    def __init__(self, folders: Sequence[Path], max_receive_bytes: int) -> None:
        self._folders = tuple(folders)
        self._max_receive_bytes = max_receive_bytes
        self._lock = threading.Lock()
        self._channels: dict[Path, _Channel] = {}
        self._said = Said()

    def check(self, provider: str) -> None:
        """See whether the provider is there and listens.

        Raises:
            PublishError: it is not.
        """
        reach(provider, self._folders)

    def mount(
        self, provider: str, request: ProviderRequest, deadline: Deadline, cancellation: Cancellation
    ) -> MountResult:
        """Ask the provider for the whole content of a volume.

        A call whose connection was lost before any response is made once more, if somebody listens.

        Returns:
            Its files, none if it wrote them itself, and at least one object version; of a repeated id the last.

        Raises:
            PublishError: it is not there, was lost, refused, or answered something that is no volume.
            Unpublished: `cancellation` came first.
        """
        message = provider_pb2.MountRequest(
            attributes=request.attributes.reveal(),
            secrets=request.secrets.reveal(),
            target_path=request.target_path,
            permission=PERMISSION,
        )
        try:
            return _read(provider, *self._call(provider, message, deadline, cancellation), self._said)
        except _Lost:
            log.warning("provider %s was lost before it answered; asking once more", provider)
        try:
            return _read(provider, *self._call(provider, message, deadline, cancellation, again=True), self._said)
        except _Lost as error:
            reach(provider, self._folders, lost=True)  # it may have been dying when we dialled before
            raise PublishError(
                f'provider "{provider}" ended the call without an answer, twice: {error.text}. See the log of its pod '
                "on this node.",
                code=grpc.StatusCode.UNAVAILABLE,
                error_type=ErrorType.PROVIDER_UNREACHABLE,
            ) from error

    def version(self, provider: str, deadline: Deadline) -> str:
        """Ask the provider who it is: its name and version, as it says.

        Raises:
            PublishError: it is not there, or does not answer.
        """
        found = reach(provider, self._folders)
        with self._channel(found) as channel:
            call = channel.stub.Version.future(
                provider_pb2.VersionRequest(version=API_VERSION), timeout=deadline.remaining()
            )
            try:
                answer: provider_pb2.VersionResponse = call.result()
            except grpc.RpcError as error:
                raise PublishError(
                    f"provider {provider} on {found.path} does not answer Version: {clip(call.details() or '', 256)}",
                    code=grpc.StatusCode.UNAVAILABLE,
                    error_type=ErrorType.PROVIDER_UNREACHABLE,
                ) from error
        return clip(f"{answer.runtime_name} {answer.runtime_version}", 128)

    def close(self) -> None:
        """Close every channel; calls in progress end."""
        with self._lock:
            channels, self._channels = self._channels, {}
        for channel in channels.values():
            channel.channel.close()

    def _call(
        self,
        provider: str,
        message: provider_pb2.MountRequest,
        deadline: Deadline,
        cancellation: Cancellation,
        *,
        again: bool = False,
    ) -> tuple[provider_pb2.MountResponse, Instant | None]:
        """The answer, and when our providers say that its content was read."""
        found = reach(provider, self._folders, lost=again)
        with self._channel(found) as channel:
            call = channel.stub.Mount.future(message, timeout=deadline.remaining())
            cancellation.on_cancel(call.cancel)
            try:
                response: provider_pb2.MountResponse = call.result()
            except grpc.FutureCancelledError as error:
                raise Unpublished(f"the mount was stopped: {cancellation.reason}") from error
            except grpc.RpcError as error:
                if cancellation.reason is not None:
                    raise Unpublished(f"the mount was stopped: {cancellation.reason}") from error
                failure = _failure(provider, found, call)
                if isinstance(failure, _Lost):
                    self._forget(found.path, channel)
                raise failure from error
            metadata: dict[str, str | bytes] = dict(call.trailing_metadata() or ())
        return response, _moment(metadata.get("sscsi-read-at"))

    @contextmanager
    def _channel(self, found: ProviderSocket) -> Iterator[_Channel]:
        with self._lock:
            channel = self._channels.get(found.path)
            if channel is None or channel.identity != found.identity:
                if channel is not None:
                    self._retire(channel)
                channel = self._channels[found.path] = _Channel(found, self._max_receive_bytes)
            channel.calls += 1
        try:
            yield channel
        finally:
            with self._lock:
                channel.calls -= 1
                if channel.stale:
                    self._retire(channel)

    def _forget(self, path: Path, channel: _Channel) -> None:
        """Let the next call connect anew, without the back-off of this channel."""
        with self._lock:
            channel.stale = True
            if self._channels.get(path) is channel:
                del self._channels[path]

    @staticmethod
    def _retire(channel: _Channel) -> None:
        """Close a channel that is out of date, once nobody calls on it."""
        channel.stale = True
        if channel.calls == 0:
            channel.channel.close()


class _Lost(Exception):
    """The connection ended before any response began."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def _failure(provider: str, found: ProviderSocket, call: grpc.Call) -> PublishError | _Lost:
    """What a call that has failed means."""
    code = call.code()
    text = clip(call.details() or "", MAX_PROVIDER_TEXT_BYTES)
    metadata: dict[str, str | bytes] = dict(call.trailing_metadata() or ())
    if code is grpc.StatusCode.UNAVAILABLE and not metadata and _LOST.search(text):
        return _Lost(text)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED and not metadata:
        text = f'provider "{provider}" on {found.path} did not answer in time; see the log of its pod on this node'
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and _too_large(text):
        text = (
            f'received message larger than max: provider "{provider}" answered more than the driver takes. Ask for '
            f"less, or raise --max-call-recv-msg-size ({text})"
        )
    reason = str(metadata.get("sscsi-reason", ""))
    return PublishError(
        text or f'provider "{provider}" answered {code.name} without a text',
        code=code,
        error_type=reason if _REASON.fullmatch(reason) else ErrorType.PROVIDER_ERROR,
        retry_after=_seconds(metadata.get("sscsi-retry-after")),
    )


def _seconds(text: str | bytes | None) -> float | None:
    """A whole number of seconds in a provider's metadata; None where it is none."""
    if isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) < 10:
        return float(text)
    return None


def _moment(text: str | bytes | None) -> Instant | None:
    """Seconds since 1970 in a provider's metadata; None where they are none."""
    return float(text) if isinstance(text, str) and _MOMENT.fullmatch(text) else None


def _too_large(text: str) -> bool:
    """Whether it was our own limit, in the words of grpc-go or grpc-c."""
    lower = text.lower()
    return "received message larger than max" in lower and "length allowed on current machine" not in lower


def _read(provider: str, response: provider_pb2.MountResponse, read_at: Instant | None, said: Said) -> MountResult:
    """The answer's content, if it is one."""
    if response.error.code:
        code = clip(response.error.code, 128)
        raise PublishError(
            f"mount request failed with provider error code {code}. See the log of {provider}'s pod on this node.",
            code=grpc.StatusCode.UNKNOWN,
            error_type=code,
        )
    if not response.object_version:
        raise PublishError(
            f'missing object versions: provider "{provider}" named no object that it has read. A class must ask for at '
            "least one object.",
            code=grpc.StatusCode.UNKNOWN,
            error_type=ErrorType.PROVIDER_ERROR,
        )
    if response.ByteSize() > _LARGE_ANSWER_BYTES:
        log.warning("provider %s answered more than 1 MiB; a Kubernetes Secret could not hold it", provider)
    versions: dict[str, str] = {}
    for one in response.object_version:  # the Google Cloud provider's ids repeat: one for each file of a secret
        if versions.get(one.id, one.version) != one.version and said.is_news(f"{provider}/{one.id}", "versions"):
            log.warning("provider %s named two versions of %s; the last counts", provider, clip(one.id, 256))
        versions[one.id] = one.version
    if strange := [file.path for file in response.files if file.mode != file.mode & _MODE_BITS]:
        log.warning(
            "provider %s asked for modes beyond 0777, which were cut: %s", provider, clip(", ".join(strange), 256)
        )
    return MountResult(
        files=tuple(
            SecretFile(file.path, file.mode & _MODE_BITS, SecretBytes(file.contents)) for file in response.files
        ),
        versions=tuple(ObjectVersion(name, version) for name, version in versions.items()),
        read_at=read_at,
    )
