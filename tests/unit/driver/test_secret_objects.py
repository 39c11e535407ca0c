"""Entries of secretObjects, and what the Secrets hold: the existing driver's rules, its silences told."""

from collections.abc import Mapping
from typing import Any

import pytest

from secrets_rig import entry
from sscsi_driver.classes import class_of
from sscsi_driver.secret_objects import SyncProblem, content_of, contents_of, file_names, read_entry
from sscsi_shared.secret import SecretBytes

FILES = {"password": SecretBytes(b"hunter2"), "nested/bar": SecretBytes(b"\x00\xff")}


def changed(**fields: Any) -> dict[str, Any]:
    return entry() | fields


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (changed(secretName=""), "secret name is empty"),
        (changed(secretName="  "), "secret name is empty"),
        (changed(secretName="My_Secret"), "can't be a Secret's name"),
        (changed(secretName="a" * 254), "can't be a Secret's name"),
        (changed(type=""), "secret type is empty"),
        (changed(data=[]), "secret data is empty"),
        (changed(data=None), "secret data is empty"),
        (changed(data="password"), "secret data is empty"),
        (changed(data=[{"key": "a"}]), r"data\[0\]: object name is empty"),
        (changed(data=[{"objectName": "a", "key": " "}]), r"data\[0\]: key is empty"),
        (changed(data=["a"]), r"data\[0\]: object name is empty"),
        (changed(data=[{"objectName": "a", "key": "a b"}]), "can't be a key"),
        (changed(data=[{"objectName": "a", "key": "k"}] * 2), "key k is there twice"),
        (entry(kind="kubernetes.io/tls", **{"ca.crt": "a"}), r"has the keys tls\.crt and tls\.key only"),
    ],
)
def test_an_entry_that_is_wrong_is_told(wrong: Mapping[str, Any], text: str) -> None:
    with pytest.raises(SyncProblem, match=text):
        read_entry(wrong)


def test_names_may_stand_between_blanks() -> None:
    found = read_entry({"secretName": " db ", "type": " Opaque ", "data": [{"key": " k ", "objectName": " f "}]})
    assert (found.name, found.type, found.items) == ("db", "Opaque", {"k": "f"})


def test_a_type_of_ones_own_is_kept() -> None:
    assert read_entry(entry(kind="example.com/mine")).type == "example.com/mine"


def test_labels_and_annotations_are_texts() -> None:
    found = read_entry(changed(labels={"a": "b", "n": 1}, annotations={"x": "y"}))
    assert (found.labels, found.annotations) == ({"a": "b"}, {"x": "y"})


def test_values_are_the_files_bytes() -> None:
    content = content_of(read_entry(entry(a="password", b="nested/bar")), FILES)
    assert {key: value.reveal() for key, value in content.data.items()} == {"a": b"hunter2", "b": b"\x00\xff"}
    assert "hunter2" not in repr(content)


def test_a_file_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(SyncProblem, match="file matching objectName nope not found in the pod") as caught:
        content_of(read_entry(entry(a="nope")), FILES)
    assert caught.value.message.endswith("the volume has: nested/bar, password")


def test_more_than_a_secret_may_hold_is_told() -> None:
    with pytest.raises(SyncProblem, match="larger than the 1048576 bytes"):
        content_of(read_entry(entry(a="big", b="big")), {"big": SecretBytes(bytes(1 << 19) + b"x")})


def test_one_wrong_entry_holds_up_no_other() -> None:
    problems: list[str] = []
    found = contents_of([entry("a"), changed(type=""), entry("b", k="nope"), entry("a"), {}], FILES, problems)
    assert list(found) == ["a"]
    assert [problem.split(":")[0] for problem in problems] == [
        "Secret db",
        "Secret b",
        "Secret a",
        "Secret secretObjects[4]",
    ]
    assert "names it twice" in problems[2]


def test_the_shape_is_all_but_the_values() -> None:
    def shape(value: bytes = b"1", **fields: Any) -> str:
        return content_of(read_entry(changed(**fields)), {"password": SecretBytes(value)}).shape

    assert shape() == shape(b"2")
    others: list[dict[str, Any]] = [{"labels": {"a": "b"}}, {"annotations": {"a": "b"}}, {"type": "x"}]
    assert len({shape(), *(shape(**other) for other in others)}) == 4


def test_the_files_that_a_class_names() -> None:
    entries = [entry("a", x="f", y="g"), entry("b", x="f"), {"data": [None, {"key": "k"}]}, {}]
    assert file_names(entries) == ["f", "g"]


def test_a_class_has_its_entries_as_they_came() -> None:
    body: dict[str, Any] = {
        "spec": {"provider": "aws", "parameters": {"a": "b"}, "secretObjects": [entry(), "nonsense"]}
    }
    assert class_of(body, "shop", "c").secret_objects == (entry(), {})
    body["spec"]["secretObjects"] = None
    assert class_of(body, "shop", "c").secret_objects == ()
