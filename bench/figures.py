"""What the bench found, as tables of text."""

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

    @property
    def broken(self) -> bool:
        """Whether it is more than was promised."""
        return self.budget is not None and self.value > self.budget

    def row(self) -> str:
        """The figure as a line; a broken promise is marked."""
        number = f"{self.value:,.0f}" if not self.unit else f"{self.value:,.2f} {self.unit}"
        promise = ""
        if self.budget is not None:
            promise = f"   {'OVER' if self.broken else 'ok'}: at most {self.budget:g} {self.unit}".rstrip()
        return f"  {self.what:<58}{number:>16}{promise}"


@dataclass(frozen=True, slots=True)
class Table:
    """A title and its rows."""

    title: str
    figures: list[Figure]

    @property
    def broken(self) -> bool:
        """Whether a row breaks a promise."""
        return any(figure.broken for figure in self.figures)

    def text(self) -> str:
        """The table as lines."""
        return "\n".join([self.title, *(figure.row() for figure in self.figures), ""])
