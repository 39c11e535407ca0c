"""Leaks: what must not be read is looked for wherever somebody else can read."""

from typing import Final

from fire.case import Part
from fire.leaks.everywhere import EVERYWHERE

PART: Final = Part(
    "leaks",
    "Nothing to find",
    "No secret and no token, nor an encoding or a digest of one, stands in a log (at debug level too), metric, error, "
    "event, status, process argument, environment or file outside of the volumes.",
    (EVERYWHERE,),
)
