"""The scalar tables of the reference sheets, line by line: what each dialect makes of what an author writes."""

import pytest

from sscsi_shared import yaml_tree
from sscsi_shared.errors import InvalidParameters
from sscsi_shared.paths import octal_mode
from sscsi_shared.yaml_tree import Dialect, Json, Node


def field(written: str, dialect: Dialect) -> Node:
    return yaml_tree.parse(f"x: {written}\n", dialect, where="objects").entries()["x"]


AWS_TABLE = [
    # reference/aws.md section 3.9
    ("123", "123"),
    ("yes", "true"),
    ("n", "false"),
    ("1.10", "1.1"),
    ("1e3", "1000"),
    ("2020-01-02", "2020-01-02"),
    ("null", ""),
    ("0644", "420"),
    ("0o600", "384"),
    ("1777", "1777"),
    ("3", "3"),
    ("007", "7"),
    # YAML 1.1: plain words that are booleans
    *[(word, "true") for word in ("y", "Y", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON")],
    *[(word, "false") for word in ("N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF")],
    # words that are nothing
    ("", ""),
    ("~", ""),
    ("Null", ""),
    ("NULL", ""),
    # text stays text
    ("nULL", "nULL"),
    ("yEs", "yEs"),
    ('"yes"', "yes"),
    ("'0644'", "0644"),
    ('"null"', "null"),
    ('""', ""),
    ("!!str 0644", "0644"),
    ("! 0644", "0644"),
    ("!local 0644", "0644"),
    ("MySecret", "MySecret"),
    ("arn:aws:ssm:us-east-1:1:parameter/x", "arn:aws:ssm:us-east-1:1:parameter/x"),
    ("1:30", "1:30"),
    ("1.2.3", "1.2.3"),
    ("1_000", "1000"),
    ("+", "+"),
    # whole numbers
    ("0", "0"),
    ("+7", "7"),
    ("-0x1F", "-31"),
    ("0b101", "5"),
    ("08", "8"),
    ("0x", "0x"),
    ("9223372036854775808", "9223372036854775808"),
    ("18446744073709551615", "18446744073709551615"),
    ("18446744073709551616", "1.8446744073709552e+19"),
    ("-9223372036854775809", "-9.223372036854776e+18"),
    # Go's strconv.FormatFloat(f, 'g', -1, 64)
    ("1.0", "1"),
    ("-0.0", "-0"),
    (".5", "0.5"),
    ("5.", "5"),
    ("100000.0", "100000"),
    ("1e6", "1e+06"),
    ("1234567.5", "1.2345675e+06"),
    ("0.0001", "0.0001"),
    ("0.00001", "1e-05"),
    ("0.000012", "1.2e-05"),
    ("1e100", "1e+100"),
    ("1e999", "1e999"),
    (".inf", "+Inf"),
    ("-.INF", "-Inf"),
    (".nan", "NaN"),
    ("!!float 3", "3"),
    # dates stay as they are written
    ("2020-01-02T03:04:05Z", "2020-01-02T03:04:05Z"),
    ("2020-13-45", "2020-13-45"),
    ("!!timestamp 2020-01-02", "2020-01-02"),
]


@pytest.mark.parametrize(("written", "text"), AWS_TABLE)
def test_aws_text(written: str, text: str) -> None:
    assert field(written, Dialect.AWS).text() == text


@pytest.mark.parametrize(
    ("written", "shown"), [("0644", "Invalid File Permission: 420"), ("0o600", "Invalid File Permission: 384")]
)
def test_aws_unquoted_permission_becomes_decimal_and_is_refused_with_the_remedy(written: str, shown: str) -> None:
    with pytest.raises(InvalidParameters) as caught:
        octal_mode(field(written, Dialect.AWS).text())
    assert caught.value.message == f"{shown}."
    assert f"unquoted 0{written[-3:]}" in caught.value.hint


@pytest.mark.parametrize("written", ["[a]", "{a: b}", "\n  - a"])
@pytest.mark.parametrize("dialect", list(Dialect))
def test_a_list_or_mapping_is_no_text(written: str, dialect: Dialect) -> None:
    with pytest.raises(InvalidParameters, match=r"must be text, not a (list|mapping)") as caught:
        field(written, dialect).text()
    assert caught.value.path == "objects.x"


# reference/vault.md section 5: "any scalar is taken by its source text"; reference/azure.md: `0755`, `12e3`, `~`
AS_WRITTEN = ["123", "yes", "0x1F", "2020-01-01", "0755", "12e3", "1.10", "true", "no", "1:30", "007", ".inf", "0o600"]


@pytest.mark.parametrize("written", AS_WRITTEN)
@pytest.mark.parametrize("dialect", [Dialect.CORE, Dialect.TEXT])
def test_core_and_text_take_a_scalar_as_it_is_written(written: str, dialect: Dialect) -> None:
    assert field(written, dialect).text() == written


@pytest.mark.parametrize("written", ["", "~", "null", "Null", "NULL", "!!null x"])
@pytest.mark.parametrize("dialect", list(Dialect))
def test_null_is_the_empty_text(written: str, dialect: Dialect) -> None:
    node = field(written, dialect)
    assert node.is_null
    assert node.text() == ""


@pytest.mark.parametrize("written", ['"~"', "'null'", '""', "!!str null", "|\n  null"])
@pytest.mark.parametrize("dialect", list(Dialect))
def test_quoted_null_is_text(written: str, dialect: Dialect) -> None:
    assert not field(written, dialect).is_null


CORE_INTEGERS = [
    # reference/vault.md section 5, filePermission
    ("0600", 384),
    ("0o600", 384),
    ("0x180", 384),
    ("384", 384),
    ("0b110", 6),
    ("0_600", 384),
    ("600", 600),
    ("08", 8),
    ("1.5", 1),
    ("07777", 4095),
    # reference/gcp.md section 3 and 9, mode
    ("0400", 256),
    ("0o400", 256),
    ("256", 256),
    # secretArgs
    ("0x1F", 31),
    ("1_000", 1000),
    ("1e3", 1000),
    ("0", 0),
    ("-0", 0),
]


@pytest.mark.parametrize(("written", "value"), CORE_INTEGERS)
def test_core_integer(written: str, value: int) -> None:
    assert field(written, Dialect.CORE).integer() == value


@pytest.mark.parametrize(
    "written", ['"0400"', "'600'", "true", "yes", "-rw-------", "1:30", "2020-01-01", "[1]", "{}", "~", ".inf", ".nan"]
)
@pytest.mark.parametrize("dialect", [Dialect.CORE, Dialect.TEXT])
def test_no_integer(written: str, dialect: Dialect) -> None:
    with pytest.raises(InvalidParameters, match="must be a whole number, not "):
        field(written, dialect).integer()


def test_a_quoted_number_says_how_to_mend_it() -> None:
    with pytest.raises(InvalidParameters) as caught:
        field('"0400"', Dialect.CORE).integer()
    assert str(caught.value) == (
        "objects.x (line 1, column 4): must be a whole number, not text. Write it without quotation marks."
    )


@pytest.mark.parametrize("written", ["-1", "4294967296", "0x100000000", "99999999999999999999", "-1.5"])
def test_integer_outside_of_32_bits(written: str) -> None:
    with pytest.raises(InvalidParameters, match="must be from 0 to 4294967295"):
        field(written, Dialect.CORE).integer()


@pytest.mark.parametrize(("written", "value"), [("2", 2), ("0x10", 16), ("2.0", 2)])
def test_text_integer(written: str, value: int) -> None:
    # reference/azure.md, objectVersionHistory: a YAML integer
    assert field(written, Dialect.TEXT).integer() == value


def test_text_integer_has_no_fraction() -> None:
    with pytest.raises(InvalidParameters, match="must be a whole number, not a number"):
        field("1.5", Dialect.TEXT).integer()


# reference/vault.md section 5, secretArgs typing
SECRET_ARGS: list[tuple[str, Json]] = [
    ("true", True),
    ("False", False),
    ("yes", "yes"),
    ("on", "on"),
    ("off", "off"),
    ("0600", 384),
    ("0x1F", 31),
    ("0b11", 3),
    ("1_000", 1000),
    ("08", 8),
    ("1:30", "1:30"),
    ("12345678901234567890123", 1.2345678901234568e22),
    ("1.0", 1),
    ("1e3", 1000),
    ("1.5", 1.5),
    ("2020-01-01", "2020-01-01T00:00:00Z"),
    ("2020-1-2 3:4:5", "2020-01-02T03:04:05Z"),
    ("2020-01-01T01:02:03.450+02:00", "2020-01-01T01:02:03.45+02:00"),
    ("2020-01-01t01:02:03-00:30", "2020-01-01T01:02:03-00:30"),
    ("2020-01-01T01:02:03", "2020-01-01T01:02:03"),
    ("2020-02-30", "2020-02-30"),
    ("0000-01-01", "0000-01-01"),
    ('"2020-01-01"', "2020-01-01"),
    ("~", None),
    ("[1, yes, {a: 2}]", [1, "yes", {"a": 2}]),
    ('{"1": x}', {"1": "x"}),
]


@pytest.mark.parametrize(("written", "value"), SECRET_ARGS)
def test_core_values_as_json(written: str, value: Json) -> None:
    found = field(written, Dialect.CORE).value()
    assert found == value
    assert type(found) is type(value)


def test_top_level_keys_of_a_json_value_become_text() -> None:
    # reference/vault.md: "top-level int keys become strings"
    assert yaml_tree.parse("1: a\ntrue: b\n", Dialect.CORE, where="x").value() == {"1": "a", "true": "b"}


@pytest.mark.parametrize("written", ["{a: {1: x}}", "[{true: x}]"])
def test_nested_keys_of_a_json_value_must_be_text(written: str) -> None:
    # reference/vault.md: "unsupported type: map[interface {}]interface {}"
    with pytest.raises(InvalidParameters, match="a key must be text"):
        field(written, Dialect.CORE).value()


@pytest.mark.parametrize("written", [".inf", "-.inf", ".nan"])
def test_json_has_no_infinity(written: str) -> None:
    with pytest.raises(InvalidParameters, match="JSON has no such number"):
        field(written, Dialect.CORE).value()


@pytest.mark.parametrize(("written", "value"), [("true", True), ("FALSE", False), ("yes", True), ("off", False)])
@pytest.mark.parametrize("dialect", list(Dialect))
def test_boolean_field(written: str, value: bool, dialect: Dialect) -> None:
    # go-yaml v3 keeps the old words for a field that is typed as boolean
    assert field(written, dialect).boolean() is value


@pytest.mark.parametrize("written", ['"true"', '"yes"', "1", "maybe", "[true]", "~"])
def test_no_boolean(written: str) -> None:
    with pytest.raises(InvalidParameters, match="must be true or false, not "):
        field(written, Dialect.CORE).boolean()


@pytest.mark.parametrize("written", ["!!int x", "!!bool 3", "!!int true", "!!binary aGk=", "!!timestamp x"])
@pytest.mark.parametrize("dialect", [Dialect.AWS, Dialect.CORE])
def test_a_tag_that_does_not_suit(written: str, dialect: Dialect) -> None:
    with pytest.raises(InvalidParameters, match=r"the tag !!binary is not supported|does not suit its tag"):
        field(written, dialect).value()


@pytest.mark.parametrize(
    ("written", "kind"),
    [("x", "text"), ("1", "a number"), ("yes", "text"), ("true", "true or false"), ("", "nothing"), ("[]", "a list")],
)
def test_kind(written: str, kind: str) -> None:
    assert field(written, Dialect.CORE).kind == kind


def test_a_number_of_a_million_digits_is_text_and_costs_nothing() -> None:
    assert field("9" * 900_000, Dialect.AWS).text() == "9" * 900_000
