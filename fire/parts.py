"""All parts, in the order of docs/fire.md; a further one is a package with a `PART`, and its line here."""

from typing import Final

from fire import attacks, crashes, endurance, faults, hostile, leaks, load, rules, supply
from fire.case import Part

PARTS: Final[tuple[Part, ...]] = (
    crashes.PART,
    endurance.PART,
    load.PART,
    faults.PART,
    hostile.PART,
    attacks.PART,
    rules.PART,
    leaks.PART,
    supply.PART,
)
SOAKING: Final[tuple[Part, ...]] = (endurance.PART,)
"""Those that FIRE=soak runs for an hour."""
