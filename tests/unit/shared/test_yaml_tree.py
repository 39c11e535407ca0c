"""Syntax, bounds, mappings and places of the YAML reading."""

import time

import pytest

from sscsi_shared import yaml_tree
from sscsi_shared.errors import InvalidParameters
from sscsi_shared.yaml_source import compose_all
from sscsi_shared.yaml_tree import Dialect, Json

NOT_AWS = [Dialect.CORE, Dialect.TEXT]


def read(text: str, dialect: Dialect = Dialect.CORE) -> Json:
    return yaml_tree.parse(text, dialect, where="objects").value()


def refused(text: str, dialect: Dialect = Dialect.CORE) -> InvalidParameters:
    with pytest.raises(InvalidParameters) as caught:
        yaml_tree.parse(text, dialect, where="objects")
    return caught.value


@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n", "null", "~", "\ufeff"])
def test_nothing_is_an_empty_list(text: str, dialect: Dialect) -> None:
    assert yaml_tree.parse(text, dialect, where="objects").items() == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: b", "must be a list, not a mapping."),
        ("plain", "must be a list, not text."),
        ("{}", "must be a list, not a mapping."),
    ],
)
def test_top_level_must_be_a_list(text: str, message: str) -> None:
    root = yaml_tree.parse(text, Dialect.AWS, where="objects", prefix="Failed to load SecretProviderClass: ")
    with pytest.raises(InvalidParameters) as caught:
        root.items()
    assert caught.value.message == f"Failed to load SecretProviderClass: {message}"
    assert (caught.value.path, caught.value.line, caught.value.column) == ("objects", 1, 1)


def test_only_the_first_document_is_read() -> None:
    assert read("---\n- a\n---\n- b\n") == ["a"]
    assert read("- a\n---\n[ not even YAML") == ["a"]


def test_documents_can_be_read_one_by_one() -> None:
    assert len(list(compose_all("a: 1\n---\nb: 2\n---\n", where="x"))) == 3


@pytest.mark.parametrize("dialect", NOT_AWS)
def test_a_repeated_key_is_an_error(dialect: Dialect) -> None:
    error = refused("- objectName: a\n  objectName: b\n", dialect)
    assert str(error) == (
        'objects[0] (line 2, column 3): mapping key "objectName" already defined at line 1. Remove one of the two.'
    )


def test_a_repeated_key_is_found_even_where_no_one_looks() -> None:
    assert refused("a: {b: {c: 1, c: 2}}\na2: 3").line == 1
    assert refused("x: &m {k: [{c: 1, c: 2}]}\n<<: *m\nk: 3").column == 19


def test_aws_takes_the_last_of_a_repeated_key() -> None:
    assert read("- objectName: a\n  objectName: b\n", Dialect.AWS) == [{"objectName": "b"}]


@pytest.mark.parametrize("dialect", list(Dialect))
def test_anchors_aliases_and_merge_keys(dialect: Dialect) -> None:
    text = """
- &first {objectName: a, objectType: t}
- <<: *first
  objectName: b
- *first
- <<: [{objectName: c}, *first]
"""
    assert read(text, dialect) == [
        {"objectName": "a", "objectType": "t"},
        {"objectName": "b", "objectType": "t"},
        {"objectName": "a", "objectType": "t"},
        {"objectName": "c", "objectType": "t"},
    ]


def test_an_explicit_key_wins_over_a_merge_that_follows() -> None:
    assert read("a: 1\n<<: {a: 2, b: 3}", Dialect.AWS) == {"a": 1, "b": 3}


def test_a_quoted_merge_key_is_a_key() -> None:
    assert read('"<<": {a: 1}') == {"<<": {"a": 1}}


@pytest.mark.parametrize("text", ["<<: 3", "<<: [{a: 1}, 3]", "<<: ~"])
def test_a_merge_needs_mappings(text: str) -> None:
    assert refused(text).message.startswith("the merge key << needs a mapping")


@pytest.mark.parametrize("text", ["? [a]\n: b", "{{ x }}: 1", "{a: b}: c"])
@pytest.mark.parametrize("dialect", list(Dialect))
def test_a_key_is_a_scalar(text: str, dialect: Dialect) -> None:
    assert refused(text, dialect).message == "a key must be plain text, not a list or a mapping."


def test_line_and_column_count_from_one_and_in_characters() -> None:
    nodes = yaml_tree.parse("- a\n-   é: b\n", Dialect.CORE, where="objects").items()
    assert [(node.path, node.line, node.column) for node in nodes] == [("objects[0]", 1, 3), ("objects[1]", 2, 5)]
    value = nodes[1].entries()["é"]
    assert (value.path, value.line, value.column) == ("objects[1].é", 2, 8)


