# ruff: noqa: E501  # examples and words stay as they are
"""What a secret holds, and how a class takes a part of it: keys of JSON and YAML, JMESPath, encodings."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from fire.hostile.target import Target, joined, pieces, text, words
from sscsi_shared.errors import MountError
from sscsi_shared.expression import MAX_EXPRESSION_CHARS
from sscsi_shared.transform import AllKeys, Decode, Encoding, JmesPath, JsonKey, YamlKey, check_expression

_DOCUMENT = json.dumps(
    {
        "a": "x",
        "b": {"c": ["1", 2, 3.50, True, None], "d-e": "hyphen"},
        "users": [{"name": f"n{number}", "age": number, "tags": ["t"] * number} for number in range(4)],
        "text": "x" * 40,
    }
)
_EXPRESSIONS = (
    "a",
    "b.c[0]",
    "b.d-e",
    "users[?age > `1`].name | [0]",
    "to_string(b)",
    "join(',', users[*].name)",
    "[a, b.c[1]] | [0]",
    "sort_by(users, &age)[-1].name",
    "map(&to_string(@), users) | join('-', @)",
    "{x: a, y: b}.x",
    "users[].tags[] | length(@) | to_string(@)",
    "max_by(users, &age).tags | reverse(@) | [::2] | [0]",
    "not_null(z, a)",
    "merge(b, {z: a}).z",
    "users[*].tags[*] | [] | [?@ == 't'] | [0]",
)
_JMES_WORDS = (
    *words(
        "[*] [] [?`1`] [::1] [0] .* @ & ` | || && ! == >= map( sort_by( max_by( group_by( to_string( join( reverse( keys( values( "
        'to_array( merge( not_null( sum( length( contains( type( `[1,1,1,1]` [@,@] {a:@} \'x\' "a" `"x"` ( ) , users b.c'
    ),
    b"map(&map(&@,`[1,1,1,1,1,1]`),`[1,1,1,1,1,1]`)",
    b"`[1,1,1,1,1,1]`[?`[1,1,1,1,1,1]`[?@]]",
)
_JSON_WORDS = words('{ } [ ] " : , null true 1e999 -0 0.1 \\u0000 \\ud83d NaN {"a": [[ \\ 1111111111 "a":1,')
_YAML_WORDS = (
    *words("- : ? [ ] { } &a *a << !!int !!binary !!timestamp | > \" ' # %YAML --- ... 0x1 .inf 1_0 2020-01-01"),
    b"\n",
    b"\n  ",
    b"\t",
    b": ",
    b"a: &a [*a,",
    b"<<: *a\n",
)


def _jmes(data: bytes) -> None:
    expression, document = pieces(data, 2)
    JmesPath(check_expression(text(expression)), "db", "alias").apply(document)


def _keyed(make: Callable[[str], Any]) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        key, document = pieces(data, 2)
        make(text(key)).apply(document)

    return read


def _made_jmes() -> Any:
    from hypothesis import strategies as st

    literal = st.sampled_from(
        ["`[1,1,1,1,1,1,1,1]`", "`[[1,2],[3]]`", "'x'", '`{"a": 1}`', "@", "a", "users", "b.c", "text"]
    )
    calls = st.sampled_from(
        [
            "map(&{0}, {1})",
            "sort_by({1}, &{0})",
            "max_by({1}, &{0})",
            "{1}[?{0}]",
            "{1}[*].[{0}]",
            "[{0},{1}]",
            "join({0}, {1})",
            "to_string({0})",
            "({0}) | ({1})",
            "{{x: {0}, y: {1}}}",
            "reverse({0})",
            "{0} == {1}",
            "merge({0}, {1})",
            "not_null({0}, {1})",
            "to_array({0})",
            "{0}[]",
            "{0}[::2]",
            "!{0}",
            "{0} && {1}",
            "contains({0}, {1})",
            "length({0})",
            "keys({0})",
            "values({0})",
            "[" + ",".join(["join(text,users[*].name)"] * 30) + "]",
        ]
    )
    grown = st.recursive(
        literal,
        lambda inner: st.builds(lambda call, one, two: call.format(one, two), calls, inner, inner),
        max_leaves=40,
    )
    loops = [
        "map(&{0}, {1})",
        "{1}[?{0}]",
        "sort_by({1}, &{0})",
        "{1}[*].[{0}]",
        "max_by({1}, &{0})",
        "[{0},{0}]",
        "({0})[]",
    ]
    nested = st.builds(_nested, st.sampled_from(loops), literal, literal, st.integers(1, 60))
    big = json.dumps(
        {"text": "x" * 40_000, "users": [{"name": "", "age": 1}] * 100, "a": [[1] * 9] * 9, "b": {"c": [1] * 99}}
    )
    return st.builds(joined, grown | nested, st.sampled_from([_DOCUMENT, "[]", big, "null", '"x"']))


def _nested(call: str, inner: str, outer: str, depth: int) -> str:
    for _ in range(depth):
        if len(longer := call.format(inner, outer)) > MAX_EXPRESSION_CHARS:
            break
        inner = longer
    return inner


def _made_documents(dump: Callable[[object], str]) -> Callable[[], Any]:
    def made() -> Any:
        from hypothesis import strategies as st

        values = st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("abc") | st.text(), inner),
            max_leaves=30,
        )
        return st.builds(joined, st.sampled_from("abc"), values.map(dump))

    return made


def _yaml(value: object) -> str:
    import yaml

    return yaml.safe_dump(value, allow_unicode=True)


def targets() -> Sequence[Target]:
    """See the module."""
    ours = (MountError,)
    yaml_seeds = [
        "a: x\nb: [1]\n",
        "a: &x {c: 1}\nb:\n  <<: *x\n",
        "- a",
        "a: !!int '1'\n",
        "a: |\n  x\n",
        "a: 2020-01-01",
        "a: 'x'\na: y\n",
    ]
    return (
        Target(
            "jmespath",
            _jmes,
            ours,
            [joined(one, _DOCUMENT) for one in _EXPRESSIONS],
            _JMES_WORDS,
            _made_jmes,
            most=256 << 10,
            seconds=30,
        ),
        Target(
            "json-key",
            _keyed(JsonKey),
            ours,
            [joined("a", _DOCUMENT), joined("b", "[]")],
            _JSON_WORDS,
            _made_documents(json.dumps),
        ),
        Target("all-keys", lambda data: AllKeys().apply(data), ours, [_DOCUMENT.encode(), b"[]"], _JSON_WORDS),
        Target(
            "yaml-key",
            _keyed(YamlKey),
            ours,
            [joined("a", one) for one in yaml_seeds],
            _YAML_WORDS,
            _made_documents(_yaml),
            seconds=15,
        ),
        Target(
            "base64",
            lambda data: Decode(Encoding.BASE64).apply(data),
            ours,
            [b"eA==\n", b"eHh4"],
            words("= == A + / - _ \xff"),
        ),
        Target("hex", lambda data: Decode(Encoding.HEX).apply(data), ours, [b"00ff", b"0"], words("0 f F g")),
    )
