"""The parts of the images, as they are pinned."""

import re
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements"
IMAGES = ("driver", "aws", "gcp", "vault", "azure")


def file_of(image: str) -> Path:
    """The pinned, hashed file of an image."""
    return REQUIREMENTS / f"image-{image}.txt"


def every_part() -> list[str]:
    """The names of all distributions in any image that this machine would have."""
    from packaging.markers import Marker

    found = set()
    for image in IMAGES:
        pattern = r"^([\w.-]+)==[^\s;]+(?: ; (.*?))? \\$"
        for name, marker in re.findall(pattern, file_of(image).read_text(encoding="utf-8"), re.MULTILINE):
            if not marker or Marker(marker).evaluate():
                found.add(name)
    return sorted(found)
