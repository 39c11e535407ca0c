"""YAML text -> a bounded tree of what is written: source text, tag, line and column; nothing is interpreted.

It stands on PyYAML's parser events, since its loaders lose what the dialects need: whether a scalar was quoted, how it
was spelt, a repeated key. A hostile text costs little: it may have 1 MiB, 32 levels, 100 aliases; and what the aliases
expand to is counted before anyone walks it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import yaml

from sscsi_shared.errors import InvalidParameters, clip

MAX_TEXT_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 32
MAX_ALIASES: Final = 100
MAX_NODES: Final = 100_000
"""Nodes of a document, each alias counted as what it stands for."""
MAX_EXPANDED_CHARS: Final = 4 << 20

TYPOGRAPHIC_QUOTES: Final = frozenset("“”„‟‘’‚‛«»")

_LOADER: Final[Any] = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


@dataclass(frozen=True, slots=True)
class YamlScalar:
    """A scalar as it is written.

    Attributes:
        text: its source text, escapes and folding done.
        plain: whether without quotation marks and not a block.
        tag: an explicit tag, such as `tag:yaml.org,2002:int` or `!local`; empty if none.
        line: from 1.
        column: from 1.
    """

    text: str
    plain: bool
    tag: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class YamlList:
    """A sequence."""

    items: tuple["YamlTree", ...]
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class YamlMap:
    """A mapping as it is written: keys repeated, merges unmerged."""

    entries: tuple[tuple["YamlTree", "YamlTree"], ...]
    line: int
    column: int


YamlTree: TypeAlias = YamlScalar | YamlList | YamlMap


@dataclass(frozen=True, slots=True)
class _Built:
    """A node with what it costs: levels below it, nodes and characters in it."""

    node: YamlTree
    height: int = 1
    nodes: int = 1
    chars: int = 0


def compose(text: str, *, where: str, prefix: str = "") -> YamlTree:
    """The first document in `text`; the rest is not read. No document gives an empty plain scalar, which is null.

    Args:
        text: YAML 1.1 or 1.2 syntax.
        where: `path` of the errors.
        prefix: beginning of the errors' messages.

    Raises:
        InvalidParameters: it is not YAML, or passes a bound.
    """
    return next(compose_all(text, where=where, prefix=prefix), YamlScalar("", True, "", 1, 1))


def compose_all(text: str, *, where: str, prefix: str = "") -> Iterator[YamlTree]:
    """Every document in `text`, one after another; each has the bounds of `compose`.

    Raises:
        InvalidParameters: as `compose`, when the document with the mistake is reached.
    """
    try:
        size = len(text.encode()) if len(text) <= MAX_TEXT_BYTES else len(text)
    except UnicodeEncodeError:
        raise InvalidParameters(f"{prefix}it is not text that UTF-8 can encode.", path=where) from None
    if size > MAX_TEXT_BYTES:
        raise InvalidParameters(f"{prefix}it is longer than {MAX_TEXT_BYTES >> 20} MiB.", path=where)
    loader: Any = None
    try:
        loader = _LOADER(text)
        loader.get_event()
        while not loader.check_event(yaml.StreamEndEvent):
            loader.get_event()
            yield _Composer(loader, where, prefix).build(0).node
            loader.get_event()
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(text, error, where, prefix) from error
    except yaml.YAMLError as error:
        position = getattr(error, "position", None)
        before = text[:position] if isinstance(position, int) else ""
        raise InvalidParameters(
            f"{prefix}YAML can't hold a control character.",
            path=where,
            line=before.count("\n") + 1,
            column=len(before) - before.rfind("\n"),
            hint="Remove it, or write it as an escape in double quotation marks.",
        ) from error
    finally:
        if loader is not None:
            loader.dispose()


class _Composer:
    """Builds one document from a loader's events."""

    def __init__(self, loader: Any, where: str, prefix: str) -> None:
        self._loader = loader
        self._where = where
        self._prefix = prefix
        self._anchors: dict[str, _Built | None] = {}
        self._aliases = 0

    def build(self, depth: int) -> _Built:
        """The node that the next events make."""
        event = self._loader.get_event()
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        if depth >= MAX_DEPTH:
            raise self._error(event, f"it is nested more than {MAX_DEPTH} levels deep.")
        anchor = event.anchor
        if anchor is not None:
            self._anchors[anchor] = None
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if isinstance(event, yaml.ScalarEvent):
            plain = event.style in (None, "")
            built = _Built(YamlScalar(event.value, plain, event.tag or "", line, column), chars=len(event.value))
        elif isinstance(event, yaml.SequenceStartEvent):
            items = self._children(event, yaml.SequenceEndEvent, depth)
            built = self._sum(event, YamlList(tuple(item.node for item in items), line, column), items)
        else:
            items = self._children(event, yaml.MappingEndEvent, depth)
            pairs = tuple((key.node, value.node) for key, value in zip(items[::2], items[1::2], strict=True))
            built = self._sum(event, YamlMap(pairs, line, column), items)
        if anchor is not None:
            self._anchors[anchor] = built
        return built

    def _children(self, start: Any, end: type, depth: int) -> list[_Built]:
        children: list[_Built] = []
        while not self._loader.check_event(end):
            children.append(self.build(depth + 1))
            if len(children) > MAX_NODES:
                raise self._error(start, f"it has more than {MAX_NODES} nodes.")
        self._loader.get_event()
        return children

    def _sum(self, event: Any, node: YamlTree, children: list[_Built]) -> _Built:
        nodes = 1 + sum(child.nodes for child in children)
        chars = sum(child.chars for child in children)
        if nodes > MAX_NODES:
            raise self._error(event, f"it has more than {MAX_NODES} nodes.")
        if chars > MAX_EXPANDED_CHARS:
            raise self._error(event, f"its aliases expand to more than {MAX_EXPANDED_CHARS >> 20} MiB.")
        return _Built(node, 1 + max((child.height for child in children), default=0), nodes, chars)

    def _alias(self, event: Any, depth: int) -> _Built:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            raise self._error(event, f"it uses more than {MAX_ALIASES} aliases.")
        name = clip(event.anchor, 64)
        if event.anchor not in self._anchors:
            hint = f"Put the value in quotation marks if it is meant to start with *: '*{name}'."
            raise self._error(event, f"the alias *{name} has no anchor &{name} before it.", hint)
        built = self._anchors[event.anchor]
        if built is None:
            raise self._error(event, f"the alias *{name} stands inside of its own anchor.")
        if depth + built.height > MAX_DEPTH:
            raise self._error(event, f"it is nested more than {MAX_DEPTH} levels deep.")
        return built

    def _error(self, event: Any, message: str, hint: str = "") -> InvalidParameters:
        mark = event.start_mark
        return InvalidParameters(
            self._prefix + message, path=self._where, line=mark.line + 1, column=mark.column + 1, hint=hint
        )


