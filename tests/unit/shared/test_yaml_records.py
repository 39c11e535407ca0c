"""Records: known fields, letters of any case in aws, and what is said to an author who misspells one."""

import pytest

from sscsi_shared import yaml_tree
from sscsi_shared.errors import InvalidParameters
from sscsi_shared.yaml_records import Record, UnknownField, records
from sscsi_shared.yaml_tree import Dialect

FIELDS = ("objectName", "objectType", "objectAlias", "jmesPath", "optional", "mode", "failoverObject")
PREFIX = "Failed to load SecretProviderClass: "


def read(text: str, dialect: Dialect = Dialect.AWS) -> tuple[Record, ...]:
    return records(yaml_tree.parse(text, dialect, where="objects", prefix=PREFIX), FIELDS)


def test_fields_of_every_type() -> None:
    (record,) = read("""
- objectName: a
  optional: true
  mode: 0400
  jmesPath: [{path: x, objectAlias: y}, {path: 1}]
  failoverObject: {objectName: b}
""")
    assert record.path == "objects[0]"
    assert record.text("objectName") == "a"
    assert record.text("objectAlias", "none") == "none"
    assert record.boolean("optional") is True
    assert record.integer("mode") == 256
    entries = record.records("jmesPath", ("path", "objectAlias"))
    assert [(entry.path, entry.text("path")) for entry in entries] == [
        ("objects[0].jmesPath[0]", "x"),
        ("objects[0].jmesPath[1]", "1"),
    ]
    failover = record.record("failoverObject", ("objectName",))
    assert failover is not None
    assert failover.text("objectName") == "b"
    assert "objectAlias" not in record
    assert record.get("objectAlias") is None
    assert record.unknown_fields() == ()


def test_absent_and_null_fields() -> None:
    (record,) = read("- {objectName: ~, optional: ~, mode: , jmesPath: ~, failoverObject: ~}")
    assert record.text("objectName", "default") == ""
    assert record.boolean("optional", True) is True
    assert record.boolean("objectType", True) is True
    assert record.integer("mode") is None
    assert record.integer("objectType") is None
    assert record.records("jmesPath", ()) == ()
    assert record.records("objectType", ()) == ()
    assert record.record("failoverObject", ()) is None
    assert record.record("objectType", ()) is None


@pytest.mark.parametrize("name", ["objectName", "ObjectName", "objectname", "OBJECTNAME"])
def test_aws_field_names_in_any_case(name: str) -> None:
    (record,) = read(f"- {name}: a")
    assert record.required("objectName") == "a"
    assert record.unknown_fields() == ()


def test_aws_prefers_the_exact_name_and_else_the_last() -> None:
    assert read("- {objectName: exact, OBJECTNAME: other}")[0].text("objectName") == "exact"
    assert read("- {ObjectName: first, OBJECTNAME: last}")[0].text("objectName") == "last"
    assert read("- {objectName: first, objectName: last}")[0].text("objectName") == "last"


@pytest.mark.parametrize("dialect", [Dialect.CORE, Dialect.TEXT])
def test_other_dialects_heed_the_case(dialect: Dialect) -> None:
    (record,) = read("- ObjectName: a", dialect)
    assert record.unknown_fields() == (UnknownField("ObjectName", "objectName", 1, 15),)
    with pytest.raises(InvalidParameters, match="did you mean `objectName`"):
        record.required("objectName")


@pytest.mark.parametrize("entry", ["- ", "- ~", "- null", "-\n- objectName: b"])
def test_a_null_entry_is_reported(entry: str) -> None:
    root = yaml_tree.parse(f"- objectName: a\n{entry}\n", Dialect.AWS, where="objects")
    with pytest.raises(InvalidParameters) as caught:
        records(root, FIELDS, empty_entry="Empty descriptor entry in SecretProviderClass")
    assert caught.value.message == "Empty descriptor entry in SecretProviderClass"
    assert (caught.value.path, caught.value.line) == ("objects[1]", 2)


@pytest.mark.parametrize(("entry", "kind"), [("plain", "text"), ("[a]", "a list"), ("3", "a number")])
def test_an_entry_must_be_a_mapping(entry: str, kind: str) -> None:
    with pytest.raises(InvalidParameters) as caught:
        read(f"- {entry}")
    assert str(caught.value) == (
        f"objects[0] (line 1, column 3): {PREFIX}must be a mapping, not {kind}. Write its fields as `name: value`."
    )


def test_a_missing_field_names_the_one_that_is_misspelt() -> None:
    (record,) = read("- objectType: secretsmanager\n  objctName: db\n")
    with pytest.raises(InvalidParameters) as caught:
        record.required("objectName", message="Object name must be specified", hint="It is the secret's name or ARN.")
    assert caught.value.message == f"{PREFIX}Object name must be specified"
    assert caught.value.hint == "Line 2 has `objctName`: did you mean `objectName`? It is the secret's name or ARN."
    assert caught.value.path == "objects[0].objectName"


def test_an_empty_field_points_to_itself() -> None:
    (record,) = read('- objectType: x\n  objectName: ""\n')
    with pytest.raises(InvalidParameters, match="`objectName` is empty") as caught:
        record.required("objectName")
    assert (caught.value.line, caught.value.column) == (2, 15)


def test_unknown_fields_are_ignored_but_known() -> None:
    (record,) = read("- {objectName: a, colour: red, objectTyp: b}")
    assert record.unknown_fields() == (
        UnknownField("colour", "", 1, 27),
        UnknownField("objectTyp", "objectType", 1, 43),
    )
    assert record.misspelt("objectType") == "Line 1 has `objectTyp`: did you mean `objectType`?"
    assert record.misspelt("objectName") == ""
    assert record.misspelt("mode") == ""


def test_a_providers_own_mistake_points_to_the_field() -> None:
    (record,) = read("- objectName: a\n  objectType: “secretsmanager”\n")
    error = record.error("Invalid objectType: “secretsmanager”", "objectType")
    assert (error.path, error.line, error.column) == ("objects[0].objectType", 2, 15)
    assert "typographic" in error.hint
    assert record.error("whole").path == "objects[0]"


def test_what_a_merge_brings_has_its_own_place() -> None:
    first, second = read("- &a {objectName: x}\n- <<: *a\n  objectType: y\n")
    assert (first.text("objectName"), second.text("objectName")) == ("x", "x")
    assert second.error("wrong", "objectName").path == "objects[1].objectName"
    assert second.error("wrong", "objectName").line == 1


def test_a_record_of_many_unknown_fields_costs_little() -> None:
    (record,) = read("- {" + ", ".join(f"objectNam{n}: x" for n in range(40_000)) + "}")
    assert len(record.unknown_fields()) == 100


def test_a_record_that_is_wrong_as_a_whole_suggests_no_field_without_a_name() -> None:
    (record,) = read("- {unheard: 1}")
    assert record.error("it is empty.").hint == ""
