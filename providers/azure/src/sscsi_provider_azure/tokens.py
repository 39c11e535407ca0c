"""One login for all vaults of a class: a token is shared for as long as sessions hold it, and while it is young.

Who brings another proof (another pod's token) logs in for itself: what pods share is the economy's to say.
"""

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from typing import Final

from azure.core.credentials import AccessToken

from sscsi_provider_azure.parameters import WRAPPED
from sscsi_shared.deadline import Clock, Deadline
from sscsi_shared.economy.flights import Flights
from sscsi_shared.errors import MountError, OutOfTime, fresh

SHARED_SECONDS: Final = 60.0


class Taken:
    """A token that a session holds.

    Attributes:
        token: of Entra.
        scope: what it is for.
    """

    def __init__(self, token: AccessToken, scope: str, since: float) -> None:
        self.token: Final = token
        self.scope: Final = scope
        self.since: Final = since
        self.users = 0


class SharedTokens:
    """Who holds which.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._held: dict[Hashable, Taken] = {}
        self._flights: Flights[Hashable, Taken | MountError] = Flights(self._known)

    def take(self, key: Hashable, login: Callable[[Deadline], AccessToken], scope: str, deadline: Deadline) -> Taken:
        """A token that is there, or a new one.

        Args:
            key: identity, proof and scope.
            login: makes one.
            scope: what it is for.
            deadline: of the caller.

        Raises:
            MountError: what the login raised.
        """

        def lead(_: Sequence[Hashable], deadline: Deadline) -> dict[Hashable, Taken | MountError]:
            try:
                made = Taken(login(deadline), scope, self._clock())
            except MountError as error:
                return {key: fresh(error)}
            with self._lock:
                self._held[key] = made
            return {key: made}

        found = self._flights.ask([key], lead, deadline).get(key)
        if isinstance(found, MountError):
            raise fresh(found)
        if found is None:
            raise OutOfTime(f"{WRAPPED}Entra did not answer the login in time.")
        with self._lock:
            found.users += 1
        return found

    def give_back(self, key: Hashable, taken: Taken, *, refused: bool) -> None:
        """A session ends; a token that was refused is given to nobody else."""
        with self._lock:
            taken.users -= 1
            if self._held.get(key) is taken and (refused or taken.users <= 0):
                del self._held[key]

    def _known(self, key: Hashable) -> Taken | None:
        with self._lock:
            found = self._held.get(key)
            return found if found is not None and self._clock() - found.since < SHARED_SECONDS else None
