"""Everything that can go wrong with a Mount, as one small tree.

    MountError                 reason, hint, transient, retry_after
    |- InvalidParameters       the class is wrong (line, column, path)
    |- AuthenticationFailed    no, expired or rejected token; role or audience refused
    |- ObjectError             the outcome of one object
    |  |- AccessDenied         the backend said no
    |  |- ObjectNotFound       object or version absent
    |  |- ObjectUnusable       disabled version, key missing in JSON, not decodable, too large
    |  |- HeldElsewhere        the object is to be asked for in its next place
    |  |- BackendThrottled     may pass by itself
    |  |- BackendUnavailable   may pass by itself
    |  `- OutOfTime            may pass by itself
    |- Overloaded              this provider has no slot; may pass by itself
    `- MountFailed             several objects failed

No error knows gRPC: `server/servicer.py` owns the only table from reason to status. A message says what failed, for
which object, as which identity and what to check; its first sentence stands alone. It never holds a secret or token,
and it is the same between retries: no times, counts or random order.
"""

from collections.abc import Sequence
from typing import Final, TypeVar

MAX_MESSAGE_BYTES: Final = 2048
"""Longer status texts break the HTTP/2 stream in some gRPC stacks (measured)."""
MAX_NAMED_OBJECTS: Final = 10
_MAX_ONE_OF_MANY_BYTES: Final = 800
_MAX_BEFORE_BYTES: Final = 400
_ROOM_BYTES: Final = 200
"""Left for the words of the driver that come before."""
MAX_FOREIGN_TEXT_BYTES: Final = 512
"""How much of a backend's own error text is shown."""


def clip(text: str, limit: int = MAX_FOREIGN_TEXT_BYTES) -> str:
    """`text` on one line, cut to `limit` bytes of UTF-8 with an ellipsis."""
    line = " ".join(text.split())
    raw = line.encode("utf-8", "replace")
    if len(raw) <= limit:
        return raw.decode()
    return raw[: limit - 3].decode("utf-8", "ignore") + "\u2026"


class MountError(Exception):
    """A Mount that can't be answered.

    Attributes:
        reason: a word that dashboards may rely on; one for each class.
        transient: whether it may pass by itself.
        hint: what the reader should check or do; may be empty.
        retry_after: seconds that the backend asked us to wait; None if it did not say.
    """

    reason: str = "Internal"
    transient: bool = False

    def __init__(self, message: str, *, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.retry_after = retry_after

    def __str__(self) -> str:
        if not self.hint:
            return self.message
        stop = "" if self.message.endswith((".", "!", "?")) else "."
        return f"{self.message}{stop} {self.hint}"


class InvalidParameters(MountError):
    """The class, a pod's attribute, a path or a mode is wrong: only an edit mends it.

    Attributes:
        path: where, in the words of the author: `objects[2].objectName`.
        line: line in the parameter's text, from 1; None if it has none.
        column: column in that line, from 1; None if it has none.
    """

    reason = "InvalidParameters"

    def __init__(
        self, message: str, *, path: str = "", line: int | None = None, column: int | None = None, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.path = path
        self.line = line
        self.column = column

    def __str__(self) -> str:
        place = self.path
        if self.line is not None:
            place += f"{' ' if place else ''}(line {self.line}, column {self.column or 1})"
        text = super().__str__()
        return f"{place}: {text}" if place else text


class AuthenticationFailed(MountError):
    """No token, an expired one, or one that the backend or our own check refused."""

    reason = "AuthenticationFailed"


class ObjectError(MountError):
    """What one object came to, instead of content."""

    reason = "ObjectError"


class AccessDenied(ObjectError):
    """The backend said no."""

    reason = "AccessDenied"


class ObjectNotFound(ObjectError):
    """The object or its version does not exist."""

    reason = "ObjectNotFound"


class ObjectUnusable(ObjectError):
    """The object is there, but can't become the files asked for."""

    reason = "ObjectUnusable"


class HeldElsewhere(ObjectError):
    """The object is not for everybody who asks in this place: its next one has to be asked."""

    reason = "HeldElsewhere"


class BackendThrottled(ObjectError):
    """The backend asked us to slow down."""

    reason = "BackendThrottled"
    transient = True


class BackendUnavailable(ObjectError):
    """The backend did not answer, or answered that it is broken."""

    reason = "BackendUnavailable"
    transient = True


class OutOfTime(ObjectError):
    """Our deadline came before the backend's answer."""

    reason = "OutOfTime"
    transient = True


class Overloaded(MountError):
    """Every mount slot was taken until the deadline."""

    reason = "Overloaded"
    transient = True


class MountFailed(MountError):
    """Several objects failed. If any of them may pass by itself, so may the mount: its reason is the first such one's.

    Attributes:
        failures: in the order of the class.
    """

    reason = "MountFailed"

    def __init__(self, failures: Sequence[MountError]) -> None:
        self.failures = tuple(failures)
        text = f"{len(self.failures)} objects failed."
        for number, failure in enumerate(self.failures, start=1):
            told = f" [{number}] {clip(str(failure), _MAX_ONE_OF_MANY_BYTES)}"
            if number > MAX_NAMED_OBJECTS or len((text + told).encode()) > MAX_MESSAGE_BYTES - _ROOM_BYTES:
                text += f" and {len(self.failures) - number + 1} more"
                break
            text += told
        waits = [failure.retry_after for failure in self.failures if failure.retry_after is not None]
        super().__init__(text, retry_after=max(waits, default=None))
        passing = next((failure for failure in self.failures if failure.transient), None)
        if passing is not None:
            self.reason, self.transient = passing.reason, True


ErrorT = TypeVar("ErrorT", bound=MountError)


def fresh(error: ErrorT) -> ErrorT:
    """A copy without cause and traceback, for a failure that is kept or told to several: frames hold what was read."""
    copy = error.__class__.__new__(error.__class__)
    copy.__dict__.update(error.__dict__)
    copy.args = error.args
    return copy


def after(failures: Sequence[ObjectError]) -> ObjectError:
    """The last of failures that came one after another (fail-over); its hint begins with what came before."""
    failures = [failure for failure in failures if not isinstance(failure, HeldElsewhere)] or failures
    last = failures[-1]
    if len(failures) == 1:
        return last
    told = fresh(last)
    before = "; ".join(clip(failure.message, _MAX_BEFORE_BYTES) for failure in failures[:-1])
    told.hint = f"Tried before: {before} {last.hint}".strip()
    return told


def first_or_all(failures: Sequence[MountError]) -> MountError:
    """The failure itself if there is one, else a MountFailed of them all."""
    return failures[0] if len(failures) == 1 else MountFailed(failures)
