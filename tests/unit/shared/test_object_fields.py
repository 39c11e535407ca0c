"""The fields that every provider's objects may have: docs/object-fields.md."""

import json
from typing import Any

import pytest

from sscsi_shared.errors import InvalidParameters
from sscsi_shared.mount import Output, Spread
from sscsi_shared.object_fields import (
    OBJECT_FIELDS,
    SELECT,
    JmesEntry,
    ObjectFields,
    Selection,
    file_mode,
    object_fields,
)
from sscsi_shared.paths import Naming
from sscsi_shared.transform import WHOLE, AllKeys, Chain, Decode, Encoding, JmesPath
from sscsi_shared.yaml_records import Record, records
from sscsi_shared.yaml_tree import Dialect, parse

NAMING = Naming("_")


def record(**fields: Any) -> Record:
    [one] = records(
        parse(json.dumps([fields]), Dialect.CORE, where="objects"), ("name", "mode", SELECT, *OBJECT_FIELDS)
    )
    return one


def read(**fields: Any) -> ObjectFields:
    return object_fields(record(**fields), NAMING, 0o644)


def test_nothing_said() -> None:
    assert read(name="a") == ObjectFields(NAMING)
    assert read().outputs("db", "db.txt", 0o400) == (Output("db.txt", 0o400, "db.txt", WHOLE),)


def test_extracted_values_stand_beside_the_whole() -> None:
    fields = read(
        objectEncoding="BASE64",
        jmesPath=[
            {"path": "a.b", "objectAlias": "x/y", "filePermission": "0400"},
            {"path": "c", "objectAlias": "c", "objectEncoding": "hex"},
        ],
    )
    decode = Decode(Encoding.BASE64)
    assert fields.jmes[0] == JmesEntry("x_y", 0o400, "x/y", "a.b")
    assert fields.outputs("db", "db", 0o600) == (
        Output("db", 0o600, "db", decode),
        Output("x_y", 0o400, "x_y", Chain((decode, JmesPath("a.b", "db", "x/y")))),
        Output("c", 0o644, "c", Chain((decode, JmesPath("c", "db", "c"), Decode(Encoding.HEX)))),
    )


def test_all_keys_stand_instead_of_the_whole() -> None:
    fields = read(allKeys=True, filePrefix="db-", optional=True)
    assert fields.optional
    assert fields.outputs("db", "db", 0o600) == (Spread(Naming("_", "db-"), 0o600, AllKeys(), WHOLE),)


def test_a_selection() -> None:
    fields = read(select={"prefix": "shop/", "tags": {"b": "2", "a": "1"}, "limit": 7, "stripPrefix": True})
    assert fields.selection == Selection("shop/", (("a", "1"), ("b", "2")), 7, strip=True)
    assert fields.selection.shown == "select (prefix shop/, tag a=1, tag b=2)"
    [spread] = fields.outputs("", "", 0o600)
    assert isinstance(spread, Spread)
    assert spread.naming.path("shop/db/user") == "db_user"


@pytest.mark.parametrize("word", ["utf-8", "UTF-8", "", None])
def test_plain_text_is_no_encoding(word: str | None) -> None:
    assert read(objectEncoding=word).encoding is None


@pytest.mark.parametrize(
    ("fields", "path", "text"),
    [
        (
            {"objectEncoding": "rot13"},
            "objectEncoding",
            "invalid objectEncoding: rot13, should be hex, base64 or utf-8",
        ),
        ({"filePrefix": "x"}, "filePrefix", "filePrefix goes with allKeys or select."),
        ({"allKeys": "yes please"}, "allKeys", ""),
        ({"allKeys": True, "jmesPath": [{"path": "a", "objectAlias": "a"}]}, "jmesPath", "allKeys can't be combined"),
        ({"select": {"prefix": "a"}, "allKeys": True}, "allKeys", "select can't be combined with allKeys"),
        ({"select": {}}, "select", "select needs a prefix or tags."),
        ({"select": {"prefix": "a", "limit": 0}}, "select.limit", ""),
        ({"select": {"prefix": "a", "limit": 501}}, "select.limit", ""),
        ({"select": {"tags": ["a"]}}, "select.tags", "must be a mapping"),
        ({"jmesPath": [{"path": "a", "objectAlias": "../a/.."}]}, "", ""),
    ],
)
def test_what_is_refused(fields: dict[str, Any], path: str, text: str) -> None:
    if not path:
        with pytest.raises(InvalidParameters, match=r"path can not contain \.\./"):
            object_fields(record(**fields), Naming(), 0o644)
        return
    with pytest.raises(InvalidParameters) as caught:
        read(**fields)
    assert caught.value.path == f"objects[0].{path}"
    assert caught.value.message.startswith(text)


def test_a_mode_has_its_place() -> None:
    assert file_mode(record(mode="0440"), "mode", 0o644) == 0o440
    assert file_mode(record(), "mode", 0o644) == 0o644
    with pytest.raises(InvalidParameters, match="Invalid File Permission: 99") as caught:
        file_mode(record(mode="99"), "mode", 0o644)
    assert caught.value.path == "objects[0].mode"


@pytest.mark.parametrize(
    ("naming", "name", "path"),
    [
        (Naming(), "/a/b", "a/b"),
        (Naming("_"), "/a/b", "_a_b"),
        (Naming("_", "p/"), "a/b", "p_a_b"),
        (Naming("", "p/"), "a/b", "p/a/b"),
        (Naming("_", strip="/shop"), "/shop/a", "a"),
        (Naming("_", "x-", "/shop/"), "/shop/a/b", "x-a_b"),
        (Naming("_", strip="other"), "shop/a", "shop_a"),
    ],
)
def test_naming(naming: Naming, name: str, path: str) -> None:
    assert naming.path(name) == path
