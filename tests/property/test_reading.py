# ruff: noqa: PT017  # an error is one of two right answers here
"""Hostile input to the reading rooms: it yields a value or one of our errors, soon, and no secret with it."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from sscsi_shared import paths, yaml_tree
from sscsi_shared.errors import AuthenticationFailed, InvalidParameters, MountError, ObjectUnusable
from sscsi_shared.mount import PodInfo
from sscsi_shared.parameters import read_mount
from sscsi_shared.secret import SecretText
from sscsi_shared.tokens import prove, read_tokens
from sscsi_shared.transform import Decode, Encoding, JmesPath, JsonKey, Transform, YamlKey
from sscsi_shared.yaml_records import records
from sscsi_shared.yaml_tree import Dialect, Node

modest = settings(max_examples=100, deadline=None)
slow = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

CANARY = "hunter2-canary"
POD = PodInfo("shop", "web-0", "u-1", "web")

marks = [*"-:?,[]{}#&*!|>'\"%@`~<\t\n ", "- ", ": ", "? ", "\n  ", "\n- ", "&a ", "*a", "<<: ", "!!int ", "---\n"]
words = ["a", "b", "1", "0600", "yes", "null", "2020-01-01", ".inf", "1e3", "\ufeff", "é", "\u2028", "\0", "“"]
yaml_pieces = st.sampled_from(marks + words)
yaml_texts = st.one_of(st.text(), st.lists(yaml_pieces, max_size=40).map("".join))


def walk(node: Node) -> None:
    """Use every accessor on every place; only our error may come of it."""
    for accessor in (node.text, node.integer, node.boolean, node.value, node.items, node.entries):
        try:
            accessor()
        except InvalidParameters as error:
            assert str(error)
            assert (error.line or 0) >= 1
            assert (error.column or 0) >= 1
    try:
        assert node.kind
        for record in records(node, ("a", "b")):
            record.unknown_fields()
    except InvalidParameters:
        pass
    for reach in (node.items, node.entries):
        try:
            below = reach()
        except InvalidParameters:
            continue
        for child in below.values() if isinstance(below, dict) else below:
            walk(child)


@modest
@given(yaml_texts, st.sampled_from(Dialect))
@example("a: &a [*a]", Dialect.CORE)
@example("- !!timestamp 9999-12-31T23:59:59-23:59", Dialect.CORE)
@example("a: 0001-01-01T00:00:00+23:59", Dialect.CORE)
def test_any_text_is_a_tree_or_our_error(text: str, dialect: Dialect) -> None:
    try:
        root = yaml_tree.parse(text, dialect, where="objects")
    except InvalidParameters as error:
        assert error.path.startswith("objects")
        assert "\n" not in str(error)
        return
    walk(root)


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@modest
@given(json_values)
def test_json_is_read_as_itself(value: Any) -> None:
    # All but what YAML can't hold: the merge key and unprintable characters;
    # nor has it JSON's pairs of escapes for characters beyond U+FFFF.
    text = json.dumps(value)
    assume('"<<"' not in text and "\\ud" not in text and "\x7f" not in text)
    assert yaml_tree.parse(text, Dialect.CORE, where="x").value() == value


REPEATED = ["- ", "[", "{", "a: ", "? ", "&a ", "*a ", "!!x ", "'", '"', "|\n", "#", "- a\n", "[a]: ", "{a: ", "\t"]
REPEATED += ["-\n", ",", "%", "\\", "{}", "a\n", "- [a, ", "a:\n ", "---\n", "<<: {}\n", "é", "“"]


@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize("piece", REPEATED)
def test_a_mebibyte_of_anything_takes_no_time(piece: str, dialect: Dialect) -> None:
    text = (piece * (1 << 20))[: (1 << 20) // len(piece[0].encode())]
    started = time.thread_time()
    try:
        yaml_tree.parse(text, dialect, where="objects")
    except InvalidParameters as error:
        assert len(str(error)) < 1000
    assert time.thread_time() - started < 10


@slow
@given(st.integers(1, 12), st.integers(2, 12), st.booleans())
def test_laughs_of_any_size_take_no_time(rows: int, width: int, merge: bool) -> None:
    lines = ["- &a0 {k: v}"]
    for row in range(1, rows):
        links = ", ".join([f"*a{row - 1}"] * width)
        lines.append(f"- &a{row} {{<<: [{links}]}}" if merge else f"- &a{row} [{links}]")
    started = time.thread_time()
    try:
        yaml_tree.parse("\n".join(lines), Dialect.AWS, where="x").value()
    except InvalidParameters as error:
        assert "more than" in error.message
    assert time.thread_time() - started < 5


# Paths

elements = st.sampled_from(["a", "b", "..", ".", "", "..x", "x..", "é", "a b", "-", "\\", "\n", "c" * 255])
some_paths = st.lists(st.lists(elements, min_size=1, max_size=4).map("/".join), max_size=5)


@slow
@given(paths=some_paths)
def test_a_layout_that_is_accepted_can_be_written(tmp_path_factory: pytest.TempPathFactory, paths: list[str]) -> None:
    check_and_write(tmp_path_factory.mktemp("v"), paths)


def check_and_write(root: Path, layout: list[str]) -> None:
    try:
        paths.check_layout(layout)
    except InvalidParameters:
        return
    for path in layout:
        file = root / path
        assert file.resolve().is_relative_to(root.resolve())
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("xb") as stream:
            stream.write(path.encode())
    for path in layout:
        assert (root / path).read_bytes() == path.encode()


@modest
@given(st.text())
def test_any_path_is_itself_or_our_error(path: str) -> None:
    try:
        assert paths.check_path(path) == path
    except InvalidParameters as error:
        assert str(error).startswith(("invalid path: ", "invalid filepath: "))
        assert "\0" not in str(error)


@modest
@given(st.text(max_size=6) | st.from_regex(r"[0-9]{1,5}", fullmatch=True))
def test_octal_modes_are_those_of_four_digits(text: str) -> None:
    try:
        assert f"{paths.octal_mode(text):04o}" == text
    except InvalidParameters as error:
        assert str(error).startswith("Invalid File Permission: ")


# Parameters, tokens, transforms


def cautious(error: BaseException) -> str:
    """All that a log could show of an error: its text, its attributes, its causes."""
    shown, current = "", error
    while True:
        shown += f"{current} {current!r} {vars(current)}"
        following = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
        if following is None:
            return shown
        current = following


def leaky(text: str) -> st.SearchStrategy[str]:
    """`text` whole, cut, and with strange things around."""
    around = st.text(max_size=5)
    return st.one_of(
        st.just(text),
        st.integers(0, len(text)).map(lambda at: text[:at]),
        st.tuples(around, around).map(lambda pair: pair[0] + text + pair[1]),
    )


ATTRIBUTES = json.dumps(
    {"objects": "- x", "csi.storage.k8s.io/serviceAccount.tokens": json.dumps({"sts": {"token": CANARY}})}
)


@modest
@given(leaky(ATTRIBUTES), leaky(json.dumps({"password": CANARY})), leaky("420"))
def test_a_request_is_read_or_refused_without_its_content(attributes: str, secrets: str, permission: str) -> None:
    try:
        mount = read_mount(attributes, secrets, permission, "/target", [])
    except InvalidParameters as error:
        assert CANARY not in cautious(error)
    else:
        assert CANARY not in repr(mount)


@modest
@given(json_values | st.text().map(lambda text: {"sts": {"token": text}}))
def test_any_tokens_are_read_or_refused_later(value: Any) -> None:
    tokens = read_tokens(json.dumps(value))
    try:
        token = tokens.for_audience("sts")
        prove(token, pod=POD, audience="sts", now=0)
    except AuthenticationFailed as error:
        assert str(error)


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


claims = st.fixed_dictionaries(
    {},
    optional={
        "sub": st.just("system:serviceaccount:shop:web") | json_values,
        "aud": st.sampled_from(["sts", ["sts"], ["x", "sts"]]) | json_values,
        "exp": st.just(1000) | st.floats() | st.integers() | json_values,
        "kubernetes.io": st.just({"pod": {"uid": "u-1"}}) | json_values,
    },
)


@modest
@given(claims)
def test_only_the_right_claims_prove(document: dict[str, Any]) -> None:
    token = f"{encoded({})}.{encoded(document)}.{CANARY}"
    try:
        ends = prove(SecretText(token), pod=POD, audience="sts", now=100).expires_at
    except AuthenticationFailed as error:
        assert CANARY not in cautious(error)
    else:
        assert document["sub"] == "system:serviceaccount:shop:web"
        assert "sts" in document["aud"]
        assert ends == document["exp"] >= 130


@modest
@given(st.text(alphabet=".-_aA0=\n é", max_size=40) | st.text())
def test_any_text_as_a_token_is_refused(text: str) -> None:
    try:
        prove(SecretText(text), pod=POD, audience="sts", now=0)
    except AuthenticationFailed as error:
        assert len(text) < 20 or text not in cautious(error)
    else:
        raise AssertionError("a token without claims was taken")


operators = [*".[]*@|&!<>={}(),:\"'`", "==", "&&", "[?", "[]"]
operands = ["a", "b", "0", "-1", "to_string(", "length(", "sort_by(", "join(", "max("]
expression_pieces = st.sampled_from(operators + operands)
expressions = st.lists(expression_pieces, max_size=20).map("".join) | st.text(max_size=20)
transforms: st.SearchStrategy[Transform] = st.one_of(
    expressions.map(lambda text: JmesPath(text, "db", "alias")),
    st.text(max_size=3).map(JsonKey),
    st.text(max_size=3).map(YamlKey),
    st.sampled_from(Encoding).map(Decode),
)
contents = st.one_of(
    st.binary(),
    json_values.map(lambda value: json.dumps({"a": value, "b": CANARY}).encode()),
    leaky(json.dumps({"a": {"c": CANARY}, "b": [CANARY]})).map(lambda text: text.encode("utf-8", "replace")),
)


@pytest.mark.filterwarnings("ignore:deprecated string literal syntax:PendingDeprecationWarning")
@settings(max_examples=300, deadline=None)
@given(transforms, contents)
def test_any_transform_of_anything_gives_bytes_or_our_error(transform: Transform, content: bytes) -> None:
    try:
        assert isinstance(transform.apply(content), bytes)
    except ObjectUnusable as error:
        assert CANARY not in cautious(error)
        assert isinstance(error, MountError)
