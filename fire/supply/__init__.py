"""Supply: what the images are made of."""

from typing import Final

from fire.case import Part
from fire.supply.advisories import ADVISORIES
from fire.supply.licences import LICENCES

PART: Final = Part(
    "supply",
    "What it is made of",
    "No part of an image has a known weakness, and each may be passed on. That every part is pinned with its hash is a "
    "test (tests/architecture).",
    (ADVISORIES, LICENCES),
)
