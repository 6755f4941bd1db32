"""Arrow types as Trino types: the one table that adapters and formats share."""

from __future__ import annotations

import pyarrow as pa

from hms_registry.domain.names import quote_identifier

_SIMPLE: tuple[tuple[pa.DataType, str], ...] = (
    (pa.bool_(), "boolean"),
    (pa.int8(), "tinyint"),
    (pa.int16(), "smallint"),
    (pa.int32(), "integer"),
    (pa.int64(), "bigint"),
    (pa.uint8(), "smallint"),
    (pa.uint16(), "integer"),
    (pa.uint32(), "bigint"),
    (pa.uint64(), "decimal(20,0)"),
    (pa.float16(), "real"),
    (pa.float32(), "real"),
    (pa.float64(), "double"),
    (pa.string(), "varchar"),
    (pa.large_string(), "varchar"),
    (pa.string_view(), "varchar"),
    (pa.binary(), "varbinary"),
    (pa.large_binary(), "varbinary"),
    (pa.binary_view(), "varbinary"),
    (pa.date32(), "date"),
    (pa.date64(), "date"),
    (pa.null(), "varchar"),
)
_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}


def trino_type(arrow: pa.DataType) -> str:
    """Return the canonical Trino type that holds every value of an Arrow type.

    Follows Trino's own mapping for Parquet (https://trino.io/docs/476/connector/hive.html); unsigned integers
    take the next wider type. What Trino has no type for is `varchar`.
    """
    for simple, name in _SIMPLE:
        if arrow.equals(simple):
            return name
    return _parametric(arrow) or _nested(arrow)


def _parametric(arrow: pa.DataType) -> str | None:
    if isinstance(arrow, pa.TimestampType):
        zone = " with time zone" if arrow.tz else ""
        return f"timestamp({_DIGITS[arrow.unit]}){zone}"
    if isinstance(arrow, pa.Time32Type | pa.Time64Type):
        return f"time({_DIGITS[arrow.unit]})"
    if isinstance(arrow, pa.Decimal128Type) and 0 <= arrow.scale <= arrow.precision:
        return f"decimal({arrow.precision},{arrow.scale})"
    if isinstance(arrow, pa.DictionaryType):
        return trino_type(arrow.value_type)
    return "varbinary" if isinstance(arrow, pa.FixedSizeBinaryType) else None


def _nested(arrow: pa.DataType) -> str:
    if isinstance(arrow, pa.ListType | pa.LargeListType | pa.FixedSizeListType):
        return f"array({trino_type(arrow.value_type)})"
    if isinstance(arrow, pa.MapType):
        return f"map({trino_type(arrow.key_type)}, {trino_type(arrow.item_type)})"
    if isinstance(arrow, pa.StructType):
        fields = ", ".join(f"{quote_identifier(field.name)} {trino_type(field.type)}" for field in arrow)
        return f"row({fields})"
    return "varchar"
