"""From BSON to Arrow: a value is exactly what its column is registered as, or the scan fails.

Text holds every value: a string is itself, and what is none is written as `text` says. All else is strict: Arrow
by itself would cut 5.5 to 5 in an integer column.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import accumulate
from types import NoneType
from uuid import UUID

import pyarrow as pa
from bson import Binary, Code, DBRef, Decimal128, Int64, ObjectId, json_util
from bson.binary import UUID_SUBTYPE
from bson.datetime_ms import DatetimeMS

from hms_formats.arrays import Values

_DAY_MS = 86_400_000
_EPOCH = date(1970, 1, 1).toordinal()
_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_300_799_999
_EXACT_FLOAT = 2**53
_UNITS_A_SECOND = {"s": 1, "ms": 1000, "us": 1_000_000, "ns": 1_000_000_000}


class Unfit(ValueError):
    """A value that its type cannot hold."""


def text(value: object) -> str | None:  # noqa: PLR0911 # a case a type
    """Write any value as text: numbers, uuids and ObjectIds as they are printed, the rest as relaxed extended JSON.

    https://www.mongodb.com/docs/manual/reference/mongodb-extended-json/
    """
    match value:
        case None:
            return None
        case str() if not isinstance(value, Code):
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(int(value))
        case float():
            return json.dumps(value)
        case ObjectId() | Decimal128():
            return str(value)
        case Binary() if value.subtype == UUID_SUBTYPE and len(value) == 16:
            return str(UUID(bytes=bytes(value)))
    return json_util.dumps(
        value, json_options=json_util.RELAXED_JSON_OPTIONS, ensure_ascii=False, separators=(",", ":")
    )


def to_array(values: Sequence[object], kind: pa.DataType) -> Values:
    """Return values as an array of exactly *kind*.

    Raises:
        Unfit: one of them is none of it.
    """
    try:
        if isinstance(kind, pa.StructType):
            return _structs(values, kind)
        if isinstance(kind, pa.ListType):
            return _lists(values, kind)
        kinds = set(map(type, values))
        if kinds <= _AS_THEY_ARE.get(kind, frozenset()):
            return pa.array(values, kind)
        convert = _converter(kind)
        return pa.array([None if value is None else convert(value) for value in values], kind)
    except (pa.ArrowException, ValueError, OverflowError, TypeError, ArithmeticError) as error:
        raise Unfit from error


_AS_THEY_ARE: Mapping[pa.DataType, frozenset[type]] = {
    pa.string(): frozenset({str, NoneType}),
    pa.int64(): frozenset({int, Int64, NoneType}),
    pa.float64(): frozenset({float, NoneType}),
    pa.bool_(): frozenset({bool, NoneType}),
    pa.binary(): frozenset({bytes, NoneType}),
}


def _converter(kind: pa.DataType) -> Callable[[object], object]:
    if isinstance(kind, pa.TimestampType):
        return _moment(_UNITS_A_SECOND[kind.unit])
    if pa.types.is_integer(kind):
        return _whole
    if pa.types.is_decimal128(kind):
        return _decimal
    simple: Mapping[pa.DataType, Callable[[object], object]] = {
        pa.string(): text, pa.float64(): _float, pa.float32(): _float, pa.bool_(): _flag, pa.binary(): _bytes,
        pa.date32(): _day,
    }  # fmt: skip
    return simple.get(kind, _nothing)


def _nothing(_value: object) -> object:
    raise Unfit


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise Unfit


def _decimal(value: object) -> Decimal:
    if isinstance(value, Decimal128):
        return value.to_decimal()
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(int(value))
    raise Unfit


def _whole(value: object) -> int:
    exact = Decimal(value) if isinstance(value, float) else _decimal(value)
    if exact != exact.to_integral_value():
        raise Unfit
    return int(exact)


def _float(value: object) -> float:
    if isinstance(value, float):
        return value
    exact = _decimal(value)
    if isinstance(value, int) and abs(value) > _EXACT_FLOAT:
        raise Unfit
    if exact.is_finite() and Decimal(float(exact)) != exact:
        raise Unfit
    return float(exact)


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes):  # and so every Binary
        return bytes(value)
    raise Unfit


def _day(value: object) -> date:
    if isinstance(value, str) and len(value) == 10:
        return date.fromisoformat(value)
    if isinstance(value, DatetimeMS) and int(value) % _DAY_MS == 0 and _FIRST_MS <= int(value) <= _LAST_MS:
        return date.fromordinal(_EPOCH + int(value) // _DAY_MS)
    raise Unfit


def _moment(units_a_second: int) -> Callable[[object], int]:
    def convert(value: object) -> int:
        if not isinstance(value, DatetimeMS) or not _FIRST_MS <= int(value) <= _LAST_MS:
            raise Unfit  # SQL's years end at 9999
        scaled, rest = divmod(int(value) * units_a_second, 1000)
        if rest:
            raise Unfit
        return scaled

    return convert


def _document(value: object) -> Mapping[str, object] | None:
    if value is None or isinstance(value, dict):
        return value
    if isinstance(value, DBRef):
        return dict(value.as_doc())
    raise Unfit


def _structs(values: Sequence[object], kind: pa.StructType) -> Values:
    documents = [_document(value) for value in values]
    children = [
        to_array([None if each is None else each.get(field.name) for each in documents], field.type) for field in kind
    ]
    if not children:
        return pa.array([None if each is None else {} for each in documents], kind)
    mask = pa.array([each is None for each in documents], pa.bool_())
    return pa.StructArray.from_arrays(children, fields=list(kind), mask=mask)


def _lists(values: Sequence[object], kind: pa.ListType[pa.DataType]) -> Values:
    if not all(value is None or isinstance(value, list) for value in values):
        raise Unfit
    arrays = [value if isinstance(value, list) else None for value in values]
    items = to_array([item for each in arrays if each for item in each], kind.value_type)
    offsets = _offsets([None if each is None else len(each) for each in arrays])
    return pa.ListArray.from_arrays(offsets, items, type=kind)


def _offsets(lengths: Sequence[int | None]) -> pa.Int32Array:
    """Return where each array starts; null where there is none."""
    starts = [0, *accumulate(length or 0 for length in lengths)]
    held = [None if length is None else at for at, length in zip(starts, [*lengths, 0], strict=True)]
    return pa.array(held, pa.int32())
