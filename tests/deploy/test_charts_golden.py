"""What each profile changes: the difference to the defaults, as text, kept in golden/ (GOLDEN=write makes it anew).

deploy/ is the golden file of the defaults.
"""

import difflib
from pathlib import Path

import pytest

from chart_cases import OURS, THEIRS
from chart_rig import WRITE, rendered

GOLDEN = Path(__file__).with_name("golden")
CASES = {
    name: case for name, case in {**OURS, **THEIRS}.items() if name not in {"driver", "providers", "existing-driver"}
}
MONITORING = ("prometheusRule", "dashboard")
"""Files of their own, which other tests read."""


def difference(charts: Path, name: str) -> str:
    """Of a case to the defaults of its chart, with the same parts on."""
    chart, values = CASES[name]
    parts = {key: {"enabled": True} for key, part in values.items() if chart == "sscsi" and part.get("enabled")}
    before = rendered(charts, chart, {key: part for key, part in parts.items() if key not in MONITORING})
    after = rendered(charts, chart, {key: part for key, part in values.items() if key not in MONITORING})
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "defaults", name, n=1, lineterm="")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", CASES)
def test_a_profile_changes_what_it_says(charts: Path, name: str) -> None:
    found, path = difference(charts, name), GOLDEN / f"{name}.diff"
    if WRITE:
        path.write_text(found)
    assert found == path.read_text(), "GOLDEN=write, and look at the difference"


def test_every_golden_file_is_a_case() -> None:
    assert {path.stem for path in GOLDEN.glob("*")} == set(CASES)
