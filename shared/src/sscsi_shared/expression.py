"""JMESPath, made safe for expressions and documents that strangers write.

The library guards neither its time nor its memory: `[@,@] | [@,@] | ...` doubles its result at each step, a list within
the expression lets `map` or a filter begin again for each of its entries, and `join` multiplies lengths. So an
expression is short, the doublings that it can make are counted before it runs, and its steps and the text that it makes
while it runs.
"""

import json
import re
from typing import Any, Final

import jmespath
from jmespath import exceptions, functions, visitor

MAX_EXPRESSION_CHARS: Final = 1024
MAX_COPIES: Final = 64
"""How many times an expression may multiply its input: the product of the sizes of its multi-selects."""
MAX_TEXT_CHARS: Final = 4 << 20
"""How long the texts may be that `join` and `to_string` make, all together."""
MAX_STEPS: Final = 300_000
"""How often parts of an expression are looked at in a search, together with the entries that functions are given."""

_HYPHENED: Final = re.compile(r"\w[\w-]*(\.\w[\w-]*)*")
"""Keys as people write them: in JMESPath a hyphen needs quotation marks."""
_LIBRARY_FAULTS: Final = (
    exceptions.JMESPathError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What the library is seen to raise for odd expressions, beside its own errors."""


class ExpressionError(ValueError):
    """The expression can't be read or run; the text says why, without any of the document."""


class _BoundedFunctions(functions.Functions):
    """The functions of JMESPath, for one search, with those that make text bounded."""

    def __init__(self) -> None:
        super().__init__()
        self._room = MAX_TEXT_CHARS

    def _take(self, chars: int, name: str) -> None:
        self._room -= chars
        if self._room < 0:
            raise ExpressionError(f"{name} would make too long a text")

    @functions.signature({"types": ["string"]}, {"types": ["array-string"]})
    def _func_join(self, separator: str, parts: list[str]) -> str:
        self._take(sum(map(len, parts)) + len(separator) * len(parts), "join")
        return separator.join(parts)

    @functions.signature({"types": []})
    def _func_to_string(self, value: object) -> str:
        if isinstance(value, str):
            return value
        pieces = []
        for piece in json.JSONEncoder(separators=(",", ":"), sort_keys=True, ensure_ascii=False).iterencode(value):
            self._take(len(piece), "to_string")
            pieces.append(piece)
        return "".join(pieces)


class _Search(visitor.TreeInterpreter):
    """One search, with its steps counted."""

    def __init__(self) -> None:
        super().__init__(jmespath.Options(custom_functions=_BoundedFunctions()))
        self._left = MAX_STEPS

    def visit(self, node: Any, *arguments: Any, **named: Any) -> Any:
        """A step."""
        self._take(1)
        return super().visit(node, *arguments, **named)

    def visit_flatten(self, node: Any, value: Any) -> Any:
        """As many steps as there are entries."""
        found = super().visit_flatten(node, value)
        self._take(len(found or ()))
        return found

    def visit_function_expression(self, node: Any, value: Any) -> Any:
        """As many steps as the result has entries; the arguments were made by steps before."""
        found = super().visit_function_expression(node, value)
        self._take(len(found) if isinstance(found, list | dict) else 0)
        return found

    def _take(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise ExpressionError("it takes too many steps")


def _copies(node: Any) -> int:
    """How many times at most the expression below `node` multiplies what it is given."""
    copies = 1
    todo = [node]
    while todo:
        current = todo.pop()
        children = [child for child in current.get("children", ()) if isinstance(child, dict)]
        if current.get("type") in {"multi_select_list", "multi_select_dict"}:
            copies *= max(1, len(children))
        todo += children
    return copies


def _compiled(expression: str) -> Any:
    """An expression that can be run; where it is no JMESPath but looks like keys parted by dots, those keys."""
    if len(expression) > MAX_EXPRESSION_CHARS:
        raise ExpressionError(f"it is longer than {MAX_EXPRESSION_CHARS} characters")
    try:
        compiled = _parsed(expression)
    except ExpressionError:
        if not _HYPHENED.fullmatch(expression):
            raise
        compiled = _parsed(".".join(f'"{key}"' for key in expression.split(".")))
    if _copies(compiled.parsed) > MAX_COPIES:
        raise ExpressionError("it selects too many things at once")
    return compiled


def _parsed(expression: str) -> Any:
    try:
        return jmespath.compile(expression)
    except exceptions.IncompleteExpressionError as error:
        raise ExpressionError("it ends too early") from error
    except exceptions.EmptyExpressionError as error:
        raise ExpressionError("it is empty") from error
    except (exceptions.ParseError, exceptions.LexerError) as error:
        at = getattr(error, "lex_position", None)
        place = f" at character {at + 1}" if isinstance(at, int) else ""
        raise ExpressionError(f"syntax error{place}") from error
    except _LIBRARY_FAULTS as error:
        raise ExpressionError("it can't be read") from error


def check(expression: str) -> str:
    """Give back `expression` if it is JMESPath that we run.

    Raises:
        ExpressionError: it is not.
    """
    _compiled(expression)
    return expression


def search(expression: str, document: object) -> object:
    """What `expression` finds in a JSON document; None if nothing.

    Raises:
        ExpressionError: the expression can't be read, or fails on this document.
    """
    compiled = _compiled(expression)
    try:
        return _Search().visit(compiled.parsed, document)
    except ExpressionError:
        raise
    except exceptions.UnknownFunctionError as error:
        raise ExpressionError("it calls a function that JMESPath does not have") from error
    except exceptions.ArityError as error:
        raise ExpressionError("it calls a function with the wrong number of arguments") from error
    except _LIBRARY_FAULTS:
        # `from None`: the library's own texts quote the document, and with it the secret.
        raise ExpressionError("it does not suit the secret: an argument of a function has the wrong type") from None
