"""The article's manifests: mended only where a comment says so, and refused as printed."""

import difflib
import re
from pathlib import Path

import pytest

from sscsi_shared.errors import InvalidParameters
from sscsi_shared.manifests import parse_manifests

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PRINTED = EXAMPLES / "as-printed"
PAIRS = [
    ("secretproviderclass-aws.yaml", "aws/secretproviderclass.yaml"),
    ("secretproviderclass-gcp.yaml", "gcp/secretproviderclass.yaml"),
    ("secretproviderclass-vault.yaml", "vault/secretproviderclass.yaml"),
    ("serviceaccount-aws.yaml", "aws/serviceaccount.yaml"),
    ("serviceaccount-gcp.yaml", "gcp/serviceaccount.yaml"),
    ("pod.yaml", "aws/pod.yaml"),
]


def bare(line: str) -> str:
    """A line without what YAML does not read: its comment and the blanks between words."""
    return re.sub(r"\s+", " ", re.sub(r"(^|\s)#.*$", "", line)).strip()


@pytest.mark.parametrize("path", sorted(PRINTED.glob("*.yaml")), ids=lambda path: path.name)
def test_every_printed_manifest_is_refused_by_line(path: Path) -> None:
    with pytest.raises(InvalidParameters, match=r"line \d+: .*(write|is `|put your own|use \" or ')"):
        parse_manifests(path.read_text(), path.name)


def test_every_printed_class_account_and_pod_has_its_mended_one() -> None:
    excerpts = {"volume.yaml", "secretobjects.yaml", "secretproviderclass.yaml"}
    assert {path.name for path in PRINTED.iterdir()} - excerpts == {printed for printed, _ in PAIRS}


@pytest.mark.parametrize(("printed", "mended"), PAIRS)
def test_only_what_a_comment_names_was_mended(printed: str, mended: str) -> None:
    before = [bare(line) for line in (PRINTED / printed).read_text().splitlines()]
    lines = (EXAMPLES / mended).read_text().splitlines()
    numbered = [(number, bare(line)) for number, line in enumerate(lines)]
    after = [(number, text) for number, text in numbered if text]
    matcher = difflib.SequenceMatcher(None, before, [text for _, text in after], autojunk=False)
    changed = 0
    for tag, _, _, begin, end in matcher.get_opcodes():
        if tag == "equal":
            continue
        assert tag == "replace", f"{mended}: a line was added or left out"
        for number, text in after[begin:end]:
            changed += 1
            assert "mended" in lines[number] + lines[number - 1], f"{mended} line {number + 1} ({text}) has no comment"
    assert changed, "nothing was mended"


def test_the_mended_files_hold_no_placeholder() -> None:
    for path in EXAMPLES.glob("**/*.yaml"):
        if path.parent != PRINTED:
            assert parse_manifests(path.read_text(), path.name), path
