"""All parts, in the order of docs/fire.md; a further one is a package with a `PART`, and its line here."""

from typing import Final

from fire import crashes
from fire.case import Part

PARTS: Final[tuple[Part, ...]] = (crashes.PART,)
SOAKING: Final[tuple[Part, ...]] = ()
"""Those that FIRE=soak runs for an hour."""
