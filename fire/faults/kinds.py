"""The faults: how each begins and ends, and how a mount has to end meanwhile."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

import grpc

from fire.faults.cloud import Cloud, Words
from sscsi_emulators.front import Bad

LEGS: Final = ("login", "reads")
WAIT_SECONDS: Final = 3
"""Of Retry-After."""
_PASSING: Final = frozenset({grpc.StatusCode.UNKNOWN})
_REFUSED: Final = frozenset({grpc.StatusCode.UNAUTHENTICATED})
_SKEW_SECONDS: Final = 7200.0
_WAY: Final = r"(?i)check (the|--|address|your)|DNS|network policy|the way|next try|authorit|proxy"


class Shared(Enum):
    """Whom a back-off keeps from asking."""

    BY_ALL = "one that found it keeps everybody"
    BY_TWO = "two that found it keep everybody"
    NOBODY = "a refusal is somebody's own"


@dataclass(frozen=True, slots=True)
class Kind:
    """A fault.

    Attributes:
        name: of its case.
        what: is done, for the table.
        begin: does it to a leg; None = names of it are not resolved.
        end: undoes it.
        reasons: that a mount may end with.
        says: a regular expression of what its text says to check.
        codes: of gRPC.
        shared: see Shared.
        slow: whether nothing comes for long.
        legs: where it can be.
    """

    name: str
    what: str
    begin: Callable[[Cloud, str], None]
    end: Callable[[Cloud, str], None]
    reasons: frozenset[str] = frozenset({"BackendUnavailable"})
    says: str = _WAY
    codes: frozenset[grpc.StatusCode] = _PASSING
    shared: Shared = Shared.BY_TWO
    slow: bool = False
    legs: Sequence[str] = LEGS
    fresh: bool = False
    """Whether it is met by a provider that was just started: who has connections knows addresses too."""
    first: Callable[[Cloud, str], None] | None = None
    """What a login that is kept gets over within the mount: done before the fault itself, to one mount."""


def _wire(name: str, bad: Bad, what: str, *, slow: bool = False, says: str = _WAY) -> Kind:
    reasons = frozenset({"BackendUnavailable", "OutOfTime"} if slow else {"BackendUnavailable"})
    return Kind(
        name,
        what,
        lambda cloud, leg: cloud.leg(leg).front.go(bad),
        lambda cloud, leg: cloud.leg(leg).front.go(None),
        reasons=reasons,
        says=says,
        slow=slow,
    )


def _said(
    name: str,
    what: str,
    words: Callable[[Words], tuple[int, str, str]],
    reason: str,
    *,
    says: str,
    retry_after: int | None = None,
    shared: Shared = Shared.BY_TWO,
    codes: frozenset[grpc.StatusCode] = _PASSING,
    legs: Sequence[str] = LEGS,
    first: Callable[[Cloud, str], None] | None = None,
) -> Kind:
    return Kind(
        name,
        what,
        lambda cloud, leg: cloud.fail(leg, words(cloud.words[leg]), retry_after),
        lambda cloud, _leg: cloud.faults.clear(),
        reasons=frozenset({reason, "MountFailed"}) if shared is Shared.NOBODY else frozenset({reason}),
        says=says,
        codes=codes,
        shared=shared,
        legs=legs,
        first=first,
    )


def _shows(name: str, word: str, what: str) -> Kind:
    return Kind(
        name,
        what,
        lambda cloud, leg: cloud.leg(leg).show(word),
        lambda cloud, leg: cloud.leg(leg).show("right"),
        says=r"(?i)TLS|SSL|certificate",
    )


def _skew(name: str, seconds: float, what: str) -> Kind:
    def turn(cloud: Cloud, by: float) -> None:
        cloud.clock.wrong_by = by

    return Kind(
        name,
        what,
        lambda cloud, _leg: turn(cloud, seconds),
        lambda cloud, _leg: turn(cloud, 0.0),
        reasons=frozenset({"AuthenticationFailed"}),
        says=r"(?i)clock",
        codes=_REFUSED,
        shared=Shared.NOBODY,
        legs=("login",),
    )


def _busy(words: Words) -> tuple[int, str, str]:
    return words.busy


KINDS: Final[tuple[Kind, ...]] = (
    _wire("refused", Bad.REFUSED, "connections are refused"),
    _wire("reset", Bad.RESET, "connections are reset once something is sent"),
    _wire("silent", Bad.SILENT, "what is sent is swallowed, on old connections and on new ones", slow=True),
    _wire("trickle", Bad.TRICKLE, "answers come at two bytes a second", slow=True),
    _wire("half", Bad.HALF, "answers break off in the middle"),
    _wire("html", Bad.HTML, "a page of HTML is the answer, with status 200"),
    _said("throttled", "429, or the backend's own word for it", _busy, "BackendThrottled",
          says="(?i)limit|thrott|quota", shared=Shared.BY_ALL),
    _said("throttled-for", f"429 with Retry-After: {WAIT_SECONDS}", _busy, "BackendThrottled",
          says="(?i)limit|thrott|quota", retry_after=WAIT_SECONDS, shared=Shared.BY_ALL),
    _said("broken", "5xx", lambda words: words.broken, "BackendUnavailable", says="(?i)next try|unseal|check"),
    _said("expired", "credentials expire in the middle of a mount; then whatever is got anew is refused too",
          lambda words: words.refused, "AuthenticationFailed", says="(?i)clock|does not take the token|may not",
          shared=Shared.NOBODY, codes=_REFUSED | {grpc.StatusCode.PERMISSION_DENIED}, legs=("reads",),
          first=lambda cloud, leg: cloud.fail(leg, cloud.words[leg].refused, times=1)),
    _skew("clock-ahead", _SKEW_SECONDS, "the backend's clock is two hours ahead"),
    _skew("clock-behind", -_SKEW_SECONDS, "the backend's clock is two hours behind"),
    Kind("dns", "the host's name is not resolved", lambda cloud, leg: cloud.resolved(leg, good=False),
         lambda cloud, leg: cloud.resolved(leg, good=True), says="DNS", fresh=True),
    _shows("tls-authority", "wrong authority", "TLS: a certificate of another authority"),
    _shows("tls-expired", "expired", "TLS: a certificate that has expired"),
    _shows("tls-name", "wrong name", "TLS: a certificate for another name"),
)  # fmt: skip
