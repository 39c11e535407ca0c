"""Load: a whole node at once, and more than a provider can do."""

from typing import Final

from fire.case import Part
from fire.load.overload import OVERLOAD
from fire.load.whole_node import COLD, ROUND

PART: Final = Part(
    "load",
    "Under load",
    "110 pods, as many as kubelet has, start at once and rotate together: the backends are asked once for an identity. "
    "Whoever finds no place waits within the caller's deadline and is then told so, by a status that kubelet tries "
    "again; Version and health answer all the while.",
    (COLD, ROUND, OVERLOAD),
)
