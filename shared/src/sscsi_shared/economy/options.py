"""What an operator may say of the economy."""

from dataclasses import dataclass
from typing import Any, Final

from sscsi_shared.daemon.flags import Flag, Values, duration, one_of, whole_number

TTL: Final = Flag("cache-ttl", 15.0, "How long what was read serves the same identity; 0 = not at all.", duration)
MAX_AGE: Final = Flag("session-max-age", 900.0, "How long a login serves the same identity; 0 = once.", duration)
MOST_SESSIONS: Final = Flag("cache-max-sessions", 256, "The most logins that are kept.", whole_number)
MAX_BYTES: Final = Flag("cache-max-bytes", 64 << 20, "The most that kept contents come to.", whole_number)
SCOPE: Final = Flag(
    "session-scope",
    "serviceAccount",
    "Who shares logins and contents: the pods of a serviceAccount, or each pod has its own. A class may say pod.",
    one_of("serviceAccount", "pod"),
)
FIRST_BACK_OFF: Final = Flag(
    "backoff", 1.0, "How long a throttling or failing backend is left alone at first; 0 = never.", duration
)

ECONOMY_FLAGS: Final[tuple[Flag[Any], ...]] = (TTL, MAX_AGE, MOST_SESSIONS, MAX_BYTES, SCOPE, FIRST_BACK_OFF)


@dataclass(frozen=True, slots=True)
class EconomyOptions:
    """How much is kept, and for how long.

    Attributes:
        ttl: seconds that a read is kept; 0 = not at all.
        max_age: seconds that a login is kept; 0 = not at all.
        most_sessions: how many logins are kept.
        max_bytes: of contents with what surrounds them.
        per_pod: whether no pod shares with another; if not, a class may still ask for that.
        back_off: seconds that a failing backend is left alone at first; 0 = never.
    """

    ttl: float = 15.0
    max_age: float = 900.0
    most_sessions: int = 256
    max_bytes: int = 64 << 20
    per_pod: bool = False
    back_off: float = 1.0

    @classmethod
    def of(cls, values: Values) -> "EconomyOptions":
        """What the command line says."""
        return cls(
            ttl=values[TTL],
            max_age=values[MAX_AGE],
            most_sessions=values[MOST_SESSIONS],
            max_bytes=values[MAX_BYTES],
            per_pod=values[SCOPE] == "pod",
            back_off=values[FIRST_BACK_OFF],
        )


OFF: Final = EconomyOptions(ttl=0, max_age=0, back_off=0)
"""Every mount asks for itself; only those at the same time are joined."""
