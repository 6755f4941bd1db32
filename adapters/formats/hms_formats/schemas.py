"""Arrow schemas: the one type a scan yields for each Trino type, and how the files of a folder make one schema."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import pyarrow as pa

from hms_formats.arrays import ColumnField
from hms_formats.inspection import Inspected

_PLAIN = tuple(
    (check, plain)
    for checks, plain in (
        ((pa.types.is_uint8,), pa.int16()),
        ((pa.types.is_uint16,), pa.int32()),
        ((pa.types.is_uint32,), pa.int64()),
        ((pa.types.is_uint64,), pa.decimal128(20, 0)),
        ((pa.types.is_float16,), pa.float32()),
        ((pa.types.is_date64,), pa.date32()),
        ((pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary), pa.binary()),
    )
    for check in checks
)


@lru_cache(maxsize=1024)
def plain_type(arrow: pa.DataType) -> pa.DataType:
    """Return the type a scan yields for a file's type: the one that its Trino type stands for.

    Times are in microseconds, nanoseconds where the file has them; what Trino has no type for is text.
    """
    for check, plain in _PLAIN:
        if check(arrow):
            return plain
    if isinstance(arrow, pa.DictionaryType):
        return plain_type(arrow.value_type)
    if isinstance(arrow, pa.TimestampType):
        return pa.timestamp("ns" if arrow.unit == "ns" else "us", tz="UTC" if arrow.tz else None)
    if isinstance(arrow, pa.Time32Type | pa.Time64Type):
        return pa.time64("ns" if arrow.unit == "ns" else "us")
    if isinstance(arrow, pa.Decimal128Type):
        return arrow if 0 <= arrow.scale <= arrow.precision else pa.string()
    return _nested(arrow)


def _nested(arrow: pa.DataType) -> pa.DataType:
    if isinstance(arrow, pa.ListType | pa.LargeListType | pa.FixedSizeListType):
        return pa.list_(plain_type(arrow.value_type))
    if isinstance(arrow, pa.MapType):
        return pa.map_(plain_type(arrow.key_type), plain_type(arrow.item_type))
    if isinstance(arrow, pa.StructType):
        return pa.struct([pa.field(field.name, plain_type(field.type)) for field in arrow])
    kept = pa.types.is_boolean(arrow) or pa.types.is_integer(arrow) or pa.types.is_floating(arrow)
    return arrow if kept or pa.types.is_date32(arrow) or pa.types.is_binary(arrow) else pa.string()


def merge(files: Sequence[Inspected]) -> tuple[Inspected, tuple[int, ...]]:
    """Make one schema of the files of a folder.

    The columns that most files have are the base. A file belongs to it if one has all columns of the other (a
    column came or went; it reads as NULL where it is not) and its types widen to a common one. The others are
    left out.

    Returns:
        the schema, and the places of the files that are left out.
    """
    names = [tuple(file.schema.names) for file in files]
    base = max(Counter(names).items(), key=lambda item: (item[1], -names.index(item[0])))[0]
    start = names.index(base)
    merged, out = files[start], []
    for at, file in enumerate(files):
        if at == start:
            continue
        joined = _join(merged, file, is_base=names[at] == base)
        if joined is None:
            out.append(at)
        else:
            merged = joined
    return merged, tuple(out)


def _join(one: Inspected, other: Inspected, *, is_base: bool) -> Inspected | None:
    if not is_base:
        ours, theirs = set(one.schema.names), set(other.schema.names)
        if not (ours <= theirs or theirs <= ours):
            return None
    fields: list[ColumnField] = []
    native: list[str] = []
    for field, spelled in zip(one.schema, one.native, strict=True):
        at = other.schema.get_field_index(field.name)
        wider = field.type if at < 0 else widen(field.type, other.schema.field(at).type, one.is_guessed)
        if wider is None:
            return None
        is_nullable = field.nullable or at < 0 or other.schema.field(at).nullable
        fields.append(pa.field(field.name, wider, is_nullable))
        native.append(spelled)
    for field, spelled in zip(other.schema, other.native, strict=True):
        if field.name not in one.schema.names:
            fields.append(field.with_nullable(True))
            native.append(spelled)
    known = one.row_count is not None and other.row_count is not None
    return Inspected(
        schema=pa.schema(fields),
        native=tuple(native),
        is_guessed=one.is_guessed or other.is_guessed,
        row_count=(one.row_count or 0) + (other.row_count or 0) if known else None,
        findings=(*one.findings, *other.findings),
    )


def widen(one: pa.DataType, other: pa.DataType, is_text: bool) -> pa.DataType | None:  # noqa: PLR0911 # a case a type
    """Return the type that holds every value of both without loss, None if there is none.

    Args:
        is_text: the cells are text anyway, so that text holds every two types.
    """
    if one.equals(other):
        return one
    if pa.types.is_null(one) or pa.types.is_null(other):
        return other if pa.types.is_null(one) else one
    integers = sorted((each for each in (one, other) if pa.types.is_integer(each)), key=lambda each: each.bit_width)
    floats = sorted((each for each in (one, other) if pa.types.is_floating(each)), key=lambda each: each.bit_width)
    if len(integers) == 2:
        return integers[1]
    if len(floats) == 2:
        return floats[1]
    if integers and floats and (is_text or integers[0].bit_width <= 32):
        return pa.float64()
    if isinstance(one, pa.Decimal128Type) and isinstance(other, pa.Decimal128Type):
        scale = max(one.scale, other.scale)
        precision = max(one.precision - one.scale, other.precision - other.scale) + scale
        return pa.decimal128(precision, scale) if precision <= 38 else None
    if isinstance(one, pa.TimestampType) and isinstance(other, pa.TimestampType) and one.tz == other.tz:
        return one if one.unit == "ns" else other
    return pa.string() if is_text else None