SYNTAX = [
    ("a: 1\n\tb: 2", 2, "indented with a tab"),
    ("- objectName: a\n\t  objectType: b\n", 2, "indented with a tab"),
    ("a: @x", 1, "A plain text can't start with @"),
    ("a: `x`", 1, "A plain text can't start with `"),
    ("- a: %x", 1, "A plain text can't start with %"),
    ('- a: "x\n', 1, "A quotation mark that opens on line 1 is not closed"),
    ("a: b: c", 1, "Put a text that holds"),
    ("a: “x”: b", 1, "typographic quotation marks"),
    ("a: [1, 2", 1, "A [ or { that opens on line 1 is not closed"),
    ("- a\nb: c", 2, "Check the indentation"),
    ("- objectName: 1\n objectType: 2\n", 2, "Check the indentation"),
    ("a:\n  b: 1\n  c\n  d: 2\n", 4, "key: value"),
    ("a: *b", 1, "quotation marks if it is meant to start with *: '*b'"),
    ("a: &b [*b]", 1, ""),
    ("a: \x00", 1, "Remove it"),
    ("a\n\x1b[0m", 2, "Remove it"),
    ('a: "\\q"', 1, ""),
    ("%YAML 3.0\n--- a", 1, ""),
    ("!<tag a", 1, ""),
    ("- &", 1, ""),
    ("a: |9x", 1, ""),
    ("a: - b", 1, "A list starts on a line of its own"),
]


@pytest.mark.parametrize(("text", "line", "hint"), SYNTAX)
@pytest.mark.parametrize("dialect", list(Dialect))
def test_a_mistake_in_syntax_names_place_and_cause(text: str, line: int, hint: str, dialect: Dialect) -> None:
    error = refused(text, dialect)
    assert (error.path, error.line) == ("objects", line)
    assert hint in error.hint
    assert error.message.endswith(".")
    assert "\n" not in str(error)


def test_prefix_starts_the_message() -> None:
    with pytest.raises(InvalidParameters) as caught:
        yaml_tree.parse("\tx: [", Dialect.AWS, where="objects", prefix="Failed to load SecretProviderClass: ")
    assert caught.value.message.startswith("Failed to load SecretProviderClass: YAML syntax: found")


def test_half_a_surrogate_pair_is_refused() -> None:
    assert refused("a: \ud800").message == "it is not text that UTF-8 can encode."


@pytest.mark.parametrize("dialect", list(Dialect))
def test_typographic_quotes_are_named_when_their_value_is_wrong(dialect: Dialect) -> None:
    value = yaml_tree.parse("x: “secretsmanager”", dialect, where="objects").entries()["x"]
    assert value.text() == "“secretsmanager”"
    assert "typographic quotation marks" in str(value.error("Invalid objectType: “secretsmanager”"))


# Bounds


def test_size() -> None:
    assert read("x" * (1 << 20)) == "x" * (1 << 20)
    assert refused("x" * ((1 << 20) + 1)).message == "it is longer than 1 MiB."
    assert refused("é" * (1 << 19) + "x").message == "it is longer than 1 MiB."


def test_depth() -> None:
    assert read("[" * 31 + "1" + "]" * 31)
    assert refused("[" * 32 + "1" + "]" * 32).message == "it is nested more than 32 levels deep."
    assert refused("[" * 100_000).message == "it is nested more than 32 levels deep."
    assert refused("- " * 100_000).message == "it is nested more than 32 levels deep."


def test_depth_counts_what_an_alias_brings() -> None:
    deep = "a: &a " + "[" * 29 + "]" * 29
    assert read(f"{deep}\nb: *a")
    assert refused(f"{deep}\nb: [[[*a]]]").message == "it is nested more than 32 levels deep."


def test_aliases() -> None:
    assert read("- &a x\n" + "- *a\n" * 100)
    assert refused("- &a x\n" + "- *a\n" * 101).message == "it uses more than 100 aliases."


def test_a_billion_laughs_are_refused_at_once() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 9) + "]" for n in range(1, 10)]
    started = time.monotonic()
    assert refused("\n".join(rows)).message == "it has more than 100000 nodes."
    assert time.monotonic() - started < 2


def test_long_texts_by_alias_are_refused() -> None:
    text = f"- &a {'x' * 900_000}\n" + "- *a\n" * 5
    assert refused(text).message == "its aliases expand to more than 4 MiB."


def test_many_nodes() -> None:
    assert refused("[" + "1," * 100_001 + "]").message == "it has more than 100000 nodes."


def test_merges_of_merges_take_no_time() -> None:
    rows = ["- &m0 {k: v}"] + [f"- &m{n} {{<<: [*m{n - 1}, *m{n - 1}, *m{n - 1}]}}" for n in range(1, 12)]
    started = time.monotonic()
    assert refused("\n".join(rows)).message == "it has more than 100000 nodes."
    assert time.monotonic() - started < 2
