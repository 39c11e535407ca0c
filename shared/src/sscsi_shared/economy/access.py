"""What everything that is kept is kept under."""

from collections.abc import Hashable
from typing import NamedTuple

from sscsi_shared.mount import Place


class Access(NamedTuple):
    """One identity at one place.

    Attributes:
        who: the provider's identity, and the pod's uid where sessions are a pod's own; with every fact that changes
            where a call goes, as whom, or what comes back.
        place: see Place.
    """

    who: Hashable
    place: Place
