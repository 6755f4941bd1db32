"""What of a predicate PostgreSQL answers exactly as SQL over the registered types does; the rest is residual.

Literals are written into the statement: rows come by COPY, which takes no parameters. psycopg quotes them; a
literal of another Python type than its column's family calls for is never written.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
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
    """Write a literal for a column of *family*; None where the two do not go together."""
    if isinstance(literal, bool) or family is Family.BOOLEAN:
        return str(literal).lower() if isinstance(literal, bool) and family is Family.BOOLEAN else None
    write = _WRITERS.get(family)
    return write(literal) if write is not None else None


def _exact(literal: Literal) -> str | None:
    if isinstance(literal, Decimal):
        return f"{literal:f}" if literal.is_finite() else None
    return str(literal) if isinstance(literal, int) else None


def _float(literal: Literal) -> str | None:
    is_exact = (isinstance(literal, int) and abs(literal) <= _EXACT_FLOAT) or (
        isinstance(literal, float) and math.isfinite(literal)
    )
    return f"'{float(literal)!r}'::float8" if is_exact and isinstance(literal, int | float) else None


def _text(literal: Literal) -> str | None:
    return _quoted(literal) if isinstance(literal, str) else None


def _char(literal: Literal) -> str | None:
    """Write it as what ignores padding; our values have none, so one that ends in a blank equals nothing of ours."""
    text = _text(literal)
    return f"{text}::bpchar" if text is not None and isinstance(literal, str) and not literal.endswith(" ") else None


def _uuid(literal: Literal) -> str | None:
    return f"'{literal}'::uuid" if isinstance(literal, str) and _is_uuid(literal) else None


def _bytes(literal: Literal) -> str | None:
    return f"'\\x{literal.hex()}'::bytea" if isinstance(literal, bytes) else None


def _date(literal: Literal) -> str | None:
    return f"'{literal}'::date" if isinstance(literal, date) and not isinstance(literal, datetime) else None


def _time(literal: Literal) -> str | None:
    return f"'{literal}'::time" if isinstance(literal, time) and literal.tzinfo is None else None


def _local(literal: Literal) -> str | None:
    return f"'{literal}'::timestamp" if isinstance(literal, datetime) and literal.tzinfo is None else None


def _instant(literal: Literal) -> str | None:
    return f"'{literal}'::timestamptz" if isinstance(literal, datetime) and literal.tzinfo is not None else None


_WRITERS: Mapping[Family, Callable[[Literal], str | None]] = {
    Family.INTEGER: _exact,
    Family.DECIMAL: _exact,
    Family.FLOAT: _float,
    Family.TEXT: _text,
    Family.LABEL: _text,
    Family.CHAR: _char,
    Family.UUID: _uuid,
    Family.BYTES: _bytes,
    Family.DATE: _date,
    Family.TIME: _time,
    Family.LOCAL: _local,
    Family.INSTANT: _instant,
}


def _quoted(text: str) -> str | None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return None
    return sql.Literal(text).as_string(None).strip() if "\0" not in text else None


def _is_uuid(text: str) -> bool:
    """Say whether a text is spelled as the server prints a uuid: any other spelling equals no value of ours."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
