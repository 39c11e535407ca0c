"""What a PromQL expression asks for: metrics by name, the labels that it selects by, and those that it groups by."""

import re
from dataclasses import dataclass
from typing import Final

_WORDS: Final = frozenset({
    "sum", "max", "min", "avg", "count", "topk", "rate", "increase", "changes", "absent", "histogram_quantile", "and",
    "or", "unless", "by", "on", "without", "ignoring", "group_left", "group_right", "offset", "bool",
})  # fmt: skip
_GROUPING: Final = re.compile(r"\b(?:by|on|group_left|without|ignoring)\s*\(([^)]*)\)")
_SELECTOR: Final = re.compile(r"\b([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\s*\{([^}]*)\})?")
_MATCHER: Final = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for.

    Attributes:
        selected: metric -> label -> the values that are written for it, of all its selectors.
        grouped: labels in by, on and group_left.
    """

    selected: dict[str, dict[str, set[str]]]
    grouped: set[str]


def read(expression: str) -> Query:
    """Read an expression of the few functions above; another word is taken for a metric."""
    bare = re.sub(r"\[[^\]]*\]", "", expression)
    grouped = {label.strip() for labels in _GROUPING.findall(bare) for label in labels.split(",") if label.strip()}
    bare = _GROUPING.sub("", bare)
    selected: dict[str, dict[str, set[str]]] = {}
    for name, matchers in _SELECTOR.findall(bare):
        if name in _WORDS:
            continue
        labels = selected.setdefault(name, {})
        for label, value in _MATCHER.findall(matchers):
            labels.setdefault(label, set()).update(value.split("|"))
    return Query(selected, grouped)
