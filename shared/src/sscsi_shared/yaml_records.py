"""Records in YAML: mappings with known fields, and what to say when an author misspells one.

tree = yaml_tree.parse(text, Dialect.AWS, where="objects", prefix="Failed to load SecretProviderClass: ")
for record in yaml_records.records(tree, ("objectName", "objectType"), empty_entry="Empty descriptor entry ..."):
name = record.required("objectName", message="Object name must be specified")
"""

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from sscsi_shared.errors import InvalidParameters, clip
from sscsi_shared.yaml_tree import MAX_UINT32, Dialect, Node

MAX_UNKNOWN_FIELDS: Final = 100
"""How many unknown fields of one record are looked at: likeness is costly, and the text may be hostile."""


def records(
    node: Node, fields: Iterable[str], *, empty_entry: str = "the list entry is empty."
) -> "tuple[Record, ...]":
    """The entries of a list of mappings; none where it is null.

    Args:
        node: the list.
        fields: all the fields that an entry may have; others are ignored, but help to explain a missing one.
        empty_entry: the message for an entry that is null.

    Raises:
        InvalidParameters: it is no list, or an entry is null or no mapping.
    """
    known = tuple(fields)
    found = []
    for entry in node.items():
        if entry.is_null:
            raise entry.error(empty_entry, hint="Remove the lonely `-`, or indent the entry's fields under it.")
        found.append(Record(entry, known))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class UnknownField:
    """A field that the record should not have.

    Attributes:
        name: as written.
        suggestion: the field that was perhaps meant; empty if none is near.
        line: from 1.
        column: from 1.
    """

    name: str
    suggestion: str
    line: int
    column: int


class Record:
    """A mapping with known fields.

    Args:
        node: the mapping.
        fields: all the fields that it may have.

    Attributes:
        node: the mapping.

    Raises:
        InvalidParameters: it is not a mapping.
    """

    def __init__(self, node: Node, fields: Iterable[str]) -> None:
        self.node = node
        self._fields = tuple(fields)
        self._entries = node.entries()
        self._found = dict(_matches(self._entries, self._fields, node.dialect))

    @property
    def path(self) -> str:
        """Where it is, in the author's words: `objects[2]`."""
        return self.node.path

    def __contains__(self, field: str) -> bool:
        return field in self._found

    def get(self, field: str) -> Node | None:
        """What stands in a field; None where it is absent."""
        return self._found.get(field)

    def text(self, field: str, default: str = "") -> str:
        """A text field; `default` where it is absent, empty where it is null."""
        node = self._found.get(field)
        return default if node is None else node.text()

    def required(self, field: str, *, message: str = "", hint: str = "") -> str:
        """A text field that may not be absent or empty.

        Args:
            field: its name.
            message: the sentence for this case, where a wire text asks for one.
            hint: what to write; a misspelt field that is there is named before it.

        Raises:
            InvalidParameters: it is absent, empty or null.
        """
        value = self.text(field)
        if not value:
            word = "empty" if field in self._found else "missing"
            raise self.error(message or f"`{field}` is {word}.", field, hint=hint)
        return value

    def integer(self, field: str, *, minimum: int = 0, maximum: int = MAX_UINT32) -> int | None:
        """A field with a whole number; None where it is absent or null."""
        node = self._found.get(field)
        return None if node is None or node.is_null else node.integer(minimum=minimum, maximum=maximum)

    def boolean(self, field: str, default: bool = False) -> bool:
        """A field with true or false; `default` where it is absent or null."""
        node = self._found.get(field)
        return default if node is None or node.is_null else node.boolean()

    def records(
        self, field: str, fields: Iterable[str], *, empty_entry: str = "the list entry is empty."
    ) -> "tuple[Record, ...]":
        """A field with a list of records; none where it is absent or null."""
        node = self._found.get(field)
        return () if node is None else records(node, fields, empty_entry=empty_entry)

    def record(self, field: str, fields: Iterable[str]) -> "Record | None":
        """A field with one record; None where it is absent or null."""
        node = self._found.get(field)
        return None if node is None or node.is_null else Record(node, fields)

    def unknown_fields(self) -> tuple[UnknownField, ...]:
        """The fields that the record should not have, in order (a hundred at most), with the field meant perhaps."""
        known = {name.casefold(): name for name in self._fields}
        unknown: list[UnknownField] = []
        for name, node in self._entries.items():
            if name in self._fields or (self.node.dialect is Dialect.AWS and name.casefold() in known):
                continue
            near = difflib.get_close_matches(name.strip().casefold()[:64], known, n=1, cutoff=0.7)
            if len(unknown) == MAX_UNKNOWN_FIELDS:
                break
            unknown.append(UnknownField(name, known[near[0]] if near else "", node.line, node.column))
        return tuple(unknown)

    def misspelt(self, field: str) -> str:
        """A sentence that names a field which is there and was perhaps meant to be `field`; empty if there is none."""
        if not field or field in self._found:
            return ""
        for unknown in self.unknown_fields():
            if unknown.suggestion == field:
                return f"Line {unknown.line} has `{clip(unknown.name, 64)}`: did you mean `{field}`?"
        return ""

    def error(self, message: str, field: str = "", *, hint: str = "") -> InvalidParameters:
        """An error that points to a field, or to the record where the field is absent."""
        node = self._found.get(field)
        if node is not None:
            return node.error(message, hint=hint)
        place = replace(self.node, path=f"{self.path}.{field}") if field else self.node
        return place.error(message, hint=" ".join(part for part in (self.misspelt(field), hint) if part))


def _matches(entries: dict[str, Node], fields: tuple[str, ...], dialect: Dialect) -> Iterator[tuple[str, Node]]:
    """The known fields that are there; in aws in any case of letters, the exact name preferred, else the last."""
    folded = {name.lower(): node for name, node in entries.items()} if dialect is Dialect.AWS else {}
    for field in fields:
        node = entries.get(field, folded.get(field.lower()))
        if node is not None:
            yield field, node
