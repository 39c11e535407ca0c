"""From content to content, and what is said when it can't be."""

import json
import time
import tracemalloc

import pytest

from sscsi_shared.errors import InvalidParameters, ObjectUnusable
from sscsi_shared.transform import (
    WHOLE,
    AllKeys,
    Chain,
    Decode,
    Encoding,
    JmesPath,
    JsonKey,
    Transform,
    Whole,
    YamlKey,
    check_expression,
)


def unusable(transform: Transform, contents: bytes) -> str:
    with pytest.raises(ObjectUnusable) as caught:
        transform.apply(contents)
    return str(caught.value)


def jmes(expression: str) -> JmesPath:
    return JmesPath(expression, object_name="db", alias="user")


def test_whole_is_whole() -> None:
    assert WHOLE.apply(b"\xff\x00") == b"\xff\x00"
    assert Whole() == WHOLE


def test_transforms_compare_by_value() -> None:
    assert JsonKey("a") == JsonKey("a")
    assert len({jmes("a"), jmes("a"), jmes("b"), JsonKey("a"), YamlKey("a"), Decode(Encoding.HEX)}) == 5


# Decode: reference/vault.md section 5, encoding


@pytest.mark.parametrize(
    ("encoding", "text", "contents"),
    [
        ("base64", b"aGVsbG8=", b"hello"),
        ("base64", b"aGVs\r\nbG8=\n", b"hello"),
        ("base64", b"+/8=", b"\xfb\xff"),
        ("base64", b"", b""),
        ("hex", b"68656C6c6f", b"hello"),
        ("hex", b"", b""),
    ],
)
def test_decode(encoding: str, text: bytes, contents: bytes) -> None:
    assert Decode(Encoding(encoding)).apply(text) == contents


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("base64", b"aGVsbG8"),
        ("base64", b"aGVs bG8="),
        ("base64", b"-_8="),
        ("base64", b"SECRET!!"),
        ("base64", b"aGVsbG8=aGVsbG8="),
        ("base64", b"\xff\xff"),
        ("hex", b"abc"),
        ("hex", b"SECRET"),
        ("hex", b"0x12"),
        ("hex", b"12 34"),
        ("hex", b"\xff\xff"),
    ],
)
def test_not_decodable(encoding: str, text: bytes) -> None:
    message = unusable(Decode(Encoding(encoding)), text)
    assert message.startswith(f"the content is not valid {encoding}.")
    assert "SECRET" not in message


# JsonKey and YamlKey: reference/gcp.md sections 3.3 and 10


@pytest.mark.parametrize(
    ("document", "key", "value"),
    [
        ({"user": "admin"}, "user", "admin"),
        ({"user": ""}, "user", ""),
        ({"user": "a b\n"}, "user", "a b\n"),
        ({"k!@#.x": "v<>&"}, "k!@#.x", "v<>&"),
        ({"ключ": "значение"}, "ключ", "значение"),
        ({"": "empty"}, "", "empty"),
        ({"yes": "1"}, "yes", "1"),
    ],
)
def test_key_of_json_and_yaml(document: dict[str, str], key: str, value: str) -> None:
    text = json.dumps(document).encode()
    assert JsonKey(key).apply(text) == value.encode()
    assert YamlKey(key).apply(text) == value.encode()


def test_json_takes_the_last_of_repeated_keys() -> None:
    assert JsonKey("a").apply(b'{"a": 1, "a": "x"}') == b"x"


def test_half_a_surrogate_pair_becomes_a_replacement_character() -> None:
    assert JsonKey("a").apply(b'{"a": "x\\ud800"}') == "x\ufffd".encode()


@pytest.mark.parametrize("value", ["5432", "true", "false", "1.10", "-0.5", "1e3", "123456789012345678901234567890"])
def test_numbers_true_and_false_as_they_are_written(value: str) -> None:
    contents = f'{{"port": {value}}}'.encode()
    for transform in (JsonKey("port"), YamlKey("port"), jmes("port")):
        assert transform.apply(contents) == value.encode()
    assert AllKeys().apply(contents) == {"port": value.encode()}


