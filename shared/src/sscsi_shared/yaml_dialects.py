"""What a YAML scalar or mapping means, by the dialect of the program that used to read it.

    aws    sigs.k8s.io/yaml: YAML 1.1 -> JSON -> Go struct. yes, no, on, off, y, n are booleans; last key wins.
    core   go-yaml v3, typed (gcp, vault): only true and false are booleans; a repeated key is an error.
    text   go-yaml v3, scalars as written (azure): a repeated key is an error.

The tables are those of `reference/{aws,gcp,vault,azure}.md`, observed on the Go programs.
"""

import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Final, TypeAlias

from sscsi_shared.errors import InvalidParameters, clip
from sscsi_shared.yaml_source import YamlList, YamlMap, YamlScalar, YamlTree

Value: TypeAlias = str | int | float | bool | datetime | None

_STANDARD: Final = "tag:yaml.org,2002:"
_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_CORE_BOOLEANS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_OLD_BOOLEANS: Final = {
    **_CORE_BOOLEANS,
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF"), False),
}
_SPECIAL_FLOATS: Final = {
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **{sign + word: math.inf for sign in ("", "+") for word in (".inf", ".Inf", ".INF")},
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_INTEGER: Final = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]([0-7]+)|0([0-7]+)|(0|[1-9][0-9]*))")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_TIMESTAMP: Final = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:[Tt ]([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:\.([0-9]{1,9}))?(Z|[-+][0-9]{2}:[0-9]{2})?)?"
)
_MAX_NUMBER_CHARS: Final = 400
_MIN_INT64: Final = -(1 << 63)
_MAX_UINT64: Final = (1 << 64) - 1


class Dialect(Enum):
    """Whose habits a text is read with."""

    AWS = "aws"
    CORE = "core"
    TEXT = "text"


def is_null(tree: YamlTree) -> bool:
    """Whether the tree is null: nothing, `~` or `null` without quotation marks (the same in all dialects)."""
    if not isinstance(tree, YamlScalar):
        return False
    return tree.tag == _STANDARD + "null" or (tree.plain and not tree.tag and tree.text in _NULL)


def typed(scalar: YamlScalar, dialect: Dialect) -> Value:
    """What the scalar is to go-yaml: text, integer, float, boolean, time or None.

    Integers are those of 64 bits, signed or not; a larger one is a float. A time is aware, UTC where it names no zone;
    in the aws dialect it stays text.

    Raises:
        ValueError: an explicit tag that the text does not suit, or that is not supported.
    """
    if scalar.tag and scalar.tag.startswith(_STANDARD):
        return _tagged(scalar, scalar.tag.removeprefix(_STANDARD), dialect)
    if not scalar.plain or scalar.tag:
        return scalar.text
    return _plain(scalar.text, dialect)


def text_of(scalar: YamlScalar, dialect: Dialect) -> str:
    """The scalar in a field that is text.

    aws: numbers and booleans as Go prints them (1.10 -> 1.1, 0644 -> 420, yes -> true). core and text: as written.
    null is the empty text in all.

    Raises:
        ValueError: as `typed`, aws only.
    """
    if is_null(scalar):
        return ""
    if dialect is not Dialect.AWS:
        return scalar.text
    value = typed(scalar, dialect)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _go_float(value)
    return str(value)


def fields(mapping: YamlMap, dialect: Dialect) -> Iterator[tuple[YamlScalar, YamlTree]]:
    """The mapping's entries, merge keys `<<` resolved: an explicit key wins, then the first mapping merged.

    Repeated keys come out once: the last in aws, an error else.

    Raises:
        InvalidParameters: a key that is no scalar, a repeated key, or a merge of something that is no mapping; its path
            is empty, for the caller to fill.
    """
    found: dict[str, tuple[YamlScalar, YamlTree]] = {}
    merged: list[YamlTree] = []
    lines: dict[str, int] = {}
    for key, value in mapping.entries:
        if not isinstance(key, YamlScalar):
            raise _error(key, "a key must be plain text, not a list or a mapping.", "Put it in quotation marks.")
        if key.text in lines and dialect is not Dialect.AWS:
            shown = clip(key.text, 64)
            raise _error(
                key, f'mapping key "{shown}" already defined at line {lines[key.text]}.', "Remove one of the two."
            )
        lines[key.text] = key.line
        if key.plain and not key.tag and key.text == "<<":
            merged += value.items if isinstance(value, YamlList) else (value,)
        else:
            found.pop(key.text, None)
            found[key.text] = (key, value)
    for source in merged:
        if not isinstance(source, YamlMap):
            raise _error(source, "the merge key << needs a mapping, or a list of mappings.")
        for key, value in fields(source, dialect):
            found.setdefault(key.text, (key, value))
    yield from found.values()


