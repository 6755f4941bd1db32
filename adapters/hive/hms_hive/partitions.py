"""Partitions of a table for a scan: pruned by name, all at once, before any of them is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote

import pyarrow as pa

from hms_formats.cells import CellDoesNotFit, CellRules, convert
from hms_formats.delimited import misfit
from hms_formats.filters import matching
from hms_formats.partitions import HIVE_NULL
from hms_hive.tables import HiveTable
from hms_registry.domain.predicates import Conjunct

_AT = "\0at"
_RULES = CellRules(missing=frozenset(), is_grouped=False)


def value_of(text: str) -> str | None:
    """Return a partition's value; None = NULL."""
    return None if text == HIVE_NULL else text


def kept(names: Sequence[str], table: HiveTable, exact: Sequence[Conjunct], schema: pa.Schema) -> list[str]:
    """Return the names of those partitions that may hold what is wanted.

    Raises:
        ScanFailed: a value is not of its key's type.
    """
    keys = [key.name for key in table.keys]
    asked = [each for each in exact if each.column.name in keys]
    if not asked or not names:
        return list(names)
    columns = {name: at for at, name in enumerate(keys) if schema.get_field_index(name) >= 0}
    values = [_values(name) for name in names]
    arrays, fields = [], []
    for name, at in columns.items():
        field = schema.field(name)
        try:
            arrays.append(convert(pa.array([each[at] for each in values], pa.string()), field.type, _RULES))
        except CellDoesNotFit as exc:
            raise misfit(f"{table.database}.{table.name}", name, field.type, exc.row + 1) from exc
        fields.append(field)
    batch = pa.RecordBatch.from_arrays(
        [*arrays, pa.array(range(len(names)), pa.int64())], schema=pa.schema([*fields, pa.field(_AT, pa.int64())])
    )
    return [names[int(str(at))] for at in matching(batch, asked).column(_AT).to_pylist()]


def _values(name: str) -> list[str | None]:
    return [value_of(unquote(part.partition("=")[2])) for part in name.split("/")]
