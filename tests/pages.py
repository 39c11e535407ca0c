"""Markdown files of the repository: their blocks of code, links and headings."""

import ast
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL
)
_INDENTED = re.compile(r"(?:\A|\n)\n((?: {4}.*\n|\n(?= {4}))+)")
_LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|`[^`]*`)*\]\(([^()\s]+)\)|!\[[^\]]*\]\(([^()\s]+)\)")
_NAMED = re.compile(r"\| `((?:tests|shared)/[\w/.]+\.py)(?:::(\w+))?` \|$")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code: of which page, from which line, in which language."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """Every markdown file that git knows or would take, from the root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(name for name in listed.stdout.splitlines() if (ROOT / name).is_file())


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, *languages: str) -> list[Block]:
    """The page's fenced blocks; of these languages, if any are given."""
    text = text_of(page)
    return [
        Block(page, text[: match.start()].count("\n") + 1, match["language"], _dedent(match["text"], match["indent"]))
        for match in _FENCE.finditer(text)
        if not languages or match["language"] in languages
    ]


def all_blocks(*languages: str) -> list[Block]:
    return [block for page in pages() for block in blocks(page, *languages)]


def indented() -> list[Block]:
    """Every page's blocks of code that are marked by four blanks."""
    return [
        Block(page, text[: match.start(1)].count("\n") + 1, "", _dedent(match[1], "    "))
        for page in pages()
        for text in [text_of(page)]
        for match in _INDENTED.finditer(_FENCE.sub(lambda fenced: "\n" * fenced[0].count("\n"), text))
    ]


def marked(page: str, mark: str) -> str:
    """The text of the block that comes after `<!-- mark -->`."""
    match = re.search(rf"<!-- {re.escape(mark)} -->\n```\w+\n(.*?)```", text_of(page), re.DOTALL)
    assert match, f"{page} has no block marked {mark}"
    return match[1]


def prose(page: str) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", text_of(page))


def links(page: str) -> Iterator[str]:
    for match in _LINK.finditer(prose(page)):
        yield match[1] or match[2]


def anchors(page: str) -> set[str]:
    """Of the page's headings, as a repository browser and the site make them."""
    found: dict[str, int] = {}
    for heading in re.findall(r"^#+ +(.+?)\s*$", prose(page), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[\s]", "-", re.sub(r"[^\w\s-]", "", plain.strip().lower()))
        count = found.get(slug, 0)
        found[slug] = count + 1
        if count:
            found[f"{slug}-{count}"] = 1
    return set(found)


def _dedent(text: str, indent: str) -> str:
    return re.sub(f"^{indent}", "", text, flags=re.MULTILINE) if indent else text


def names_a_test(row: str) -> bool:
    """Whether the last cell of a table's row is a file of tests, or one of its functions, that is there."""
    match = _NAMED.search(row)
    if match is None or not (ROOT / match[1]).is_file():
        return False
    return match[2] is None or match[2] in _functions(match[1])


@cache
def _functions(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
