"""PURE: server-side apply of a Secret, and who manages which of its fields (recording 03).

A field is a path: ("data", "k"), ("metadata", "labels", "l"), ("metadata", "ownerReferences", uid), ("type",).
A manager is a name and an operation, Apply or Update; one field may have several.
"""

import copy
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Final, TypeAlias

Field: TypeAlias = tuple[str, ...]
Manager: TypeAlias = tuple[str, str]
Managers: TypeAlias = dict[Manager, frozenset[Field]]

APPLY: Final = "application/apply-patch+yaml"
_BY_KEY: Final = (("data",), ("stringData",), ("metadata", "labels"), ("metadata", "annotations"))
_WHOLE: Final = (("type",), ("immutable",))
_OWNERS: Final = ("metadata", "ownerReferences")
_FINALIZERS: Final = ("metadata", "finalizers")
ABSENT: Final = object()


class ApplyConflict(Exception):
    """Others manage fields that are to get another value.

    Attributes:
        conflicts: manager and field of each.
    """

    def __init__(self, conflicts: list[tuple[Manager, Field]]) -> None:
        super().__init__(conflicts)
        self.conflicts = conflicts


def fields_of(body: Mapping[str, Any]) -> dict[Field, Any]:
    """What an object says, by field."""
    found: dict[Field, Any] = {}
    for place in _BY_KEY:
        found.update({(*place, key): value for key, value in (_at(body, place) or {}).items()})
    found.update({(*_OWNERS, str(owner.get("uid", ""))): owner for owner in _at(body, _OWNERS) or ()})
    found.update({(*_FINALIZERS, name): name for name in _at(body, _FINALIZERS) or ()})
    return found | {field: body[field[0]] for field in _WHOLE if field[0] in body}


def applied(
    live: Mapping[str, Any], managers: Managers, body: Mapping[str, Any], manager: str, *, force: bool
) -> tuple[dict[str, Any], Managers]:
    """The object after an apply, and who manages what then.

    Args:
        live: as it is; of an absent one only its name.
        managers: who manages what.
        body: what is applied.
        manager: who applies.
        force: whether it takes what others manage.

    Raises:
        ApplyConflict: it would have to, and may not.
    """
    me: Manager = (manager, "Apply")
    there, wanted = fields_of(live), fields_of(body)
    conflicts = [
        (other, field)
        for other, fields in managers.items()
        if other != me
        for field in sorted(fields & wanted.keys())
        if there.get(field, ABSENT) != wanted[field]
    ]
    if conflicts and not force:
        raise ApplyConflict(conflicts)
    changed = {field for _, field in conflicts}
    left = {other: fields - changed for other, fields in managers.items() if other != me}
    managed = frozenset().union(*left.values()) if left else frozenset()
    gone = managers.get(me, frozenset()) - wanted.keys() - managed
    new = copy.deepcopy(dict(live))
    for field in gone:
        _remove(new, field)
    for field, value in wanted.items():
        _put(new, field, value)
    if owners := _at(new, _OWNERS):
        before = [_key(one) for one in _at(live, _OWNERS) or ()]
        order = _merged_order(before, [field[2] for field in wanted if field[:2] == _OWNERS])
        owners.sort(key=lambda one: order.index(_key(one)))
    return new, {**{other: fields for other, fields in left.items() if fields}, me: frozenset(wanted)}


def updated(old: Mapping[str, Any], new: Mapping[str, Any], managers: Managers, manager: str) -> Managers:
    """Who manages what after another kind of write: it takes what it has changed, and conflicts with nobody."""
    before, after = fields_of(old), fields_of(new)
    changed = {field for field, value in after.items() if before.get(field, ABSENT) != value}
    gone = before.keys() - after.keys()
    left = {other: fields - changed - gone for other, fields in managers.items()}
    me: Manager = (manager, "Update")
    mine = left.get(me, frozenset()) | changed
    return {other: fields for other, fields in (left | {me: mine}).items() if fields}


def _merged_order(there: Sequence[Any], wanted: Sequence[Any]) -> list[Any]:
    """The order of two lists in one: each keeps its own, and what is in both comes once."""
    order: list[Any] = []
    left, right = list(there), list(wanted)
    while left or right:
        if left and left[0] not in right:
            order.append(left.pop(0))
        elif right and right[0] not in left:
            order.append(right.pop(0))
        else:
            order.append(right.pop(0))
            left.remove(order[-1])
    return order


def field_text(field: Field) -> str:
    """A field as messages name it."""
    if field[:2] == _OWNERS:
        return f'.metadata.ownerReferences[uid="{field[2]}"]'
    return "." + ".".join(field)


def _at(body: Mapping[str, Any], place: Field) -> Any:
    found: Any = body
    for step in place:
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _remove(body: MutableMapping[str, Any], field: Field) -> None:
    if field[0] == "stringData":  # what it made stays in data
        return
    *path, last = field
    place = _at(body, tuple(path))
    if isinstance(place, list):
        place[:] = [one for one in place if _key(one) != last]
    elif isinstance(place, MutableMapping):
        place.pop(last, None)
    if path and not place:
        above = _at(body, tuple(path[:-1]))
        above.pop(path[-1], None)


def _put(body: MutableMapping[str, Any], field: Field, value: Any) -> None:
    *path, last = field
    place: Any = body
    for step in path[:-1]:
        place = place.setdefault(step, {})
    if not path:
        body[last] = value
    elif path[-1] in {_OWNERS[-1], _FINALIZERS[-1]}:
        place[path[-1]] = _in_list(place.get(path[-1]) or [], last, value)
    else:
        place.setdefault(path[-1], {})[last] = value


def _in_list(there: list[Any], key: str, value: Any) -> list[Any]:
    if any(_key(one) == key for one in there):
        return [value if _key(one) == key else one for one in there]
    return [*there, value]


def _key(one: Any) -> Any:
    return str(one.get("uid", "")) if isinstance(one, Mapping) else one