@pytest.mark.parametrize("value", ["null", "{}", "[5432]"])
def test_only_text_can_be_extracted(value: str) -> None:
    contents = f'{{"port": {value}}}'.encode()
    for transform in (JsonKey("port"), YamlKey("port")):
        message = unusable(transform, contents)
        assert message.startswith("unsupported value type for key 'port'")
        assert "5432" not in message


@pytest.mark.parametrize("contents", [b"{}", b'{"other": "SECRET", "b": "SECRET"}', b"null"])
def test_a_missing_key_lists_those_that_are_there(contents: bytes) -> None:
    hint = "Available keys: b, other." if b"other" in contents else "It has no keys."
    assert unusable(JsonKey("k"), contents) == f"key 'k' not found in JSON. {hint}"
    assert unusable(YamlKey("k"), contents) == f"key 'k' not found in YAML. {hint}"


def test_only_ten_keys_are_listed_and_cut() -> None:
    contents = json.dumps({f"{n:02d}" + "x" * 100: "SECRET" for n in range(25)}).encode()
    message = unusable(JsonKey("k"), contents)
    assert message.endswith(" and 15 more.")
    assert len(message) < 800
    assert "SECRET" not in message


@pytest.mark.parametrize("contents", [b'{"SECRET', b"SECRET", b"", b"\xff", b"[" * 100_000, b'{"a": NaN}', b'"SECRET"'])
def test_no_json_object(contents: bytes) -> None:
    message = unusable(JsonKey("a"), contents)
    assert message.startswith("failed to unmarshal JSON: ")
    assert message.endswith("Invalid JSON format for key extraction.")
    assert "SECRET" not in message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"a: yes", b"yes"),
        (b"a: on", b"on"),
        (b"a: off", b"off"),
        (b'a: "2024-01-01"', b"2024-01-01"),
        (b"a: |\n  two\n  lines\n", b"two\nlines\n"),
        (b"a: 1:30", b"1:30"),
        (b"a: 0x1F", b"0x1F"),
        (b"a: True", b"True"),
        (b"a: x\n---\n[ not YAML", b"x"),
        (b"base: &b {a: x}\n<<: *b", b"x"),
    ],
)
def test_key_of_yaml(text: bytes, value: bytes) -> None:
    assert YamlKey("a").apply(text) == value


@pytest.mark.parametrize("text", [b"a: 2024-01-01", b"a: ~", b"a:", b"a: !!int x", b"a: {b: c}", b"a: [1]"])
def test_yaml_values_that_are_no_text(text: bytes) -> None:
    assert unusable(YamlKey("a"), text).startswith("unsupported value type for key 'a'")


def test_empty_yaml_is_an_empty_mapping() -> None:
    assert unusable(YamlKey("a"), b"") == "key 'a' not found in YAML. It has no keys."


@pytest.mark.parametrize(
    "contents",
    [b"- SECRET", b"SECRET", b"a: b: SECRET", b"*SECRET", b"SECRET: 1\nSECRET: 2", b"\xff", b"? [SECRET]\n: x"],
)
def test_no_yaml_mapping(contents: bytes) -> None:
    message = unusable(YamlKey("a"), contents)
    assert message.startswith("failed to unmarshal YAML: ")
    assert message.endswith("Invalid YAML format for key extraction.")
    assert "SECRET" not in message


# JmesPath: reference/aws.md section 3.6