def _error(tree: YamlTree, message: str, hint: str = "") -> InvalidParameters:
    return InvalidParameters(message, line=tree.line, column=tree.column, hint=hint)


def _plain(text: str, dialect: Dialect) -> Value:
    if text in _NULL:
        return None
    booleans = _OLD_BOOLEANS if dialect is Dialect.AWS else _CORE_BOOLEANS
    if text in booleans:
        return booleans[text]
    if text in _SPECIAL_FLOATS:
        return _SPECIAL_FLOATS[text]
    if text[0] in "+-.0123456789" and len(text) <= _MAX_NUMBER_CHARS:
        moment = _timestamp(text)
        if moment is not None:
            return text if dialect is Dialect.AWS else moment
        number = _number(text)
        if number is not None:
            return number
    return text


def _number(text: str) -> int | float | None:
    """The number that Go's strconv makes of `text` with underscores removed; None if it is none."""
    # go-yaml looks at a leading point without removing underscores.
    digits = text if text[0] == "." else text.replace("_", "")
    found = _INTEGER.fullmatch(digits)
    if found:
        sign, hexadecimal, binary, octal, old_octal, decimal = found.groups()
        size = int(
            hexadecimal or binary or octal or old_octal or decimal,
            16 if hexadecimal else 2 if binary else 8 if octal or old_octal else 10,
        )
        value = -size if sign == "-" else size
        # strconv.ParseUint takes no sign.
        if _MIN_INT64 <= value <= (_MAX_UINT64 if not sign else -_MIN_INT64 - 1):
            return value
    if _FLOAT.fullmatch(digits):
        value_float = float(digits)
        # strconv.ParseFloat refuses what is out of range; the text stays text.
        return value_float if math.isfinite(value_float) else None
    return None


def _timestamp(text: str) -> datetime | None:
    found = _TIMESTAMP.fullmatch(text)
    if not found:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    # go-yaml's four layouts: with T or t a zone is needed, with a space there is none.
    if hour is not None and ((zone is None) != (" " in text)):
        return None
    offset = UTC
    if zone and zone != "Z":
        away = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:]))
        if away >= timedelta(hours=24):
            return None
        offset = timezone(-away if zone[0] == "-" else away)
    try:
        return datetime(
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int((fraction or "").ljust(6, "0")[:6]),
            tzinfo=offset,
        )
    except ValueError:
        return None


def _tagged(scalar: YamlScalar, tag: str, dialect: Dialect) -> Value:
    """A scalar with a tag of YAML's own, such as `!!int`."""
    if tag == "str":
        return scalar.text
    if tag == "null":
        return None
    value = _plain(scalar.text, dialect) if scalar.text else None
    if tag == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    kinds: dict[str, type] = {"int": int, "float": float, "bool": bool, "timestamp": datetime}
    if tag not in kinds:
        raise ValueError(f"the tag !!{clip(tag, 32)} is not supported")
    if tag == "timestamp" and dialect is Dialect.AWS and _timestamp(scalar.text):
        return scalar.text
    if not isinstance(value, kinds[tag]) or (tag == "int" and isinstance(value, bool)):
        raise ValueError(f"the text does not suit its tag !!{tag}")
    return value


def _go_float(value: float) -> str:
    """A float as Go's strconv.FormatFloat(value, 'g', -1, 64): shortest digits, an exponent below -4 or from 6."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    sign, numerals, tail = Decimal(repr(value)).as_tuple()
    digits = "".join(map(str, numerals)).lstrip("0")
    exponent = len(digits) + int(tail) - 1
    digits = digits.rstrip("0")
    minus = "-" if sign else ""
    if not digits:
        return f"{minus}0"
    if not -4 <= exponent < 6:
        point = "." if digits[1:] else ""
        return f"{minus}{digits[0]}{point}{digits[1:]}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    if exponent < 0:
        return f"{minus}0.{'0' * (-exponent - 1)}{digits}"
    whole, fraction = digits[: exponent + 1].ljust(exponent + 1, "0"), digits[exponent + 1 :]
    return f"{minus}{whole}.{fraction}" if fraction else f"{minus}{whole}"
