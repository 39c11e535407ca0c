"""How much is done, and by which dice: everything random comes from one seed, so that a failure can be repeated."""

import random
from dataclasses import dataclass
from enum import Enum


class Size(Enum):
    """How much of everything."""

    SHORT = "short"
    FULL = "full"
    SOAK = "soak"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a case may count on.

    Attributes:
        seed: of all dice.
        size: how much is done.
    """

    seed: int
    size: Size

    def dice(self, case: str) -> random.Random:
        """Dice of a case alone: the same whichever other cases run."""
        return random.Random(f"{self.seed}/{case}")

    def count(self, short: int, full: int) -> int:
        """So many in a short run, so many in a full one."""
        return short if self.size is Size.SHORT else full
