"""The predicates that every adapter is tried with: each operator, NULLs, types that differ, order on text."""

from __future__ import annotations

from datetime import date

from hms_registry.domain.columns import ColumnPath
from hms_registry.domain.predicates import Conjunct, Operator


def where(column: str, operator: Operator, *values: int | float | str | date) -> Conjunct:
    """Make a conjunct."""
    return Conjunct(ColumnPath.of(column), operator, values)


PREDICATES: tuple[tuple[Conjunct, ...], ...] = (
    (where("id", Operator.EQ, 7),),
    (where("id", Operator.NE, 7),),
    (where("lock", Operator.LT, 3),),
    (where("lock", Operator.LE, 3),),
    (where("lock", Operator.GT, 3),),
    (where("lock", Operator.GE, 3),),
    (where("lock", Operator.IN, 1, 3, 99),),
    (where("lock", Operator.IS_NULL),),
    (where("lock", Operator.IS_NOT_NULL),),
    (where("lock", Operator.NE, 3),),
    (where("tonnage", Operator.EQ, 12.5),),
    (where("tonnage", Operator.GT, 0.0),),
    (where("tonnage", Operator.NE, 0.0),),
    (where("tonnage", Operator.GT, 100),),
    (where("tonnage", Operator.IN, 12.5, -12.5, 0.0),),
    (where("vessel", Operator.EQ, "Algoma"),),
    (where("vessel", Operator.NE, "Algoma"),),
    (where("vessel", Operator.IN, "%", "_", "O'Neil"),),
    (where("vessel", Operator.LT, "Zz"),),
    (where("vessel", Operator.GE, "a"),),
    (where("vessel", Operator.IS_NULL),),
    (where("passed_on", Operator.EQ, date(2024, 1, 13)),),
    (where("passed_on", Operator.GE, date(2024, 2, 3)), where("passed_on", Operator.LT, date(2024, 3, 2))),
    (where("passed_on", Operator.IS_NOT_NULL), where("lock", Operator.IN, 0, 1), where("id", Operator.GT, 40)),
    (where("id", Operator.EQ, 2**63),),
    (where("id", Operator.LT, 7.5),),
)
