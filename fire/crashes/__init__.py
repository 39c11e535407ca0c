"""Crash safety: whatever is killed, and whenever, readers see whole volumes, and the next one puts things right."""

from typing import Final

from fire.case import Part
from fire.crashes.driver import DRIVER
from fire.crashes.opening import OPENING
from fire.crashes.providers import PROVIDERS
from fire.crashes.writer import WRITER

PART: Final = Part(
    "crashes",
    "Killed",
    "Whoever reads a volume through one opened `..data` sees files of one version, all of them; a file opened by "
    "its path is whole; nobody sees an older version after a newer one; what a killed process leaves is put right by "
    "the next one.",
    (WRITER, OPENING, DRIVER, *PROVIDERS),
)
