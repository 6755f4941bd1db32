"""What a predicate means, in plain Python: unknown is not true, and order on text is by code point."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence

from hms_registry.domain.predicates import Conjunct, Operator
from hms_registry.testing.sample import Row

_COMPARE: dict[Operator, Callable[[object, object], bool]] = {
    Operator.EQ: operator.eq,
    Operator.NE: operator.ne,
    Operator.LT: operator.lt,  # type: ignore[dict-item] # of one type by construction
    Operator.LE: operator.le,  # type: ignore[dict-item] # likewise
    Operator.GT: operator.gt,  # type: ignore[dict-item] # likewise
    Operator.GE: operator.ge,  # type: ignore[dict-item] # likewise
}


def holds(conjunct: Conjunct, row: Row) -> bool:
    """True if SQL keeps *row*: NULL compares as unknown, and unknown drops it."""
    value = row[conjunct.column.name]
    if conjunct.operator is Operator.IS_NULL:
        return value is None
    if conjunct.operator is Operator.IS_NOT_NULL:
        return value is not None
    if value is None:
        return False
    if conjunct.operator is Operator.IN:
        return any(value == wanted for wanted in conjunct.values)
    return _COMPARE[conjunct.operator](value, conjunct.values[0])


def select(rows: Iterable[Row], predicate: Sequence[Conjunct]) -> list[Row]:
    """Keep the rows for which every conjunct is true."""
    return [row for row in rows if all(holds(conjunct, row) for conjunct in predicate)]
