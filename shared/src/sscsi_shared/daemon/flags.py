"""A daemon's command line, in the syntax that its predecessors' manifests use (Go's package flag).

One dash or two, `-name=value` or `-name value`; a boolean needs `=` to be turned off. An unknown flag prints the usage
and ends the process with status 2.
"""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, NoReturn, TypeVar

T = TypeVar("T")

_DURATION_PART: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|\u00b5s|ms|s|m|h)")
_UNIT_SECONDS: Final = {"ns": 1e-9, "us": 1e-6, "\u00b5s": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_MAX_DIGITS: Final = 15
_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})


def duration(text: str) -> float:
    """Seconds of a Go duration such as `2m`, `1m30s`, `500ms` (time.ParseDuration); never negative.

    Raises:
        ValueError: it is none.
    """
    parts = _DURATION_PART.findall(text)
    if text != "0" and (not parts or "".join(number + unit for number, unit in parts) != text):
        raise ValueError("a duration such as 2m, 1m30s or 500ms is needed")
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts)


def boolean(text: str) -> bool:
    """Yes or no in Go's words (strconv.ParseBool).

    Raises:
        ValueError: another word.
    """
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError("true or false is needed")


def whole_number(text: str) -> int:
    """A number of things or bytes, 0 or more.

    Raises:
        ValueError: it is none.
    """
    if not text.isascii() or not text.isdecimal() or len(text) > _MAX_DIGITS:
        raise ValueError("a whole number is needed")
    return int(text)


def one_of(*words: str) -> Callable[[str], str]:
    """A reader of one of a few words.

    The reader raises ValueError for another word.
    """

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"one of {', '.join(words)} is needed")
        return text

    return read


@dataclass(frozen=True, slots=True)
class Flag(Generic[T]):
    """One flag.

    Attributes:
        name: without dashes.
        default: its value where it is not given.
        help: one sentence.
        read: from text to value; raises ValueError with what is needed.
        environment: a variable that stands in for the flag where that is not given; empty = none.
    """

    name: str
    default: T
    help: str
    read: Callable[[str], T]
    environment: str = ""


class Values:
    """What was given; ask with the Flag itself."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, flag: Flag[T]) -> T:
        value: T = self._values.get(flag.name, flag.default)
        return value


def parse(
    program: str, summary: str, flags: Sequence[Flag[Any]], arguments: Sequence[str], environ: Mapping[str, str]
) -> Values:
    """Read a command line. `-help` prints the usage and ends the process; so does a mistake, with status 2."""
    known = {flag.name: flag for flag in flags}
    values: dict[str, Any] = {}
    try:
        for flag in flags:
            if flag.environment and environ.get(flag.environment):
                values[flag.name] = _read(flag, environ[flag.environment], f"the variable {flag.environment}")
        rest = list(arguments)
        while rest:
            name, given = _split(rest.pop(0))
            if name in {"h", "help"}:
                print(usage(program, summary, flags))  # noqa: T201
                sys.exit(0)
            flag = _known(known, name)
            if given is None:
                given = _argument(flag, rest)
            values[name] = _read(flag, given, f"flag -{name}")
    except ValueError as error:
        _refuse(f"{error}\n{usage(program, summary, flags)}")
    return Values(values)


def usage(program: str, summary: str, flags: Sequence[Flag[Any]]) -> str:
    """The help text: every flag with its default and variable."""
    lines = [summary, "", f"Usage of {program}:"]
    for flag in sorted(flags, key=lambda one: one.name):
        variable = f" [${flag.environment}]" if flag.environment else ""
        default = "" if flag.default in ("", None, False, ()) else f" (default {flag.default})"
        lines += [f"  --{flag.name}", f"        {flag.help}{default}{variable}"]
    return "\n".join(lines)


def _split(argument: str) -> tuple[str, str | None]:
    if not argument.startswith("-") or argument in {"-", "--"}:
        raise ValueError(f"unexpected argument: {argument}")
    name, equals, value = argument.removeprefix("-").removeprefix("-").partition("=")
    return name, value if equals else None


def _known(flags: Mapping[str, Flag[Any]], name: str) -> Flag[Any]:
    if name not in flags:
        raise ValueError(f"flag provided but not defined: -{name}")
    return flags[name]


def _argument(flag: Flag[Any], rest: list[str]) -> str:
    """The value of a flag without `=`: the next argument, but for a boolean."""
    if flag.read is boolean:
        return "true"
    if not rest:
        raise ValueError(f"flag needs an argument: -{flag.name}")
    return rest.pop(0)


def _read(flag: Flag[T], text: str, where: str) -> T:
    try:
        return flag.read(text)
    except ValueError as error:
        raise ValueError(f"invalid value {text!r} for {where}: {error}") from error


def _refuse(text: str) -> NoReturn:
    print(text, file=sys.stderr)  # noqa: T201
    sys.exit(2)