def _syntax_error(text: str, error: yaml.MarkedYAMLError, where: str, prefix: str) -> InvalidParameters:
    """One clear sentence for a mistake that PyYAML found, with what most often causes it."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    written = text.rstrip("\n").split("\n")
    if line > len(written):
        # libyaml puts a mistake at the end on a line of its own.
        line, column = len(written), len(written[-1]) + 1
    problem = error.problem or "can't be read"
    message, hint = f"YAML syntax: {problem}.", _cause(written, problem, error, line, column)
    return InvalidParameters(prefix + message, path=where, line=line, column=column, hint=hint)


def _cause(lines: list[str], problem: str, error: yaml.MarkedYAMLError, line: int, column: int) -> str:
    """The likely cause of a syntax error, and its remedy; empty if we know none."""
    start = min(error.context_mark.line + 1, len(lines)) if error.context_mark else line
    near = range(start if line - 100 < start <= line else line, line + 1)
    for number in near:
        if "\t" in lines[number - 1][: len(lines[number - 1]) - len(lines[number - 1].lstrip())]:
            return f"Line {number} is indented with a tab: YAML allows spaces only."
    if "unexpected end of stream" in problem:
        return f"A quotation mark that opens on line {start} is not closed."
    for number in near:
        if TYPOGRAPHIC_QUOTES & set(lines[number - 1]):
            return f"Line {number} has typographic quotation marks: YAML knows only \" and '."
    here = lines[line - 1][column - 1 : column]
    if not here and line == len(lines) and "while parsing a flow" in (error.context or ""):
        return f"A [ or {{ that opens on line {start} is not closed."
    if "cannot start any token" in problem:
        return f"A plain text can't start with {here}: put it in quotation marks." if here.strip() else ""
    if "mapping values are not allowed" in problem:
        return (
            'Put a text that holds ": " in quotation marks, and check the indentation of this line and the one before.'
        )
    if "sequence entries are not allowed" in problem:
        return "A list starts on a line of its own; a text that starts with - needs quotation marks."
    if "could not find expected ':'" in problem:
        return "Write `key: value`, with a space after the colon."
    if "did not find expected" in problem or "expected <block end>" in problem:
        return "Check the indentation: entries of one list or mapping start in the same column."
    return ""
