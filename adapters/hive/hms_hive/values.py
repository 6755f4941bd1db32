"""What HiveServer2 answers, as Arrow: text is parsed exactly, and what does not fit is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from hms_formats.arrays import Values


class Unfit(Exception):
    """A value is not of its column's type; never leaves this package."""


def to_array(values: Sequence[object], wanted: pa.DataType) -> Values:
    """Make an array of exactly that type.

    Raises:
        Unfit: a value is not of it.
    """
    try:
        if pa.types.is_nested(wanted):
            return pa.array([_nested(each, wanted) for each in values], wanted)
        if pa.types.is_binary(wanted):
            return pa.array([None if each is None else bytes.fromhex(str(each)) for each in values], wanted)
        if pa.types.is_date(wanted) or pa.types.is_timestamp(wanted) or pa.types.is_decimal(wanted):
            return _parsed(values, wanted)
        if pa.types.is_string(wanted):
            return pa.array([None if each is None else str(each) for each in values], wanted)
        return pa.array(values, wanted)
    except (AssertionError, pa.ArrowException, ValueError, TypeError, KeyError, ArithmeticError, OverflowError) as exc:
        raise Unfit from exc


def _parsed(values: Sequence[object], wanted: pa.DataType) -> Values:
    texts = pa.array(values, pa.string())
    if pa.types.is_timestamp(wanted):
        # Hive keeps nine digits; zeros beyond the sixth say nothing.
        texts = pc.replace_substring_regex(texts, r"(\.\d{1,6})0*$", r"\1")
    return pc.cast(texts, wanted)


def _nested(value: object, wanted: pa.DataType) -> object:
    if value is None:
        return None
    return _shaped(json.loads(str(value), parse_float=Decimal), wanted)


def _shaped(value: object, wanted: pa.DataType) -> object:  # noqa: PLR0911 # a case a type
    if value is None:
        return None
    if isinstance(wanted, pa.ListType):
        assert isinstance(value, list)
        return [_shaped(each, wanted.value_type) for each in value]
    if isinstance(wanted, pa.MapType):
        assert isinstance(value, dict)
        return [(key, _shaped(each, wanted.item_type)) for key, each in value.items()]
    if isinstance(wanted, pa.StructType):
        assert isinstance(value, dict)
        return {field.name: _shaped(value[field.name], field.type) for field in wanted}
    if pa.types.is_date(wanted):
        return date.fromisoformat(str(value))
    if pa.types.is_decimal(wanted):
        return Decimal(str(value))
    if pa.types.is_floating(wanted):
        return float(str(value))
    return value
