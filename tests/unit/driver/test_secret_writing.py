"""What is written of a Secret, seen what is there."""

import base64
from typing import Any

import pytest

from secrets_rig import owner
from sscsi_driver.secret_objects import Content, SyncProblem
from sscsi_driver.secret_writing import NEVER_SEEN, AddOwners, Apply, OfOtherClass, Wanted, write_of
from sscsi_shared.secret import SecretBytes

OURS = owner("ReplicaSet", "web-1", "u1")
THEIRS = owner("ReplicaSet", "web-2", "u2")
AT = 1_800_000_000.5


def wanted(value: bytes = b"hunter2", at: float = AT, **fields: Any) -> Wanted:
    settings = {"type": "Opaque", "labels": {"environment": "test"}, "annotations": {"note": "x"}} | fields
    content = Content(data={"password": SecretBytes(value)}, **settings)
    return Wanted("shop", "db", "web", content, [OURS], at)


def there(made_by: Wanted | None = None, **metadata: Any) -> dict[str, Any]:
    """As the API server keeps what we applied."""
    write = write_of(made_by or wanted(), None)
    assert isinstance(write, Apply)
    body = write.body
    return body | {"metadata": body["metadata"] | {"resourceVersion": "7"} | metadata}


def test_an_absent_one_is_made_unless_somebody_is_faster() -> None:
    write = write_of(wanted(), None)
    assert isinstance(write, Apply)
    assert write.body == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "db",
            "namespace": "shop",
            "resourceVersion": NEVER_SEEN,
            "labels": {"environment": "test", "secrets-store.csi.k8s.io/managed": "true"},
            "annotations": {
                "note": "x",
                "sscsi.dev/class": "web",
                "sscsi.dev/fetched-at": "2027-01-15T08:00:00.500000+00:00",
                "sscsi.dev/shape": wanted().content.shape,
            },
            "ownerReferences": [OURS],
        },
        "type": "Opaque",
        "data": {"password": base64.b64encode(b"hunter2").decode()},
    }
    assert "aHVudGVy" not in repr(write)


def test_an_equal_one_is_left_alone_however_new_ours_is() -> None:
    assert write_of(wanted(at=AT + 1000), there()) is None


@pytest.mark.parametrize(
    "new", [wanted(b"changed", AT + 1), wanted(at=AT + 1, labels={"a": "b"}), wanted(at=AT + 1, annotations={})]
)
def test_newer_content_is_applied_to_what_was_seen(new: Wanted) -> None:
    write = write_of(new, there(ownerReferences=[THEIRS]))
    assert isinstance(write, Apply)
    assert write.body["metadata"]["resourceVersion"] == "7"
    assert write.body["metadata"]["ownerReferences"] == [THEIRS, OURS]


def test_content_of_an_older_fetch_is_not_written() -> None:
    assert write_of(wanted(b"old", AT - 1), there()) is None


def test_but_its_pod_becomes_an_owner() -> None:
    write = write_of(wanted(b"old", AT - 1), there(ownerReferences=[THEIRS]))
    assert write == AddOwners({"metadata": {"resourceVersion": "7", "ownerReferences": [THEIRS, OURS]}})


def test_a_further_owner_of_equal_content_is_added_alone() -> None:
    assert isinstance(write_of(wanted(), there(ownerReferences=[])), AddOwners)


def test_an_owner_with_our_uid_and_another_name_is_mended() -> None:
    write = write_of(wanted(), there(ownerReferences=[OURS | {"name": "web-0"}, THEIRS]))
    assert isinstance(write, AddOwners)
    assert write.body["metadata"]["ownerReferences"] == [OURS, THEIRS]


def test_an_owner_that_says_more_stays_as_it_is() -> None:
    assert write_of(wanted(), there(ownerReferences=[OURS | {"controller": True}])) is None


def test_what_others_added_is_no_difference() -> None:
    found = there()
    found["data"]["more"] = "eA=="
    found["metadata"]["labels"]["l"] = "x"
    assert write_of(wanted(), found) is None


def test_what_somebody_changed_by_hand_is_mended_by_the_next_fetch() -> None:
    found = there()
    found["data"]["password"] = "eA=="
    assert write_of(wanted(), found) is not None
    assert isinstance(write_of(wanted(at=AT + 1), found), Apply)


@pytest.mark.parametrize("text", ["", "yesterday", "9999999-01-01T00:00:00Z", None])
def test_a_time_that_is_none_counts_as_old(text: str | None) -> None:
    found = there()
    found["metadata"]["annotations"]["sscsi.dev/fetched-at"] = text
    assert isinstance(write_of(wanted(b"changed", 1.0), found), Apply)


@pytest.mark.parametrize("labels", [{}, None, {"secrets-store.csi.k8s.io/managed": "false"}])
def test_somebody_elses_is_never_touched(labels: dict[str, str] | None) -> None:
    with pytest.raises(SyncProblem, match="no SecretProviderClass made"):
        write_of(wanted(b"changed", AT + 1), there(labels=labels))


def test_one_of_the_existing_driver_is_taken_over() -> None:
    found = there(annotations={}, ownerReferences=[THEIRS])
    write = write_of(wanted(b"changed"), found)
    assert isinstance(write, Apply)
    assert write.body["metadata"]["ownerReferences"] == [THEIRS, OURS]


def test_one_of_another_class_is_theirs_until_they_have_left_it() -> None:
    found = there(annotations={"sscsi.dev/class": "other"})
    with pytest.raises(OfOtherClass) as caught:
        write_of(wanted(), found)
    assert caught.value.name == "other"
    assert isinstance(write_of(wanted(), found, take=True), Apply)


def test_an_immutable_one_is_told_where_its_content_has_changed() -> None:
    found = there() | {"immutable": True}
    assert write_of(wanted(), found) is None
    with pytest.raises(SyncProblem, match=r"immutable.*kubectl delete secret -n shop db"):
        write_of(wanted(b"changed", AT + 1), found)


def test_a_type_can_not_be_changed() -> None:
    with pytest.raises(SyncProblem, match=r"type Opaque.*kubernetes\.io/tls.*kubectl delete secret -n shop db"):
        write_of(wanted(type="kubernetes.io/tls"), there())


def test_one_that_is_being_deleted_is_waited_for() -> None:
    with pytest.raises(SyncProblem, match="being deleted"):
        write_of(wanted(), there(deletionTimestamp="2026-01-01T00:00:00Z"))
