"""What of a predicate SQLite answers exactly as SQL does: with bound values, and only where its rules agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa

from hms_registry.domain.names import always_quoted
from hms_registry.domain.predicates import Conjunct, Literal, Operator
from hms_registry.ports.adapter import ScanRequest
from hms_sqlite.schema import TableInfo
from hms_sqlite.typing_rules import Affinity, affinity

Bound = str | int | float | bytes
_MAX_IN = 10_000  # a list of keys; SQLite binds 32,766 values in a statement, or more
_MAX_BOUND = 30_000
_UNORDERED = frozenset({Operator.EQ, Operator.NE, Operator.IN})


@dataclass(frozen=True, slots=True)
class Pushed:
    """A WHERE clause and what is bound to it."""

    where: str
    values: tuple[Bound, ...]


def push(table: TableInfo, request: ScanRequest) -> tuple[Pushed, tuple[Conjunct, ...]]:
    """Part a predicate into a WHERE clause and the residual."""
    declared = {column.name: column.declared for column in table.columns or ()}
    texts: list[str] = []
    values: list[Bound] = []
    residual: list[Conjunct] = []
    for conjunct in request.predicate:
        name = conjunct.column.name
        at = request.schema.get_field_index(name)
        clause = None
        if at >= 0 and name in declared and len(conjunct.column.segments) == 1:
            clause = _clause(conjunct, declared[name], request.schema.field(at).type)
        if clause is None or len(values) + len(clause.values) > _MAX_BOUND:
            residual.append(conjunct)
        else:
            texts.append(clause.where)
            values.extend(clause.values)
    return Pushed(" AND ".join(texts), tuple(values)), tuple(residual)


def _clause(conjunct: Conjunct, declared: str, wanted: pa.DataType) -> Pushed | None:
    column = always_quoted(conjunct.column.name)
    if conjunct.operator in (Operator.IS_NULL, Operator.IS_NOT_NULL):
        return Pushed(f"{column} {conjunct.operator}", ())
    bound = _bound(conjunct.values, declared, wanted)
    is_text = pa.types.is_string(wanted) or pa.types.is_binary(wanted)
    if not bound or len(bound) > _MAX_IN or (is_text and conjunct.operator not in _UNORDERED):
        return None
    if pa.types.is_boolean(wanted) and conjunct.operator not in _UNORDERED:
        return None
    if pa.types.is_string(wanted) or pa.types.is_date32(wanted):
        column += " COLLATE BINARY"  # the column's own collation may ignore case
    if conjunct.operator is Operator.IN:
        return Pushed(f"{column} IN ({', '.join('?' * len(bound))})", bound)
    return Pushed(f"{column} {conjunct.operator} ?", bound)


def _bound(values: Sequence[Literal], declared: str, wanted: pa.DataType) -> tuple[Bound, ...] | None:
    kind = affinity(declared)
    bound = [_value(value, declared, kind, wanted) for value in values]
    kept = tuple(value for value in bound if value is not None)
    return kept if len(kept) == len(bound) else None


def _value(value: Literal, declared: str, kind: Affinity, wanted: pa.DataType) -> Bound | None:  # noqa: PLR0911 # a case a type
    """Return what to bind; None where SQLite would compare otherwise than SQL with the registered type does."""
    if isinstance(value, bool):
        return int(value) if pa.types.is_boolean(wanted) else None
    if pa.types.is_integer(wanted) and kind is Affinity.INTEGER:
        return value if isinstance(value, int) and -(2**63) <= value < 2**63 else None
    if pa.types.is_float64(wanted) and kind in (Affinity.REAL, Affinity.NUMERIC, Affinity.INTEGER):
        return _number(value)
    if pa.types.is_string(wanted) and kind is Affinity.TEXT:
        return value if isinstance(value, str) and _is_unicode(value) else None
    if pa.types.is_binary(wanted) and "BLOB" in declared.upper():
        return value if isinstance(value, bytes) else None
    if pa.types.is_date32(wanted) and isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()  # a date that is not spelled so does not fit the column, and would fail the scan
    return None


def _number(value: Literal) -> float | None:
    if not isinstance(value, int | float | Decimal):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if number == number else None  # noqa: PLR0124 # SQLite binds NaN as NULL


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
