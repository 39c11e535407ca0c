"""`make docs`: strict, without a word, with everything in it, and without anything that comes from elsewhere."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from docs.tools.site import place_of, source_of

from pages import ROOT, pages, text_of

FETCHED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["']?([^"'\s>]+)|<link\b[^>]*\bhref=["']?([^"'\s>]+)"""
)
IN_STYLES = re.compile(r"""(?:url\(\s*["']?|@import\s+["']?)([^"')\s]+)""")


@pytest.fixture(scope="module")
def site() -> Iterator[Path]:
    """The site, built as `make docs` builds it, but for where it goes."""
    [command] = re.findall(r"\$\(BIN\)/mkdocs (build.*)", (ROOT / "Makefile").read_text())
    with TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "mkdocs", *command.split(), "--site-dir", folder],
            cwd=ROOT,
            env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        yield Path(folder)


@cache
def html(site: Path) -> dict[Path, str]:
    return {path: path.read_text(encoding="utf-8") for path in sorted(site.rglob("*.html"))}


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    found = {one or other for text in html(site).values() for one, other in FETCHED.findall(text)}
    assert found
    elsewhere = {link for link in found if re.match(r"([a-z]+:)?//", link)}
    for style in site.rglob("*.css"):
        elsewhere |= {link for link in IN_STYLES.findall(style.read_text()) if re.match(r"([a-z]+:)?//", link)}
    assert elsewhere == set()


def test_every_page_is_in_it(site: Path) -> None:
    ours = [page for page in pages() if page.startswith("docs/") or place_of(page) in {"security.md", "changelog.md"}]
    for page in ours:
        place = re.sub(r"README\.md$", "index.md", place_of(page))
        assert (site / place).with_suffix(".html").is_file(), page


def test_links_between_pages_lead_somewhere(site: Path) -> None:
    """Anchors too, as the site makes them."""
    wrong = []
    for path, text in html(site).items():
        if path.name == "404.html":
            continue
        for link in re.findall(r"""<a\b[^>]*\bhref=["']([^"']+)["']""", text):
            target, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", link):
                continue
            there = path if not target else (path.parent / target).resolve()
            there = there / "index.html" if there.is_dir() else there
            if not there.is_file() or (
                anchor and there.suffix == ".html" and f'id="{anchor}"' not in html(site)[there]
            ):
                wrong.append((path.relative_to(site).as_posix(), link))
    assert wrong == []


def test_the_picture_is_one_that_reads_in_light_and_dark() -> None:
    text = (ROOT / "docs/pictures/mount.svg").read_text()
    root = ET.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "prefers-color-scheme: dark" in text
    said = " ".join("".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text"))
    assert all(word in said for word in ("kubelet", "driver", "provider", "backend", "tmpfs", "pod"))


def test_a_page_of_the_root_and_a_file_have_their_place() -> None:
    assert (place_of("SECURITY.md"), source_of("security.md")) == ("security.md", "SECURITY.md")
    assert (place_of("docs/operations.md"), source_of("operations.md")) == ("operations.md", "docs/operations.md")
    assert place_of("deploy") == "manifests.md"
    assert place_of("deploy/driver/rbac.yaml") == "files/deploy/driver/rbac.yaml"


def test_every_decision_is_listed_by_its_title() -> None:
    listed = text_of("docs/adr/README.md")
    for path in sorted((ROOT / "docs/adr").glob("0*.md")):
        number, title = re.fullmatch(r"# (\d+)\. (.+)", path.read_text().splitlines()[0]).groups()  # type: ignore[union-attr]
        assert f"| {number} | [{title}]({path.name}) |" in listed
