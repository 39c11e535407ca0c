"""Attacks on the driver by way of the file system: paths that lead elsewhere, planted files, false sockets, umasks."""

from typing import Final

from fire.attacks.modes import MODES
from fire.attacks.sockets import SOCKETS
from fire.attacks.targets import TARGETS
from fire.attacks.volumes import VOLUMES
from fire.case import Part

PART: Final = Part(
    "attacks",
    "Attacked by way of the file system",
    "Each attack fails with an answer that says so. A tree outside is compared before and after, by content, mode and "
    "owner: nothing in it is touched, and nothing is mounted there.",
    (*TARGETS, VOLUMES, SOCKETS, MODES),
)