@pytest.mark.parametrize(
    ("expression", "document", "value"),
    [
        ("username", {"username": "admin"}, b"admin"),
        ("a.b[0]", {"a": {"b": ["x"]}}, b"x"),
        ("username", {"username": ""}, b""),
        ("to_string(port)", {"port": 5432}, b"5432"),
        ("to_string(@)", {"é": [1, "x"]}, '{"é":[1,"x"]}'.encode()),
        ("to_string(a)", {"a": "text"}, b"text"),
        ("to_string(a)", {"a": {"z": 1, "b": [1.5]}}, b'{"b":[1.5],"z":1}'),
        ("to_string(max([a, b]))", {"a": 1.5, "b": 2}, b"2"),
        ("type(a)", {"a": 1.5}, b"number"),
        ('"hyphen-key"', {"hyphen-key": "v"}, b"v"),
        ("[0]", ["first"], b"first"),
        ("@", "just text", b"just text"),
        ("join(',', [a, b])", {"a": "x", "b": "y"}, b"x,y"),
    ],
)
def test_jmespath(expression: str, document: object, value: bytes) -> None:
    assert jmes(expression).apply(json.dumps(document, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize("contents", [b"SECRET", b"", b"\xff", b"[" * 100_000])
def test_jmespath_on_no_json(contents: bytes) -> None:
    message = unusable(jmes("a"), contents)
    assert message.startswith("Invalid JSON used with jmesPath in secret: db.")
    assert "SECRET" not in message


@pytest.mark.parametrize("document", [{"other": "SECRET"}, {"user": None, "other": "SECRET"}])
def test_jmespath_that_finds_nothing(document: object) -> None:
    message = unusable(jmes("user"), json.dumps(document).encode())
    assert message.startswith("JMES Path - user for object alias - user does not point to a valid object.")
    assert "other" in message
    assert "SECRET" not in message
    assert unusable(jmes("user"), b'["SECRET"]').endswith("The secret is a list.")


@pytest.mark.parametrize(
    ("expression", "document"),
    [("hyphen-key", {"hyphen-key": "v"}), ("a.b-c.2d", {"a": {"b-c": {"2d": "v"}}}), ("klü-1", {"klü-1": "v"})],
)
def test_keys_that_jmespath_can_not_read_bare(expression: str, document: object) -> None:
    assert check_expression(expression) == expression
    assert jmes(expression).apply(json.dumps(document).encode()) == b"v"


def test_an_unquoted_hyphen_within_more_gets_its_hint() -> None:
    message = unusable(jmes("hyphen-key[0]"), b'{"hyphen-key": ["SECRET"]}')
    assert message.startswith("Invalid JMES Path: hyphen-key[0].")
    assert "A key with a hyphen needs JMESPath's quotation marks" in message
    assert "SECRET" not in message


@pytest.mark.parametrize(("found", "kind"), [(["x"], "a list"), ({}, "an object")])
def test_jmespath_that_finds_no_text(found: object, kind: str) -> None:
    message = unusable(jmes("port"), json.dumps({"port": found}).encode())
    assert message == (
        f"Invalid JMES search result type for path:port. Only string is allowed. It found {kind};"
        " wrap the path: to_string(port)."
    )


BAD_EXPRESSIONS = ["", " ", "a.", "a b", "[", "a[", "'x", "-", "a..b", "@[", "&", "foo(", "a" * 1025, "(" * 500]


@pytest.mark.parametrize("expression", BAD_EXPRESSIONS, ids=range(len(BAD_EXPRESSIONS)))
def test_a_bad_expression_is_found_before_anything_is_read(expression: str) -> None:
    with pytest.raises(InvalidParameters, match=r"^Invalid JMES Path: "):
        check_expression(expression)
    assert unusable(jmes(expression), b"{}").startswith("Invalid JMES Path: ")


@pytest.mark.parametrize(
    "expression", ["nope(a)", "length(`1`)", "join(a, a)", "sum(a)", "abs()", "sort_by(a, &b)", "max(@)"]
)
def test_an_expression_that_fails_at_run_time(expression: str) -> None:
    assert check_expression(expression) == expression
    message = unusable(jmes(expression), b'{"a": "SECRET"}')
    assert message.startswith(f"Invalid JMES Path: {expression}.")
    assert "SECRET" not in message


DOUBLINGS = " | ".join(["[@,@]"] * 100)


@pytest.mark.parametrize("expression", [DOUBLINGS, f"to_string({DOUBLINGS})", "[]".join(["[@,@]"] * 100)])
def test_expressions_that_multiply_are_refused(expression: str) -> None:
    with pytest.raises(InvalidParameters, match="it selects too many things at once"):
        check_expression(expression)


def test_texts_that_grow_are_refused() -> None:
    contents = json.dumps({"glue": "x" * 30_000, "parts": ["y"] * 15_000}).encode()
    assert "join would make too long a text" in unusable(jmes("join(glue, parts)"), contents)
    six = "to_string(" + " | ".join(["[@,@]"] * 6) + ")"
    assert "to_string would make too long a text" in unusable(jmes(six), json.dumps("x" * 100_000).encode())


# AllKeys, Chain: docs/object-fields.md


def _nested(call: str, inner: str) -> str:
    while len(longer := call.format(inner)) < 1024:
        inner = longer
    return inner


@pytest.mark.parametrize(
    "expression",
    [
        _nested("map(&{}, `[1,1,1,1,1,1]`)", "@"),
        _nested("`[1,1,1,1,1,1]`[?{}]", "@"),
        _nested("sort_by(`[1,1,1,1,1,1]`, &length(to_array({})))", "@"),
        "@" + "[]" * 100,
        "[" + ",".join(["sort(@)"] * 60) + "]",
    ],
    ids=["map", "filter", "sort_by", "flatten", "sort"],
)
def test_a_search_ends_soon_whatever_it_repeats(expression: str) -> None:
    contents = json.dumps(list(range(100_000))).encode()
    started = time.thread_time()
    assert "it takes too many steps" in unusable(jmes(expression), contents)
    assert time.thread_time() - started < 10


def test_a_search_over_many_entries_is_no_attack() -> None:
    contents = json.dumps([{"name": f"n{number}", "age": number} for number in range(50_000)]).encode()
    assert jmes("[?age == `49999`].name | [0]").apply(contents) == b"n49999"


def test_the_texts_of_one_search_are_counted_together() -> None:
    contents = json.dumps({"glue": "x" * 40_000, "parts": [""] * 100}).encode()
    assert jmes("length(join(glue, parts))").apply(contents) == b"3960000"
    expression = "[" + ",".join(["join(glue,parts)"] * 50) + "] | length(@)"
    tracemalloc.start()
    try:
        assert "join would make too long a text" in unusable(jmes(expression), contents)
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()


def test_all_keys_of_a_json_object() -> None:
    document = {"z": "text", "a": True, "n": None, "list": [1, "x"], "map": {"b": 1, "a": "é"}, "": "no name"}
    assert list(AllKeys().apply(json.dumps(document).encode()).items()) == [
        ("", b"no name"),
        ("a", b"true"),
        ("list", b'[1,"x"]'),
        ("map", '{"a":"é","b":1}'.encode()),
        ("z", b"text"),
    ]


@pytest.mark.parametrize(
    ("contents", "text"),
    [
        (b"SECRET", "the content is not JSON"),
        (b'["SECRET"]', "the content is a list"),
        (b"null", "the content is null"),
        (b'"SECRET"', "the content is a text"),
        (json.dumps({str(n): "SECRET" for n in range(1001)}).encode(), "has 1001 keys; allKeys takes 1000 at most"),
    ],
)
def test_no_keys(contents: bytes, text: str) -> None:
    with pytest.raises(ObjectUnusable) as caught:
        AllKeys().apply(contents)
    assert text in str(caught.value)
    assert "SECRET" not in str(caught.value)


def test_steps_one_after_another() -> None:
    steps = Chain((Decode(Encoding.HEX), JsonKey("a"), Decode(Encoding.BASE64)))
    assert steps.apply(b'{"a": "aGk="}'.hex().encode()) == b"hi"
    assert unusable(steps, b"zz").startswith("the content is not valid hex")
