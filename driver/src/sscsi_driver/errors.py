"""What the driver answers when a volume can't be filled, and the words that dashboards know for it."""

from enum import StrEnum
from typing import Final

import grpc


class ErrorType(StrEnum):
    """The values of the metrics' label `error_type` that are the driver's own (Secrets Store CSI driver 1.6)."""

    FAILED_TO_MOUNT = "FailedToMount"
    FAILED_TO_ENSURE_MOUNT_POINT = "FailedToEnsureMountPoint"
    CLASS_NOT_FOUND = "SecretProviderClassNotFound"
    CLASS_INVALID = "SecretProviderClassInvalid"
    INVALID_REQUEST = "InvalidRequest"
    PROVIDER_NOT_FOUND = "ProviderNotFound"
    PROVIDER_UNREACHABLE = "ProviderUnreachable"
    PROVIDER_ERROR = "GRPCProviderError"
    FILE_WRITE_ERROR = "FileWriteError"
    STATUS_WRITE_ERROR = "PodStatusWriteError"
    API_SERVER_ERROR = "ApiServerError"
    UNPUBLISHED = "Unpublished"
    INTERNAL = "Internal"


NON_FINAL: Final = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
    }
)
"""Codes after which kubelet keeps the volume's directory and calls NodeUnpublishVolume when the pod goes.

After every other code of a first publish it removes the directory and never calls NodeUnpublishVolume, so an answer
with such a final code promises that nothing is left behind (kubelet, pkg/volume/csi).
"""


class PublishError(Exception):
    """A NodePublishVolume or NodeUnpublishVolume that failed.

    Attributes:
        message: for the pod's events; its first sentence stands alone; no secret in it.
        code: the status that kubelet gets.
        error_type: the metrics' label; a word of ErrorType, or a provider's own.
        retry_after: seconds that the backend asks to be left alone; None = it says nothing.
    """

    def __init__(
        self, message: str, *, code: grpc.StatusCode, error_type: str, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.error_type = error_type
        self.retry_after = retry_after

    def saying(self, message: str, code: grpc.StatusCode | None = None) -> "PublishError":
        """The same failure in other words, perhaps with another code; to be raised from this one."""
        return PublishError(message, code=code or self.code, error_type=self.error_type, retry_after=self.retry_after)


class InvalidRequest(PublishError):
    """An argument that no driver could serve."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code=grpc.StatusCode.INVALID_ARGUMENT, error_type=ErrorType.INVALID_REQUEST)


class Unpublished(PublishError):
    """The volume was unpublished, or the caller went away, while it was being filled."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code=grpc.StatusCode.ABORTED, error_type=ErrorType.UNPUBLISHED)


class UnpublishFailed(PublishError):
    """The target could not be unmounted or removed; kubelet tries again."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code=grpc.StatusCode.INTERNAL, error_type=ErrorType.FAILED_TO_ENSURE_MOUNT_POINT)
