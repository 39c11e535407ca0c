"""What a person sees of files, versions and texts of others."""

import contextlib
import io

import pytest

from sscsi.output import Console, Entry, printable, tree


def test_the_tree_is_aligned_and_sorted() -> None:
    shown = tree([Entry("db/password", 0o400, 16), Entry("a", 0o644, 1048576)], {"password": "v2", "a-long-name": "v1"})
    assert shown.splitlines() == [
        "0644  1048576 B  a",
        "0400       16 B  db/password",
        "object versions:",
        "  a-long-name  v1",
        "  password     v2",
    ]


def test_contents_only_where_given() -> None:
    assert tree([Entry("a", 0o644, 3, "x\ny")], {}) == "0644        3 B  a   'x\\ny'"
    assert tree([], {}) == "(no files)"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password\nzwei", "password\nzwei"),
        ("Schlüssel 鍵", "Schlüssel 鍵"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\rb\x00\x9b", "a\\rb\\x00\\x9b"),
        ("right\u202eleft", "right\\u202eleft"),
    ],
)
def test_texts_of_others_do_not_steer_the_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_name_with_a_line_break_makes_no_line() -> None:
    shown = tree([Entry("a\n0777  1 B  forged", 0o644, 1)], {"id\nx": "v\x1b"})
    assert shown.splitlines() == [
        "0644        1 B  a\\n0777  1 B  forged",
        "object versions:",
        "  id\\nx  v\\x1b",
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown_on(stream: io.StringIO) -> str:
    with contextlib.redirect_stdout(stream):
        console = Console()
        console.step("one")
        console.done("yes")
    return stream.getvalue()


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\033[32m✓\033[0m yes" in shown_on(Terminal())
    assert shown_on(io.StringIO()) == " 1  one\n    ✓ yes\n"
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\033" not in shown_on(Terminal())
