"""A YAML text as typed values, and every mistake with its path, line and column.

Syntax and bounds are those of `yaml_source.py`, meaning is that of `yaml_dialects.py`; `yaml_records.py` reads records.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import isfinite
from typing import Final, TypeAlias

from sscsi_shared import yaml_dialects
from sscsi_shared.errors import InvalidParameters, clip
from sscsi_shared.yaml_dialects import Dialect
from sscsi_shared.yaml_source import TYPOGRAPHIC_QUOTES, YamlList, YamlMap, YamlScalar, YamlTree, compose

__all__ = ["Dialect", "Json", "Node", "parse"]

Json: TypeAlias = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

MAX_UINT32: Final = (1 << 32) - 1
_CORE_TYPED_BOOLEANS: Final = {
    **dict.fromkeys(("y", "Y", "yes", "on"), True),
    **dict.fromkeys(("n", "N", "no", "off"), False),
}


def parse(text: str, dialect: Dialect, *, where: str, prefix: str = "") -> "Node":
    """Read the first document of a YAML text; an empty one is null.

    Args:
        text: what the author wrote.
        dialect: whose habits it is read with.
        where: the parameter's name; the errors' paths begin with it.
        prefix: what the errors' messages begin with, such as `Failed to load SecretProviderClass: `.

    Raises:
        InvalidParameters: syntax, a bound passed, or (not in aws) a repeated key anywhere.
    """
    tree = compose(text, where=where, prefix=prefix)
    root = Node(tree, dialect, where, prefix)
    checked: set[int] = set()
    todo = [root]
    while todo:
        node = todo.pop()
        if id(node.tree) in checked or isinstance(node.tree, YamlScalar):
            continue
        checked.add(id(node.tree))
        if isinstance(node.tree, YamlList):
            todo += reversed(node.items())
        else:
            node.entries()
            # Values as written: those that a later key or an explicit one hides are the author's too.
            for key, value in reversed(node.tree.entries):
                name = key.text if isinstance(key, YamlScalar) else ""
                todo.append(Node(value, dialect, f"{node.path}.{clip(name, 64)}", prefix))
    return root


@dataclass(frozen=True, slots=True)
class Node:
    """One place in a YAML text, seen through a dialect.

    Attributes:
        tree: what is written there.
        dialect: how to take it.
        path: in the author's words: `objects[2].objectName`.
        prefix: beginning of the errors' messages.
    """

    tree: YamlTree
    dialect: Dialect
    path: str
    prefix: str = ""

    @property
    def line(self) -> int:
        """Its line, from 1."""
        return self.tree.line

    @property
    def column(self) -> int:
        """Its column, from 1."""
        return self.tree.column

    @property
    def is_null(self) -> bool:
        """Whether nothing stands here, or `null` or `~`."""
        return yaml_dialects.is_null(self.tree)

    @property
    def kind(self) -> str:
        """What stands here, in words: a list, a mapping, nothing, text, a number, true or false, a date."""
        if isinstance(self.tree, YamlList):
            return "a list"
        if isinstance(self.tree, YamlMap):
            return "a mapping"
        value = self._typed(self.tree)
        if isinstance(value, bool):
            return "true or false"
        kinds: dict[type, str] = {str: "text", int: "a number", float: "a number", datetime: "a date"}
        return kinds.get(type(value), "nothing")

    def error(self, message: str, *, hint: str = "") -> InvalidParameters:
        """An error that points here, for mistakes that only the provider can see."""
        written = self.tree.text if isinstance(self.tree, YamlScalar) and self.tree.plain else ""
        if not hint and TYPOGRAPHIC_QUOTES & {*written}:
            hint = "The text has typographic quotation marks, which YAML takes as a part of it: use \" or ' instead."
        return InvalidParameters(self.prefix + message, path=self.path, line=self.line, column=self.column, hint=hint)

    def items(self) -> "tuple[Node, ...]":
        """The entries of a list; none where it is null.

        Raises:
            InvalidParameters: it is something else.
        """
        if self.is_null:
            return ()
        if not isinstance(self.tree, YamlList):
            raise self.error(f"must be a list, not {self.kind}.", hint="Start each entry with `- `.")
        return tuple(
            Node(item, self.dialect, f"{self.path}[{index}]", self.prefix) for index, item in enumerate(self.tree.items)
        )

    def entries(self) -> "dict[str, Node]":
        """The entries of a mapping, merge keys resolved; none where it is null.

        Raises:
            InvalidParameters: it is something else, or has a key that is no text.
        """
        if self.is_null:
            return {}
        if not isinstance(self.tree, YamlMap):
            raise self.error(f"must be a mapping, not {self.kind}.", hint="Write its fields as `name: value`.")
        try:
            return {
                key.text: Node(value, self.dialect, f"{self.path}.{clip(key.text, 64)}", self.prefix)
                for key, value in yaml_dialects.fields(self.tree, self.dialect)
            }
        except InvalidParameters as error:
            raise InvalidParameters(
                self.prefix + error.message, path=self.path, line=error.line, column=error.column, hint=error.hint
            ) from error

    def text(self) -> str:
        """The scalar as text: see `yaml_dialects.text_of`. Null is the empty text.

        Raises:
            InvalidParameters: it is a list or a mapping.
        """
        if not isinstance(self.tree, YamlScalar):
            raise self.error(
                f"must be text, not {self.kind}.", hint="Put it in quotation marks, if it is meant as text."
            )
        try:
            return yaml_dialects.text_of(self.tree, self.dialect)
        except ValueError as error:
            raise self.error(f"{error}.") from error

    def integer(self, *, minimum: int = 0, maximum: int = MAX_UINT32) -> int:
        """The scalar as a whole number: decimal, 0600 and 0o600 octal, 0x hexadecimal, 0b binary, underscores allowed.

        In core a number with a fraction loses it, as in Go (1.5 -> 1).

        Raises:
            InvalidParameters: it is no number (a quoted one is text), or out of the range.
        """
        value = self._typed(self.tree) if isinstance(self.tree, YamlScalar) else None
        if isinstance(value, float) and isfinite(value) and (self.dialect is Dialect.CORE or value.is_integer()):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            quoted = isinstance(self.tree, YamlScalar) and not self.tree.plain and self.tree.text.strip().isdigit()
            hint = "Write it without quotation marks." if quoted else ""
            raise self.error(f"must be a whole number, not {self.kind}.", hint=hint)
        if not minimum <= value <= maximum:
            raise self.error(f"must be from {minimum} to {maximum}.")
        return value

    def boolean(self) -> bool:
        """The scalar as true or false; core and text also take the old words (yes, no, on, off, y, n), as go-yaml does.

        Raises:
            InvalidParameters: it is something else.
        """
        value = self._typed(self.tree) if isinstance(self.tree, YamlScalar) else None
        if isinstance(value, str) and isinstance(self.tree, YamlScalar) and self.tree.plain:
            value = _CORE_TYPED_BOOLEANS.get(value, value)
        if not isinstance(value, bool):
            raise self.error(f"must be true or false, not {self.kind}.", hint="Write it without quotation marks.")
        return value

    def value(self) -> Json:
        """Everything below as JSON values, as Go makes them: a date is RFC 3339 text, 1.0 is 1.

        Raises:
            InvalidParameters: it holds what JSON can't: infinity, not-a-number, or below the top a key that is no text.
        """
        return self._value(top=True)

    def _value(self, *, top: bool) -> Json:
        if isinstance(self.tree, YamlList):
            return [item._value(top=False) for item in self.items()]
        if isinstance(self.tree, YamlMap):
            if not top:
                for key, _ in yaml_dialects.fields(self.tree, self.dialect):
                    if self.dialect is not Dialect.AWS and not isinstance(self._typed(key), str):
                        raise replace(self, tree=key).error("a key must be text.", hint="Put it in quotation marks.")
            return {key: node._value(top=False) for key, node in self.entries().items()}
        value = self._typed(self.tree)
        if isinstance(value, datetime):
            return _rfc3339(value)
        if isinstance(value, float):
            if not isfinite(value):
                raise self.error("JSON has no such number.", hint="Put it in quotation marks.")
            return int(value) if value.is_integer() and abs(value) < 1e21 else value
        return value

    def _typed(self, scalar: YamlScalar) -> yaml_dialects.Value:
        try:
            return yaml_dialects.typed(scalar, self.dialect)
        except ValueError as error:
            raise self.error(f"{error}.") from error


def _rfc3339(moment: datetime) -> str:
    """A time as Go's time.Time in JSON."""
    text = moment.replace(tzinfo=None).isoformat()
    if moment.microsecond:
        text = text.rstrip("0")
    offset = moment.utcoffset()
    if not offset:
        return f"{text}Z"
    return text + moment.astimezone(moment.tzinfo or UTC).strftime("%z")[:3] + ":" + moment.strftime("%z")[3:]
