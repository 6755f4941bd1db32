"""What of a predicate the server is asked: never less than SQL wants, since all of it is applied again here.

MongoDB compares within one family of types, goes into arrays, and takes what is missing for null. So a filter that
is pushed keeps every document for which the conjunct can be true, by an index where there is one; what it keeps
too many is dropped once the values are what they are registered as (`hms_formats.filters`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pyarrow as pa
from bson import Binary, Decimal128, Int64, ObjectId
from bson.binary import UUID_SUBTYPE
from bson.datetime_ms import DatetimeMS
from bson.errors import BSONError

from hms_mongo.client import Document
from hms_mongo.values import text
from hms_registry.domain.predicates import Conjunct, Literal, Operator

_WORDS = {Operator.LT: "$lt", Operator.LE: "$lte", Operator.GT: "$gt", Operator.GE: "$gte"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_NULL: Document = {"$ne": None}


def is_plain(name: str) -> bool:
    """Say whether a query can name this field: a dot would be a path, a dollar an operator."""
    return bool(name) and "." not in name and not name.startswith("$")


def query_of(exact: Sequence[Conjunct], schema: pa.Schema) -> Document:
    """Return a filter that no document fails for which all of *exact* hold."""
    clauses = [clause for conjunct in exact if (clause := _clause(conjunct, schema)) is not None]
    if len(clauses) < 2:
        return clauses[0] if clauses else {}
    return {"$and": clauses}


def _clause(conjunct: Conjunct, schema: pa.Schema) -> Document | None:
    name = conjunct.column.name
    if not is_plain(name):
        return None
    asked = _asked(conjunct, schema.field(name).type)
    return None if asked is None else {name: asked}


def _asked(conjunct: Conjunct, kind: pa.DataType) -> Document | None:  # noqa: PLR0911 # a case a type
    operator = conjunct.operator
    if operator is Operator.IS_NULL:
        return None  # from MongoDB 8 on, null does not find the `undefined` of old documents
    if pa.types.is_string(kind):
        return _one_of_texts(conjunct.values) if operator in (Operator.EQ, Operator.IN) else None
    if isinstance(kind, pa.TimestampType):
        return _moments(operator, conjunct.values)
    if not (pa.types.is_int64(kind) or pa.types.is_float64(kind) or pa.types.is_boolean(kind)):
        return None
    if operator is Operator.IS_NOT_NULL:
        return _NOT_NULL
    values = [_number(value) for value in conjunct.values]
    if None in values:
        return None
    return _compared(operator, values)


def _compared(operator: Operator, values: Sequence[object]) -> Document:
    if operator in _WORDS:
        return {_WORDS[operator]: values[0]}
    return {"$nin": [values[0], None]} if operator is Operator.NE else {"$in": list(values)}


def _number(literal: Literal) -> object:
    """Return a number as the server compares it, exactly; None if it has none such."""
    if isinstance(literal, bool):
        return literal
    if isinstance(literal, Decimal) and literal.is_finite():
        literal = int(literal) if literal == literal.to_integral_value() else literal
        if isinstance(literal, Decimal):
            return float(literal) if Decimal(float(literal)) == literal else None
    if isinstance(literal, int):
        return Int64(literal) if -(2**63) <= literal < 2**63 else None
    return literal if isinstance(literal, float) and math.isfinite(literal) else None


def _moments(operator: Operator, literals: Sequence[Literal]) -> Document | None:
    """Return a comparison of moments, which the server keeps in whole milliseconds."""
    if operator is Operator.IS_NOT_NULL:
        return _NOT_NULL
    moments = []
    for literal in literals:
        if not isinstance(literal, datetime):
            return None
        whole, rest = divmod(literal.replace(tzinfo=literal.tzinfo or UTC) - _EPOCH, timedelta(milliseconds=1))
        if rest and operator not in _WORDS:
            return None
        # Ends of a range that lie within a millisecond: none of the server's values is between them.
        moments.append(DatetimeMS(whole + (1 if rest and operator in (Operator.LT, Operator.GE) else 0)))
    return _compared(operator, moments)


def _one_of_texts(literals: Sequence[Literal]) -> Document | None:
    values: list[object] = []
    for literal in literals:
        # Documents, arrays and all that extended JSON wraps begin so, and have too many spellings.
        if not isinstance(literal, str) or literal.startswith(("{", "[")):
            return None
        values += _written(literal)
    return {"$in": values}


def _written(literal: str) -> Iterator[object]:
    """Yield every value that `text` writes as *literal*, and perhaps others that the server finds equal to them."""
    yield literal
    if literal in ("true", "false"):
        yield literal == "true"
    if literal in ("NaN", "Infinity", "-Infinity"):
        yield float(literal)
    elif (number := _read(literal)) is not None:
        yield number
    if len(literal) == 24 and ObjectId.is_valid(literal):
        yield ObjectId(literal)
    if len(literal) == 36 and (uuid := _uuid(literal)) is not None:
        yield Binary(uuid.bytes, UUID_SUBTYPE)


def _read(literal: str) -> object:
    """Read a number that is written as *literal*. A decimal finds equal numbers of every type."""
    try:
        whole = int(literal) if len(literal) < 20 and literal.isascii() else None
    except ValueError:
        whole = None
    if whole is not None and -(2**63) <= whole < 2**63 and str(whole) == literal:
        return Int64(whole)
    try:
        number = float(literal)
    except ValueError:
        return None
    if text(number) == literal:
        return number
    try:
        decimal = Decimal128(literal)
    except (BSONError, ArithmeticError, ValueError):
        return None
    return decimal if str(decimal) == literal else None


def _uuid(literal: str) -> UUID | None:
    try:
        return UUID(literal)
    except ValueError:
        return None
