"""Which messages the code can raise: found in the source, without running it.

A message is the text that an exception of ours is made with. What is not known before the program runs becomes `…`.
Where the text is a parameter of the function around, that function's callers are looked at in its place.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
ROOMS: Final = {
    "shared": "shared/src",
    "driver": "driver/src",
    "aws": "providers/aws/src",
    "gcp": "providers/gcp/src",
    "vault": "providers/vault/src",
    "azure": "providers/azure/src",
}
HOLE: Final = "…"
_BUILT_IN: Final = frozenset({"Exception", "ValueError", "OSError", "RuntimeError", "LookupError"})
_TOLD: Final = frozenset({"ValueError", "SystemExit"})
"""Of Python's own, those with which we tell an operator what is wrong with a command line."""
_TEXT_AT: Final = {"KubeError": 1}
"""Classes whose text is not their first argument; it holds for those below them."""
_LOGS: Final = frozenset({"log", "logger", "logging"})
_Function = ast.FunctionDef | ast.Lambda


@dataclass(frozen=True, slots=True)
class Message:
    """One text, at one place.

    Attributes:
        room: see ROOMS.
        where: file and function.
        kinds: the classes that it is made of.
        text: with `…` for what is not known.
        hint: what it says to do, in the same manner; empty if it says nothing.
        marks: of the driver's: its word for metrics and its gRPC code, as names of the enumerations.
    """

    room: str
    where: str
    kinds: frozenset[str]
    text: str
    hint: str = ""
    marks: frozenset[str] = frozenset()

    @property
    def passes_on(self) -> bool:
        """Whether the text is somebody else's: nothing of it is written here."""
        return not re.search(r"\w", self.text)


