"""Endurance: the last of ten thousand calls finds the daemon as the first thousand left it."""

from typing import Final

from fire.case import Part
from fire.endurance.driver import DRIVER
from fire.endurance.providers import PROVIDERS

PART: Final = Part(
    "endurance",
    "For long",
    "What a daemon holds of the system does not grow with its calls: descriptors, sockets, threads and mounts stay, "
    "resident memory stays within what is promised, and grows by at most 5 MiB after the warm-up of 1,000 calls.",
    (DRIVER, *PROVIDERS),
)
