"""Tables and verdicts: plain text for the terminal, Markdown for RESULTS.md, JSON for machines."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Verdict:
    """A figure beside its target; `at_least` tells on which side of the target it must lie."""

    text: str
    figure: float
    target: float
    unit: str
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the figure reaches its target; a figure that is no number never does."""
        return self.figure >= self.target if self.at_least else self.figure <= self.target

    def line(self) -> str:
        """`met` or `MISSED`, the figure, and the target with its direction."""
        bound = "at least" if self.at_least else "at most"
        word = "met   " if self.met else "MISSED"
        return f"{word} {self.text}: {number(self.figure)}{self.unit} ({bound} {number(self.target)}{self.unit})"


@dataclass(slots=True)
class Table:
    """One section's answer; cells are formatted by `number` unless they are text."""

    title: str
    columns: list[str]
    rows: list[list[str | float]] = field(default_factory=list[list[str | float]])
    notes: list[str] = field(default_factory=list[str])
    verdicts: list[Verdict] = field(default_factory=list[Verdict])

    def cells(self) -> list[list[str]]:
        """Header and rows as text."""
        return [self.columns, *([cell if isinstance(cell, str) else number(cell) for cell in row] for row in self.rows)]

    def text(self) -> str:
        """Aligned columns, the first to the left, for a terminal."""
        grid = self.cells()
        widths = [max(len(row[n]) for row in grid) for n in range(len(self.columns))]
        lines = [f"\n== {self.title}"]
        for row in grid:
            cells = [c.ljust(w) if n == 0 else c.rjust(w) for n, (c, w) in enumerate(zip(row, widths, strict=True))]
            lines.append("  ".join(cells).rstrip())
        return "\n".join([*lines, *(f"   {note}" for note in self.notes), *(f"   {v.line()}" for v in self.verdicts)])

    def markdown(self) -> str:
        """The same as a section of a Markdown page."""
        head, *rows = self.cells()
        lines = [f"## {self.title}", "", _row(head), _row(["---", *("---:" for _ in head[1:])]), *map(_row, rows)]
        points = [*self.notes, *(verdict.line() for verdict in self.verdicts)]
        return "\n".join([*lines, "", *(f"- {point}" for point in points), *([""] if points else [])])


def failed_table(section: str, reason: str) -> Table:
    """What stands in place of a section that could not be measured: a missed target, so that the run fails."""
    table = Table(f"Section {section} could not be measured", ["why"], [[reason]])
    table.verdicts.append(Verdict(f"section {section}", 0, 1, "", at_least=True))
    return table


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def number(value: float) -> str:
    """Three significant digits below a hundred, whole numbers with thousands above; `-` for what was not measured."""
    if math.isnan(value):
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
