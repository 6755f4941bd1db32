"""Names for Arrow's generic classes, which say more to a type checker than to a reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa

if TYPE_CHECKING:
    Values: TypeAlias = pa.Array[pa.Scalar[pa.DataType]]
    Cell: TypeAlias = pa.Scalar[pa.DataType]
    ColumnField: TypeAlias = pa.Field[pa.DataType]
else:
    Values, Cell, ColumnField = pa.Array, pa.Scalar, pa.Field


def blank_batch(rows: int) -> pa.RecordBatch:
    """Return a batch of so many rows and no columns."""
    blank = pa.array([{}] * rows, pa.struct([]))
    return pa.RecordBatch.from_struct_array(blank)  # type: ignore[arg-type] # the stubs do not know its class
