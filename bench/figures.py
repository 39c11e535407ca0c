"""What the bench found, as a table of text."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One row.

    Attributes:
        what: what was measured.
        value: the number.
        unit: its unit; a count has none.
        budget: the most it may be; None where there is no promise.
    """

    what: str
    value: float
    unit: str = ""
    budget: float | None = None

    def row(self) -> str:
        """The figure as a line; a broken budget is marked."""
        number = f"{self.value:,.0f}" if not self.unit else f"{self.value:,.2f} {self.unit}"
        promise = ""
        if self.budget is not None:
            verdict = "ok" if self.value <= self.budget else "OVER"
            promise = f"   {verdict}: budget {self.budget:g} {self.unit}".rstrip()
        return f"  {self.what:<58}{number:>14}{promise}"


def table(title: str, figures: list[Figure]) -> str:
    """A title and its rows."""
    return "\n".join([title, *(figure.row() for figure in figures), ""])
