"""SECURITY.md: behind each claim of who can do what stands a test that is there."""

import re

import pytest

from pages import names_a_test, text_of

TABLES = text_of("SECURITY.md").split("## Who can do what")[1].split("\n## ")[0]
ROWS = [line for line in TABLES.splitlines() if line.startswith("| ") and not line.startswith("| role |")]
ROLES = {"class author", "pod author", "pod", "provider", "node"}


@pytest.mark.parametrize("row", ROWS)
def test_each_claim_names_a_test_that_is_there(row: str) -> None:
    assert names_a_test(row)


def test_each_role_is_told_what_it_can_and_what_it_can_not() -> None:
    can, can_not = (table.split("\n|---", 1)[1] for table in re.split(r"\| role \| can(?:'t)? \|", TABLES)[1:])
    for table in (can, can_not):
        told = {line.split("|")[1].strip().split(" (")[0] for line in table.splitlines() if line.startswith("| ")}
        assert told >= ROLES - ({"node"} if table is can_not else set())
