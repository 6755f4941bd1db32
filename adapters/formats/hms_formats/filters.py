"""Predicates over Arrow batches, with SQL's meaning of NULL and IEEE's of NaN, which are Trino's.

A conjunct is applied exactly or not at all. Order on text is never applied: collations differ between engines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from hms_formats.arrays import Cell
from hms_registry.domain.predicates import Conjunct, Literal, Operator

_COMPARE: dict[Operator, Callable[[pc.Expression, pc.Expression], pc.Expression]] = {
    Operator.EQ: pc.equal,
    Operator.NE: pc.not_equal,
    Operator.LT: lambda one, other: one < other,
    Operator.LE: lambda one, other: one <= other,
    Operator.GT: lambda one, other: one > other,
    Operator.GE: lambda one, other: one >= other,
}
_UNORDERED = frozenset({Operator.EQ, Operator.NE, Operator.IN})


def split(predicate: Sequence[Conjunct], schema: pa.Schema) -> tuple[tuple[Conjunct, ...], tuple[Conjunct, ...]]:
    """Part a predicate into what `matching` applies exactly to batches of *schema*, and the rest."""
    exact = tuple(conjunct for conjunct in predicate if _expression(conjunct, schema) is not None)
    return exact, tuple(conjunct for conjunct in predicate if conjunct not in exact)


def matching(batch: pa.RecordBatch, exact: Sequence[Conjunct]) -> pa.RecordBatch:
    """Keep the rows for which every one of *exact* (as `split` gave them) is true."""
    if not exact or not batch.num_rows:
        return batch
    every = [_expression(conjunct, batch.schema) for conjunct in exact]
    return batch.filter(reduce(lambda one, other: one & other, (each for each in every if each is not None)))


def expression(predicate: Sequence[Conjunct], physical: pa.Schema) -> pc.Expression | None:
    """Return what may be asked of a Parquet file: never false for a row that the predicate wants.

    `<>` on floating columns is left out: a row group of one value and NaN has statistics that exclude it wrongly.
    """
    asked = []
    for conjunct in predicate:
        at = physical.get_field_index(conjunct.column.name)
        if at < 0 or (conjunct.operator is Operator.NE and pa.types.is_floating(physical.field(at).type)):
            continue
        each = _expression(conjunct, physical)
        if each is not None:
            asked.append(each)
    return reduce(lambda one, other: one & other, asked) if asked else None


def _expression(conjunct: Conjunct, schema: pa.Schema) -> pc.Expression | None:  # noqa: PLR0911 # a case each
    at = schema.get_field_index(conjunct.column.name)
    if at < 0 or len(conjunct.column.segments) > 1:
        return None
    field, kind = pc.field(conjunct.column.name), schema.field(at).type
    if conjunct.operator is Operator.IS_NULL:
        return field.is_null()
    if conjunct.operator is Operator.IS_NOT_NULL:
        return ~field.is_null()
    if conjunct.operator not in _UNORDERED and not _is_ordered(kind):
        return None
    scalars = [scalar for value in conjunct.values if (scalar := _scalar(value, kind)) is not None]
    if len(scalars) < len(conjunct.values) or not scalars:
        return None
    if conjunct.operator is not Operator.IN:
        return _COMPARE[conjunct.operator](field, _literal(scalars[0]))
    if pa.types.is_floating(kind):  # isin tells 0.0 from -0.0
        return reduce(
            lambda one, other: one | other, (_COMPARE[Operator.EQ](field, _literal(each)) for each in scalars)
        )
    return field.isin(pa.array([each.as_py() for each in scalars], kind))


def _literal(scalar: Cell) -> pc.Expression:
    return pc.scalar(scalar)  # type: ignore[arg-type] # the stubs know Python values only


def _is_ordered(kind: pa.DataType) -> bool:
    is_number = pa.types.is_integer(kind) or pa.types.is_float64(kind) or pa.types.is_decimal128(kind)
    return is_number or pa.types.is_date32(kind) or pa.types.is_timestamp(kind)


def _scalar(value: Literal, kind: pa.DataType) -> Cell | None:
    """Return the literal as a value of the column's own type, None if that would change what is compared."""
    if not _is_of(value, kind):
        return None
    try:
        return pa.scalar(float(value) if pa.types.is_float64(kind) else value, kind)  # type: ignore[arg-type] # checked
    except (pa.ArrowException, OverflowError, ValueError):
        return None


def _is_of(value: Literal, kind: pa.DataType) -> bool:  # noqa: PLR0911 # a case a type
    if isinstance(value, bool) or pa.types.is_boolean(kind):
        return isinstance(value, bool) and pa.types.is_boolean(kind)
    if pa.types.is_integer(kind):
        return isinstance(value, int)
    if pa.types.is_float64(kind):
        return isinstance(value, int | float | Decimal) and value == value  # noqa: PLR0124 # NaN is not itself
    if pa.types.is_decimal128(kind):
        return isinstance(value, int | Decimal)
    if isinstance(kind, pa.TimestampType):
        is_instant = isinstance(value, datetime) and value.tzinfo is not None
        return isinstance(value, datetime) and is_instant == (kind.tz is not None)
    if pa.types.is_date32(kind):
        return isinstance(value, date) and not isinstance(value, datetime)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return isinstance(value, str)
    return pa.types.is_binary(kind) and isinstance(value, bytes)
