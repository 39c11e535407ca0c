"""What `make fire` is made of: parts, which are points of the plan of tests, and their cases."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fire.plan import Plan


class Broken(Exception):
    """Something that was promised does not hold; the text says what was seen."""


class NotRun(Exception):
    """The case can't be tried on this machine; the text says why."""


def expect(held: object, seen: str) -> None:
    """Say that something must hold.

    Raises:
        Broken: with what was seen instead.
    """
    if not held:
        raise Broken(seen)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a case has shown. Its words stay the same from run to run; only figures differ.

    Attributes:
        outcome: what the software did.
        tried: how often, or how many.
        of: of what: kills, mounts, inputs.
        recovery: seconds until everything was right again; the longest. None = there is nothing to recover from.
        rows: of its parts, by what was done: lines below its own.
    """

    outcome: str
    tried: int
    of: str
    recovery: float | None = None
    rows: Mapping[str, "Shown"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """One fault.

    Attributes:
        name: to run it alone: `part/name`.
        fault: what is done to the software.
        run: does it. Raises Broken or NotRun; any other exception counts as broken too.
    """

    name: str
    fault: str
    run: Callable[[Plan], Shown]


@dataclass(frozen=True, slots=True)
class Part:
    """Cases of one kind.

    Attributes:
        name: to run it alone.
        title: of its table.
        promise: what its cases hold the software to, in a sentence or two.
        cases: in the order of the table.
        at_once: how many of them may run side by side.
    """

    name: str
    title: str
    promise: str
    cases: Sequence[Case]
    at_once: int = 1
