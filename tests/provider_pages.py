"""What a provider's page under docs/providers names."""

import re
from pathlib import Path

PAGES = Path(__file__).resolve().parents[1] / "docs" / "providers"


def named(cloud: str, section: str) -> list[str]:
    """What the first column of a section's tables names."""
    page = (PAGES / f"{cloud}.md").read_text()
    body = page.split(f"\n## {section}\n")[1].split("\n## ")[0].split("\n### ")[0]
    rows = [line.split("|")[1] for line in body.splitlines() if line.startswith("| `")]
    return [name.lstrip("-") for row in rows for name in re.findall(r"`([^`]+)`", row)]
