"""Fitting what the server sent to the registered schema: exactly, or not at all."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from hms_registry.domain.names import quote_identifier
from hms_registry.errors import ScanFailed

_DAY_US = 86_400_000_000
# PostgreSQL's calendar starts in 4714 BC. ADBC adds its epoch to the marks of infinity, which wraps them around
# to long before that; a year after 294246 wraps as well.
_FIRST_DAY = -2_500_000


def fit(batch: pa.RecordBatch, schema: pa.Schema, *, what: str) -> pa.RecordBatch:
    """Return the batch in exactly *schema*.

    Raises:
        ScanFailed: a value is none of its registered type: NaN in a decimal, an infinite date.
    """
    columns = []
    for column, field in zip(batch.columns, schema, strict=True):
        try:
            if _is_out_of_range(column):
                raise _unfit(what, field)
            storage = column.storage if isinstance(column, pa.ExtensionArray) else column
            columns.append(storage if storage.type == field.type else storage.cast(field.type))
        except pa.ArrowException as error:
            raise _unfit(what, field) from error
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _unfit(what: str, field: pa.Field[pa.DataType]) -> ScanFailed:
    return ScanFailed(
        f"{what}: a value of column {quote_identifier(field.name)} is no {field.type}: NaN, infinite or out of range",
        hint="leave such rows out in a view of the source, or crawl again if the column's type changed",
    )


def _is_out_of_range(column: pa.Array[pa.Scalar[pa.DataType]]) -> bool:
    if pa.types.is_list(column.type):
        assert isinstance(column, pa.ListArray)
        return _is_out_of_range(column.flatten())
    if pa.types.is_date32(column.type):
        return _any(pc.less(column.cast(pa.int32()), pa.scalar(_FIRST_DAY, pa.int32())))
    if pa.types.is_timestamp(column.type):
        return _any(pc.less(column.cast(pa.int64()), pa.scalar(_FIRST_DAY * _DAY_US, pa.int64())))
    if pa.types.is_time64(column.type):
        return _any(
            pc.greater_equal(column.cast(pa.int64()), pa.scalar(_DAY_US, pa.int64()))
        )  # 24:00:00 is a time only here
    return False


def _any(mask: pa.BooleanArray) -> bool:
    return bool(pc.any(mask).as_py())