@dataclass(slots=True)
class _Module:
    room: str
    path: Path
    tree: ast.Module
    functions: dict[ast.AST, ast.FunctionDef | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Helper:
    """A function that makes errors of a text that it is given."""

    parameter: str
    position: int
    kinds: frozenset[str]


@cache
def modules() -> tuple[_Module, ...]:
    """All source files of the products, but for generated ones and what is shipped for tests."""
    found = []
    for room, folder in ROOMS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "_pb2" not in path.name and "testing" not in path.parts:
                module = _Module(room, path, ast.parse(path.read_text(encoding="utf-8")))
                _owners(module.tree, None, module.functions)
                found.append(module)
    return tuple(found)


def _owners(node: ast.AST, owner: ast.FunctionDef | None, into: dict[ast.AST, ast.FunctionDef | None]) -> None:
    for child in ast.iter_child_nodes(node):
        into[child] = owner
        _owners(child, child if isinstance(child, ast.FunctionDef) else owner, into)


@cache
def error_classes() -> Mapping[str, frozenset[str]]:
    """Exceptions of ours, and what each derives from."""
    bases = {
        node.name: {_last(base) for base in node.bases}
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
    }
    above: dict[str, frozenset[str]] = {}
    for name in bases:
        seen: set[str] = set()
        todo = [name]
        while todo:
            for base in bases.get(todo.pop(), set()) - seen:
                seen.add(base)
                todo.append(base)
        if seen & _BUILT_IN:
            above[name] = frozenset(seen)
    return above


@cache
def constants() -> Mapping[str, str]:
    """Texts that modules name, where a name has one text only."""
    found: dict[str, set[str]] = {}
    for module in modules():
        for node in module.tree.body:
            target: ast.expr | None = node.target if isinstance(node, ast.AnnAssign) else None
            if isinstance(node, ast.Assign) and len(node.targets) == 1:
                target = node.targets[0]
            if isinstance(target, ast.Name) and isinstance(node, ast.Assign | ast.AnnAssign):
                value = node.value
                text = value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None
                found.setdefault(f"{module.path}:{target.id}", set()).add(HOLE if text is None else text)
                found.setdefault(target.id, set()).add(HOLE if text is None else text)
    return {name: next(iter(texts)) for name, texts in found.items() if len(texts) == 1}


def messages() -> list[Message]:
    """All of them, in the order of rooms and files; equal ones of one function once."""
    found: dict[tuple[str, str, str], Message] = {}
    for message in _all():
        key = (message.room, message.where, message.text)
        before = found.get(key)
        kinds = message.kinds | before.kinds if before else message.kinds
        hint = message.hint or (before.hint if before else "")
        marks = message.marks | (before.marks if before else frozenset())
        found[key] = Message(message.room, message.where, kinds, message.text, hint, marks)
    return list(found.values())


def _all() -> Iterator[Message]:
    helpers: dict[tuple[str, str], _Helper] = {}
    while True:
        count = len(helpers), sum(len(helper.kinds) for helper in helpers.values())
        for key, helper in list(_helpers(helpers)):
            before = helpers.get(key)
            helpers[key] = replace(before, kinds=before.kinds | helper.kinds) if before else helper
        if count == (len(helpers), sum(len(helper.kinds) for helper in helpers.values())):
            break
    for module, call, owner in _calls():
        made = _made(call, module, helpers)
        if made is None:
            continue
        argument, kinds = made
        hint = next((keyword.value for keyword in call.keywords if keyword.arg == "hint"), None)
        hints = _texts(hint, module, owner)
        for text in _texts(argument, module, owner):
            if text is not None:
                where = f"{module.path.relative_to(ROOT / ROOMS[module.room])}:{owner.name if owner else ''}"
                shown = _tidy(hints[0] or "") if hints else ""
                yield Message(module.room, where, kinds, _tidy(text), shown, _marks(call))


def _helpers(known: Mapping[tuple[str, str], _Helper]) -> Iterator[tuple[tuple[str, str], _Helper]]:
    for module, call, owner in _calls():
        made = _made(call, module, known)
        if made is None or owner is None or owner.name == "__init__":
            continue
        argument, kinds = made
        positional = [one.arg for one in (*owner.args.posonlyargs, *owner.args.args)]
        bound = bool(positional) and positional[0] in {"self", "cls"}
        for name in _bare(argument, module, owner):
            if name in _parameters(owner) and not _assigned(name, owner):
                position = positional.index(name) - bound if name in positional else -1
                yield (module.room, owner.name), _Helper(name, position, kinds)


def _calls() -> Iterator[tuple[_Module, ast.Call, ast.FunctionDef | None]]:
    for module in modules():
        for node, owner in module.functions.items():
            if isinstance(node, ast.Call):
                yield module, node, owner


def _made(
    call: ast.Call, module: _Module, helpers: Mapping[tuple[str, str], _Helper]
) -> tuple[ast.expr | None, frozenset[str]] | None:
    """The text and the classes of an error that a call makes; None if it makes none."""
    name = _last(call.func)
    receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
    if receiver is not None and _last(receiver) in _LOGS:
        return None
    if name in error_classes() or (name in _TOLD and receiver is None):
        above = {name, *error_classes().get(name, ())}
        at = next((position for base, position in _TEXT_AT.items() if base in above), 0)
        return (call.args[at] if len(call.args) > at else None), frozenset({name})
    if helper := helpers.get((module.room, name)) or helpers.get(("shared", name)):
        for keyword in call.keywords:
            if keyword.arg == helper.parameter:
                return keyword.value, helper.kinds
        if 0 <= helper.position < len(call.args):
            return call.args[helper.position], helper.kinds
    return None


def _marks(call: ast.Call) -> frozenset[str]:
    given = {keyword.arg: _last(keyword.value) for keyword in call.keywords if keyword.arg in {"code", "error_type"}}
    named = [given[name] for name in ("error_type", "code") if given.get(name, "").isupper()]
    return frozenset([" ".join(named)] if named else [])


def _bare(node: ast.expr | None, module: _Module, owner: ast.FunctionDef) -> Iterator[str]:
    """Parameters that are the whole text, or all of it that matters."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from _bare(value, module, owner)
    elif isinstance(node, ast.BinOp):
        yield from _bare(node.right, module, owner)
    elif isinstance(node, ast.IfExp):
        yield from _bare(node.body, module, owner)
        yield from _bare(node.orelse, module, owner)
    elif isinstance(node, ast.JoinedStr) and not any(
        isinstance(part, ast.Constant) and re.search(r"\w", str(part.value)) for part in node.values
    ):
        for part in node.values:
            if isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name):
                yield part.value.id


def _texts(node: ast.expr | None, module: _Module, owner: ast.FunctionDef | None) -> list[str | None]:
    """What an expression may come to; None = a parameter's text, whose callers are looked at."""
    if node is None:
        return []
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else [HOLE]
    if isinstance(node, ast.JoinedStr):
        return _joined(node, module, owner)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        lefts = [left or HOLE for left in _texts(node.left, module, owner)]
        rights = _texts(node.right, module, owner)
        return [None if right is None else left + right for left in lefts for right in rights]
    if isinstance(node, ast.IfExp):
        return _texts(node.body, module, owner) + _texts(node.orelse, module, owner)
    if isinstance(node, ast.BoolOp):
        return [text for value in node.values for text in _texts(value, module, owner)]
    if isinstance(node, ast.Name):
        return _named(node.id, module, owner)
    return [HOLE]


def _joined(node: ast.JoinedStr, module: _Module, owner: ast.FunctionDef | None) -> list[str | None]:
    parts = [""]
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            constant = _constant(part.value.id, module) if isinstance(part.value, ast.Name) else None
            choices = [constant or HOLE]
            if isinstance(part.value, ast.IfExp):
                choices = [text or HOLE for text in _texts(part.value, module, owner)]
        else:
            choices = [str(part.value) if isinstance(part, ast.Constant) else HOLE]
        parts = [before + choice for before in parts for choice in choices]
    whole: list[str | None] = list(parts)
    if owner is not None and any(name in _parameters(owner) for name in _bare(node, module, owner)):
        return [None]
    return whole


def _named(name: str, module: _Module, owner: ast.FunctionDef | None) -> list[str | None]:
    if owner is not None:
        if assigned := _assigned(name, owner):
            return [
                text
                for value in assigned
                if not (isinstance(value, ast.Name) and value.id == name)
                for text in _texts(value, module, owner)
            ]
        if name in _parameters(owner):
            return [None]
    constant = _constant(name, module)
    return [constant if constant is not None else HOLE]


def _assigned(name: str, owner: ast.FunctionDef) -> list[ast.expr]:
    found = []
    for node in (one for one in ast.walk(owner) if isinstance(one, ast.Assign)):
        for target in node.targets:
            targets, values = [target], [node.value]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                targets, values = target.elts, node.value.elts
            found += [
                value
                for one, value in zip(targets, values, strict=False)
                if isinstance(one, ast.Name) and one.id == name
            ]
    return found


def _constant(name: str, module: _Module) -> str | None:
    own = constants().get(f"{module.path}:{name}")
    return own if own is not None else constants().get(name)


def _parameters(owner: ast.FunctionDef) -> set[str]:
    arguments = owner.args
    return {one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}


def _last(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript):
        return _last(node.value)
    return node.id if isinstance(node, ast.Name) else ""


def _tidy(text: str) -> str:
    """On one line, holes together."""
    text = re.sub(r"\s+", " ", text)
    return re.sub(f"{HOLE}+", HOLE, text)
