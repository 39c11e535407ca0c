"""docs/fire.md: a table for each part, written by the run itself; a part that did not run keeps its table."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fire.case import Part, Shown
from fire.plan import Plan, Size

HEAD: Final = """\
# Under fire

What the software was put through, and what it did: made by `make fire`, which writes the tables, on loopback alone.

    make fire FIRE_PARTS="crashes endurance/aws"    # a part, or a case, alone
    make fire FIRE_SEED=1234                        # everything random comes from the seed that stands above a table
    make fire FIRE=short                            # less of everything, as each change is tried
    make fire FIRE=soak                             # the endurance, for an hour

Times and memory are one machine's, once.
"""
_SECTION: Final = re.compile(r"^## (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Row:
    """A case and what came of it.

    Attributes:
        fault: what was done.
        shown: what was shown; None = it was broken, or was not run.
        problem: what was seen instead, or why it was not run.
        broken: whether a promise is broken.
    """

    fault: str
    shown: Shown | None
    problem: str = ""
    broken: bool = False

    def line(self) -> str:
        """As a line of the table, with those of its parts below it."""
        if self.shown is None:
            cells = [self.fault, f"**{'broken' if self.broken else 'not run'}**: {self.problem}", "", ""]
        else:
            recovery = "" if self.shown.recovery is None else seconds(self.shown.recovery)
            cells = [self.fault, self.shown.outcome, f"{self.shown.tried:,} {self.shown.of}", recovery]
        line = "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"
        return "\n".join(
            [line, *(Row(fault, shown).line() for fault, shown in (self.shown.rows if self.shown else {}).items())]
        )


def seconds(value: float) -> str:
    """A time, rounded: what differs from run to run and machine to machine says nothing."""
    if value < 0.1:
        return "below 0.1 s"
    return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"


def section(part: Part, plan: Plan, rows: Sequence[Row]) -> str:
    """A part's heading, promise and table."""
    soak = ", one hour" if plan.size is Size.SOAK else ""
    return "\n".join(
        [
            f"## {part.title}",
            "",
            f"{part.promise} Seed {plan.seed}{soak}.",
            "",
            "| fault | outcome | tried | recovery |",
            "|---|---|---|---|",
            *(row.line() for row in rows),
            "",
        ]
    )


def page(old: str, titles: Sequence[str], new: Mapping[str, str]) -> str:
    """The page with new sections in place of the old ones of the same titles.

    Args:
        old: the page as it is; empty = there is none.
        titles: of all parts, in their order.
        new: sections by title.
    """
    pieces = _SECTION.split(old)
    kept = {title: f"## {title}{text.rstrip()}\n" for title, text in zip(pieces[1::2], pieces[2::2], strict=True)}
    return "\n".join([HEAD, *(one for title in titles if (one := new.get(title, kept.get(title, ""))))])
