"""What of a predicate PostgreSQL answers exactly as SQL over the registered types does; the rest is residual.

Literals are written into the statement: rows come by COPY, which takes no parameters. psycopg quotes them; a
literal of another Python type than its column's family calls for is never written.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from uuid import UUID

from psycopg import sql

from hms_postgres.types import Family, Mapped
from hms_registry.domain.names import always_quoted
from hms_registry.domain.predicates import Conjunct, Literal, Operator

_EXACT_FLOAT = 2**53
_UNORDERED = frozenset({Operator.EQ, Operator.NE, Operator.IN})
_ORDERED = frozenset({Family.INTEGER, Family.DECIMAL, Family.FLOAT, Family.DATE, Family.TIME, Family.LOCAL,
                      Family.INSTANT})  # fmt: skip
_CASTS = {
    Family.FLOAT: "float8",
    Family.UUID: "uuid",
    Family.BYTES: "bytea",
    Family.DATE: "date",
    Family.TIME: "time",
    Family.LOCAL: "timestamp",
    Family.INSTANT: "timestamptz",
}


@dataclass(frozen=True, slots=True)
class ScannedColumn:
    """A column as it is now. *is_deterministic*: equal strings are equal bytes under its collation."""

    name: str
    mapped: Mapped
    is_deterministic: bool = True


def clause(conjunct: Conjunct, column: ScannedColumn) -> str | None:
    """Return the SQL of a conjunct on *column*; None where the server would answer otherwise, or might fail."""
    family, operator = column.mapped.family, conjunct.operator
    name = always_quoted(column.name)
    if len(conjunct.column.segments) != 1 or family is Family.COMPOSITE:
        return None  # ROW(NULL) IS NULL is true in PostgreSQL
    if operator in (Operator.IS_NULL, Operator.IS_NOT_NULL):
        return f"{name} {operator}"
    if not column.is_deterministic or (operator not in _UNORDERED and family not in _ORDERED):
        return None
    values = _values(conjunct.values, family)
    if not values:
        return None
    if family is Family.LABEL:
        name += "::text"  # an enum raises at a label that it does not have
    if operator is Operator.IN:
        return f"{name} IN ({', '.join(values)})"
    return f"{name} {operator} {values[0]}"


def _values(literals: Sequence[Literal], family: Family) -> list[str] | None:
    written = []
    for literal in literals:
        text = _written(literal, family)
        if text is None:
            return None
        written.append(text)
    return written


def _written(literal: Literal, family: Family) -> str | None:
    match family, literal:
        case Family.BOOLEAN, bool():
            return "true" if literal else "false"
        case (Family.INTEGER | Family.DECIMAL), int() if not isinstance(literal, bool):
            return str(literal)
        case (Family.INTEGER | Family.DECIMAL), Decimal() if literal.is_finite():
            return f"{literal:f}"
        case Family.FLOAT, (int() | float()) if not isinstance(literal, bool):
            is_exact = math.isfinite(literal) if isinstance(literal, float) else abs(literal) <= _EXACT_FLOAT
            return f"'{float(literal)!r}'::float8" if is_exact else None
        case (Family.TEXT | Family.LABEL), str():
            return _quoted(literal)
        case Family.CHAR, str() if not literal.endswith(" "):
            return f"{_quoted(literal)}::bpchar" if "\0" not in literal else None
        case Family.UUID, str() if _is_uuid(literal):
            return _cast(literal, family)
        case Family.BYTES, bytes():
            return f"'\\x{literal.hex()}'::bytea"
        case Family.DATE, date() if not isinstance(literal, datetime):
            return _cast(literal.isoformat(), family)
        case Family.TIME, time() if literal.tzinfo is None:
            return _cast(literal.isoformat(), family)
        case Family.LOCAL, datetime() if literal.tzinfo is None:
            return _cast(literal.isoformat(sep=" "), family)
        case Family.INSTANT, datetime() if literal.tzinfo is not None:
            return _cast(literal.isoformat(sep=" "), family)
    return None


def _quoted(text: str) -> str | None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return None
    return sql.Literal(text).as_string(None).strip() if "\0" not in text else None


def _cast(text: str, family: Family) -> str:
    return f"'{text}'::{_CASTS[family]}"


def _is_uuid(text: str) -> bool:
    """Say whether a text is spelled as the server prints a uuid: any other spelling equals no value of ours."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
