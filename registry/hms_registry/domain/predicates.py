"""Predicates: what can be pushed into a source, in words that every adapter understands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum

from hms_registry.domain.columns import ColumnPath

Literal = str | int | float | bool | Decimal | date | datetime | time | bytes
"""A SQL literal as Python has it; never None: NULL is asked for by `IS_NULL`. A datetime with a zone is an instant."""


class Operator(StrEnum):
    """Comparisons with SQL's meaning: NULL compares as unknown, and unknown drops the row."""

    EQ = "="
    NE = "<>"
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    IN = "IN"
    IS_NULL = "IS NULL"
    IS_NOT_NULL = "IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Conjunct:
    """`column operator values`; a predicate is a tuple of these, all of which must hold.

    Attributes:
        values: none for IS (NOT) NULL, one for a comparison, one or more for IN.
    """

    column: ColumnPath
    operator: Operator
    values: tuple[Literal, ...] = ()

    def __str__(self) -> str:
        match self.operator:
            case Operator.IS_NULL | Operator.IS_NOT_NULL:
                return f"{self.column} {self.operator}"
            case Operator.IN:
                return f"{self.column} IN ({', '.join(map(repr, self.values))})"
            case _:
                return f"{self.column} {self.operator} {self.values[0]!r}"
