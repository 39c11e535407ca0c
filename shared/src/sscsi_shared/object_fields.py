"""PURE: the fields that an object of every provider may have, with one meaning for all of them.

`docs/object-fields.md` is their reference. A provider reads its own fields, asks `object_fields` for these, and lets
`outputs` say which files the object becomes:

    common = object_fields(record, naming, mode)
    PlannedRead(name, candidates, common.outputs(name, path, mode), common.optional)
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from sscsi_shared.errors import InvalidParameters, clip
from sscsi_shared.mount import Output, Spread, Stamp
from sscsi_shared.paths import Naming, climbs, octal_mode
from sscsi_shared.transform import (
    WHOLE,
    AllKeys,
    Decode,
    Encoding,
    JmesPath,
    Transform,
    chained,
    check_expression,
)
from sscsi_shared.yaml_records import Record

ResultT = TypeVar("ResultT")

OBJECT_FIELDS: Final = ("optional", "objectEncoding", "jmesPath", "allKeys", "filePrefix")
SELECT: Final = "select"
"""A field of providers whose backend can list what it holds."""
JMES_FIELDS: Final = ("path", "objectAlias", "filePermission", "objectEncoding")
SELECT_FIELDS: Final = ("prefix", "tags", "limit", "stripPrefix")
PLAIN: Final = "utf-8"
LIMIT: Final = 100
"""Objects that a selection may come to, where it does not say."""
MAX_LIMIT: Final = 500


@dataclass(frozen=True, slots=True)
class JmesEntry:
    """One value out of a JSON secret, as a file of its own.

    Attributes:
        path: the file's.
        mode: permission bits.
        alias: the file's name as written.
        expression: JMESPath.
        encoding: of what it finds; None = it is taken as it is.
    """

    path: str
    mode: int
    alias: str
    expression: str
    encoding: Encoding | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """Objects by what they have in common, instead of one by its name.

    Attributes:
        prefix: what their names begin with; may be empty where there are tags.
        tags: pairs of key and value that each of them bears, in order.
        limit: the most that there may be; more are refused, never left out.
        strip: whether the files' names are without the prefix.
    """

    prefix: str
    tags: tuple[tuple[str, str], ...] = ()
    limit: int = LIMIT
    strip: bool = False

    @property
    def shown(self) -> str:
        """For messages."""
        parts = [f"prefix {clip(self.prefix, 128)}"] if self.prefix else []
        parts += [f"tag {clip(key, 64)}={clip(value, 64)}" for key, value in self.tags]
        return f"select ({', '.join(parts)})"


@dataclass(frozen=True, slots=True)
class ObjectFields:
    """What an entry says in the fields that all providers have.

    Attributes:
        naming: from a name in the backend to a path.
        optional: whether the mount goes on without the object where it does not exist.
        encoding: of its content; None = it is taken as it is.
        jmes: values that become files of their own, beside the object's.
        all_keys: whether each key of its JSON becomes a file, instead of the object.
        selection: which objects are meant, where no one is named.
    """

    naming: Naming
    optional: bool = False
    encoding: Encoding | None = None
    jmes: tuple[JmesEntry, ...] = ()
    all_keys: bool = False
    selection: Selection | None = None

    def outputs(
        self,
        name: str,
        path: str,
        mode: int,
        *,
        version_id: str = "",
        extract: Transform = WHOLE,
        document: Transform = WHOLE,
        stamp: Stamp | None = None,
    ) -> tuple[Output | Spread, ...]:
        """The files that the object becomes.

        Args:
            name: the object in the author's words.
            path: of the file with its content.
            mode: permission bits of files that name none themselves.
            version_id: of that file's object version; by default its path.
            extract: what of the content that file holds, before its encoding is undone.
            document: what of the content jmesPath and allKeys look at.
            stamp: makes the versions; None = they are the backend's.
        """
        whole: Transform = WHOLE if self.encoding is None else Decode(self.encoding)
        if self.all_keys or self.selection is not None:
            split = AllKeys() if self.all_keys else None
            return (Spread(self.naming, mode, split, chained(document, whole), stamp),)
        files = [Output(path, mode, version_id or path, chained(extract, whole), stamp)]
        for entry in self.jmes:
            decode: Transform = WHOLE if entry.encoding is None else Decode(entry.encoding)
            found = JmesPath(entry.expression, name, entry.alias)
            before = whole if document == WHOLE else document
            files.append(Output(entry.path, entry.mode, entry.path, chained(before, found, decode), stamp))
        return tuple(files)


def object_fields(record: Record, naming: Naming, mode: int) -> ObjectFields:
    """Read an entry's common fields.

    Args:
        record: the entry, among whose fields are OBJECT_FIELDS, and SELECT where the provider has it.
        naming: how a name becomes a path, without the entry's own prefix.
        mode: permission bits of files that name none.

    Raises:
        InvalidParameters: one is wrong, or two exclude each other.
    """
    jmes = tuple(_jmes(entry, naming, mode) for entry in record.records("jmesPath", JMES_FIELDS))
    all_keys = record.boolean("allKeys")
    selection = _selection(record)
    _exclude(record, "allKeys", all_keys, "jmesPath", bool(jmes))
    _exclude(record, "select", selection is not None, "jmesPath", bool(jmes))
    _exclude(record, "select", selection is not None, "allKeys", all_keys)
    prefix = record.text("filePrefix")
    if prefix and not all_keys and selection is None:
        raise record.error("filePrefix goes with allKeys or select.", "filePrefix", hint="One file has an alias.")
    strip = selection.prefix if selection is not None and selection.strip else ""
    return ObjectFields(
        Naming(naming.slash, prefix, strip),
        record.boolean("optional"),
        _encoding(record),
        jmes,
        all_keys,
        selection,
    )


def file_mode(record: Record, field: str, default: int) -> int:
    """A field with four octal digits; `default` where it is absent or empty.

    Raises:
        InvalidParameters: it is something else.
    """
    text = record.text(field)
    return _at(record, field, lambda: octal_mode(text)) if text else default


def _jmes(entry: Record, naming: Naming, mode: int) -> JmesEntry:
    expression = entry.required("path", message="Path must be specified for JMES object")
    alias = entry.required("objectAlias", message="Object alias must be specified for JMES object")
    _at(entry, "path", lambda: check_expression(expression))
    path = naming.path(alias)
    if climbs(path):
        raise entry.error(f"path can not contain ../: {clip(path)}", "objectAlias")
    return JmesEntry(path, file_mode(entry, "filePermission", mode), alias, expression, _encoding(entry))


def _selection(record: Record) -> Selection | None:
    select = record.record(SELECT, SELECT_FIELDS)
    if select is None:
        return None
    node = select.get("tags")
    tags = sorted((key, value.text()) for key, value in node.entries().items()) if node is not None else []
    limit = select.integer("limit", minimum=1, maximum=MAX_LIMIT)
    found = Selection(
        select.text("prefix"), tuple(tags), LIMIT if limit is None else limit, select.boolean("stripPrefix")
    )
    if not found.prefix and not found.tags:
        hint = 'Such as {prefix: "shop/"} or {tags: {team: "shop"}}.'
        raise select.error("select needs a prefix or tags.", hint=hint)
    return found


def _encoding(record: Record) -> Encoding | None:
    word = record.text("objectEncoding").lower()
    if word in {"", PLAIN}:
        return None
    if word not in {one.value for one in Encoding}:
        raise record.error(
            f"invalid objectEncoding: {clip(word, 64)}, should be hex, base64 or utf-8", "objectEncoding"
        )
    return Encoding(word)


def _exclude(record: Record, field: str, is_set: bool, other: str, other_is_set: bool) -> None:
    if is_set and other_is_set:
        raise record.error(f"{field} can't be combined with {other}.", other, hint="Write an entry for each.")


def _at(record: Record, field: str, check: Callable[[], ResultT]) -> ResultT:
    """What `check` gives; what it refuses stands at the field."""
    try:
        return check()
    except InvalidParameters as error:
        raise record.error(error.message, field, hint=error.hint) from error
