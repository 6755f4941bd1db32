"""Figures: what was measured, against what, and how it is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

COLUMNS = ("figure", "what", "ours", "the limit", "ratio", "target", "", "")


class Unequal(Exception):
    """Both sides were asked the same, and answered differently: then no time means anything."""


def require_equal(ours: object, theirs: object, what: str) -> None:
    """Raise `Unequal` unless both sides gave the same."""
    if ours != theirs:
        raise Unequal(f"{what}: {str(ours)[:300]} is not {str(theirs)[:300]}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table.

    Attributes:
        ours: the median of what HMS-DTA took, in *unit*.
        limit: the median of what is compared with, in the same run; None = nothing can be.
        factor: how many times the limit is allowed; None = the limit does not decide.
        allowance: what is allowed on top; the whole target where *factor* is None.
        note: what else was counted.
    """

    name: str
    what: str
    ours: float
    limit: float | None = None
    unit: str = "ms"
    factor: float | None = None
    allowance: float = 0.0
    note: str = ""

    @property
    def bound(self) -> float | None:
        """The most that *ours* may be; None = no target, told for the record."""
        if self.factor is not None and self.limit is not None:
            return self.factor * self.limit + self.allowance
        return self.allowance or None

    @property
    def target(self) -> str:
        """The target in words."""
        extra = f"{self.allowance:g} {self.unit}"
        if self.factor is None:
            return extra if self.allowance else ""
        return f"{self.factor:g}x + {extra}" if self.allowance else f"{self.factor:g}x"

    @property
    def verdict(self) -> str:
        """`ok`, `missed`, or nothing where there is no target."""
        if self.bound is None:
            return ""
        return "ok" if self.ours <= self.bound else "missed"

    def cells(self) -> tuple[str, ...]:
        """Return the line of the table."""
        ratio = f"{self.ours / self.limit:.2f}x" if self.limit else ""
        limit = f"{self.limit:,.1f} {self.unit}" if self.limit else ""
        ours = f"{self.ours:,.1f} {self.unit}"
        return (self.name, self.what, ours, limit, ratio, self.target, self.verdict, self.note)

    def as_dict(self) -> dict[str, object]:
        """Return it as plain values."""
        return {
            "name": self.name,
            "what": self.what,
            "unit": self.unit,
            "ours": self.ours,
            "limit": self.limit,
            "ratio": self.ours / self.limit if self.limit else None,
            "bound": self.bound,
            "target": self.target,
            "verdict": self.verdict,
            "note": self.note,
        }


def table(figures: Sequence[Figure]) -> str:
    """Lay the figures out as one table of plain text."""
    return laid_out([COLUMNS, *(figure.cells() for figure in figures)])


def for_readme(figures: Sequence[Figure]) -> str:
    """Lay the figures out as the README shows them: without names and notes, target and verdict in one."""
    rows = [("figure", "ours", "the limit", "ratio", "target")]
    for figure in figures:
        _, what, ours, limit, ratio, target, verdict, _ = figure.cells()
        rows.append((what, ours, limit, ratio, f"{target}: {verdict}" if verdict else ""))
    return in_markdown(rows)


def laid_out(rows: Sequence[Sequence[str]]) -> str:
    """Lay rows of cells out as plain text, a line under the first."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


def in_markdown(rows: Sequence[Sequence[str]]) -> str:
    """Lay rows of cells out as a table of Markdown."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines)
