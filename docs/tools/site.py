"""Hooks of mkdocs: one link works on the site and in a repository browser.

A page links to files of the repository as they lie there (`../SECURITY.md`, `../deploy/driver/rbac.yaml`). On the site
some of these are pages of their own (`PAGES`), every other file is copied below `files/`, and its link goes there.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = {
    "SECURITY.md": "security.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "deploy/README.md": "manifests.md",
    "examples/README.md": "examples.md",
    "docker/README.md": "images.md",
    "charts/README.md": "charts.md",
}
"""Pages that lie outside of docs/: by their path in the repository, their place on the site."""
LINK: Final = re.compile(r"(?<!!)(\[(?:[^\[\]]|`[^`]*`)*\])\(([^()\s]+)\)")
FENCE: Final = re.compile(r"^(```.*?^```)", re.MULTILINE | re.DOTALL)

log = get_plugin_logger("sscsi")


def decisions() -> list[dict[str, str]]:
    """The navigation's list of decisions: what docs/adr holds, by number."""
    paths = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
    titles = {path.name: path.read_text().splitlines()[0].removeprefix("# ") for path in paths}
    return [{"All of them": "adr/README.md"}, *({title: f"adr/{name}"} for name, title in titles.items())]


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill in the decisions, and what mkdocs.yml does not name yet."""
    nav: list[dict[str, Any]] = config.nav or []
    listed = set(_places(nav))
    for entry in nav:
        for inner in entry.get("Developing", ()):
            if inner.get("Decisions") == "adr/":
                inner["Decisions"] = decisions()
        if "Running it" in entry:
            names = sorted(path.name for path in (ROOT / "docs").glob("*.md"))
            entry["Running it"] += [name for name in names if name not in listed]
    return config


def _places(nav: list[Any]) -> Iterator[str]:
    for entry in nav:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            if isinstance(value, list):
                yield from _places(value)
            else:
                yield value


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside of docs/, and the files that pages link to."""
    for source, place in PAGES.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    for source in _linked_files(files):
        files.append(File.generated(config, f"files/{source}", abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links to the repository's files into links to their place on the site."""
    del config, files
    place = page.file.src_uri
    folder = posixpath.dirname(source_of(place))

    def replaced(match: re.Match[str]) -> str:
        text, link = match.groups()
        target, hash_, anchor = link.partition("#")
        if not target or re.match(r"[a-z]+:", link):
            return match[0]
        wanted = place_of(posixpath.normpath(posixpath.join(folder, target)))
        return f"{text}({posixpath.relpath(wanted, posixpath.dirname(place) or '.')}{hash_}{anchor})"

    parts = FENCE.split(markdown)
    return "".join(part if part.startswith("```") else LINK.sub(replaced, part) for part in parts)


def source_of(place: str) -> str:
    """The path in the repository of a page of the site."""
    return next((source for source, there in PAGES.items() if there == place), f"docs/{place}")


def place_of(source: str) -> str:
    """Where the site has a path of the repository."""
    if (ROOT / source).is_dir():
        source = f"{source}/README.md"
    if source == "README.md":
        return "index.md"
    if source in PAGES:
        return PAGES[source]
    return source.removeprefix("docs/") if source.startswith("docs/") else f"files/{source}"


def _linked_files(files: Files) -> list[str]:
    found = set()
    for file in files.documentation_pages():
        text = FENCE.sub("", Path(str(file.abs_src_path)).read_text())
        folder = posixpath.dirname(source_of(file.src_uri))
        for _, link in LINK.findall(text):
            target = posixpath.normpath(posixpath.join(folder, link.partition("#")[0]))
            if place_of(target).startswith("files/"):
                if (ROOT / target).is_file():
                    found.add(target)
                elif not re.match(r"[a-z]+:", link):
                    log.warning("%s links to %s, which is not there", source_of(file.src_uri), link)
    return sorted(found)
