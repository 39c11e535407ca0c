"""docs/providers/aws.md names everything that there is, and nothing that there is not."""

import re
from pathlib import Path

import pytest

from sscsi_provider_aws.__main__ import FLAGS
from sscsi_provider_aws.descriptors import FIELDS
from sscsi_provider_aws.parameters import KNOWN
from sscsi_shared.parameters import SESSION_SCOPE

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "providers" / "aws.md").read_text()


def named(section: str) -> list[str]:
    """What the first column of a section's table names."""
    body = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in body.splitlines() if line.startswith("| `")]
    return [name.lstrip("-") for row in rows for name in re.findall(r"`([^`]+)`", row)]


@pytest.mark.parametrize(
    ("section", "there"),
    [
        ("Parameters of the class", {*KNOWN, SESSION_SCOPE}),
        ("Fields of an object", set(FIELDS)),
        ("Flags", {flag.name for flag in FLAGS}),
    ],
)
def test_everything_has_its_row(section: str, there: set[str]) -> None:
    rows = named(section)
    assert len(rows) == len(set(rows))
    assert set(rows) == there
