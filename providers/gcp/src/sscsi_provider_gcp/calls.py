"""Calls of Google's services over gRPC: one identity's token, short attempts, and retries of our own."""

import random
import threading
from collections.abc import Callable
from typing import Any, Final

from google.api_core import exceptions
from google.protobuf.message import DecodeError

from sscsi_provider_gcp.channels import Channels, Line
from sscsi_provider_gcp.errors import object_error, outcome_of, unreadable
from sscsi_provider_gcp.identity import GcpIdentity
from sscsi_provider_gcp.metrics import counted
from sscsi_provider_gcp.resources import Resource
from sscsi_shared.deadline import Deadline
from sscsi_shared.errors import OutOfTime
from sscsi_shared.secret import SecretText

ATTEMPT_SECONDS: Final = 4.0
_TRIES: Final = 4
_FIRST_PAUSE_SECONDS: Final = 0.1
_AGAIN: Final = (exceptions.ServiceUnavailable, exceptions.ResourceExhausted)
_METRIC_NAMES: Final = {
    "access_secret_version": "secretmanager.AccessSecretVersion",
    "list_secrets": "secretmanager.ListSecrets",
    "render_parameter_version": "parametermanager.RenderParameterVersion",
}


class Caller:
    """Calls as one identity.

    Args:
        channels: the lines.
        identity: as whom, for messages.
        token: of that identity.
        attempt_seconds: the most that one try may take.
        pause: between tries, in seconds.
    """

    def __init__(
        self,
        channels: Channels,
        identity: GcpIdentity,
        token: SecretText,
        attempt_seconds: float = ATTEMPT_SECONDS,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self._channels = channels
        self._identity = identity
        self._token = token
        self._attempt_seconds = attempt_seconds
        self._pause = pause or threading.Event().wait

    def call(
        self,
        method: str,
        resource: Resource,
        request: dict[str, Any],
        deadline: Deadline,
        first: Callable[[Any], Any] = lambda answer: answer,
    ) -> Any:
        """Call a method of the resource's service.

        Unavailable is tried again, a used-up quota once, after a pause; silence over another connection in the end.

        Args:
            method: the SDK's name of it.
            resource: where to call, and for messages.
            request: the message.
            deadline: of all tries together.
            first: takes what is needed from what the SDK gives back, which may call once more.

        Raises:
            ObjectError: the last try failed.
            AuthenticationFailed: the token was refused.
        """
        failure: Exception | None = None
        for turn in range(_TRIES):
            if deadline.expired:
                break
            line = self._channels.line(resource.kind, resource.location)
            try:
                with counted(_METRIC_NAMES[method]) as outcome:
                    try:
                        answer = first(self._ask(line, method, request, deadline))
                    except (ValueError, TypeError, DecodeError):
                        # `from None`: these errors may hold the answer.
                        outcome.word = "unreadable"
                        raise unreadable(resource) from None
                    except exceptions.GoogleAPICallError as error:
                        outcome.word = outcome_of(error)
                        raise
            except exceptions.GoogleAPICallError as error:
                failure = error
                if not self._may_try_again(error, line, resource, turn, deadline):
                    break
            else:
                line.answered()
                return answer
        if failure is None:
            raise OutOfTime(f"{resource.name}: there was no time left to ask.")
        raise object_error(failure, resource, self._identity) from None

    def _ask(self, line: Line, method: str, request: dict[str, Any], deadline: Deadline) -> Any:
        return getattr(line.client, method)(
            request=request,
            retry=None,
            timeout=max(0.001, deadline.at_most(self._attempt_seconds)),
            metadata=(("authorization", f"Bearer {self._token.reveal()}"),),
        )

    def _may_try_again(self, error: Exception, line: Line, resource: Resource, turn: int, deadline: Deadline) -> bool:
        """After the pause that is due."""
        if isinstance(error, exceptions.DeadlineExceeded):
            if line.fell_silent():
                self._channels.renew(resource.kind, resource.location, line)
            return True
        line.answered()
        if not isinstance(error, _AGAIN) or (isinstance(error, exceptions.ResourceExhausted) and turn > 0):
            return False
        pause = _FIRST_PAUSE_SECONDS * 2**turn * random.uniform(0.5, 1.5)  # noqa: S311  # no secret: jitter
        if deadline.remaining() <= pause:
            return False
        self._pause(pause)
        return True
