"""Partition folders: `key=value` in a folder's name is a column, as Hive writes it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote

import pyarrow as pa

from hms_formats.cells import CellRules, guess
from hms_registry.ports.trino import StoredColumn

HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")


def is_partition(folder: str) -> bool:
    """True for a folder's name like `year=2024`."""
    return folder.find("=") > 0


def partition_values(path: str, *, below: str) -> tuple[tuple[str, str | None], ...]:
    """Return keys and values, decoded, of the folders between *below* and the file at *path*; None = NULL."""
    folders = path[len(below) :].strip("/").split("/")[:-1]
    pairs = (folder.partition("=") for folder in folders if is_partition(folder))
    return tuple((unquote(key), None if value == HIVE_NULL else unquote(value)) for key, _, value in pairs)


def partition_type(values: Sequence[str | None]) -> pa.DataType:
    """Return the type all values have: whole numbers, ISO dates, else text."""
    known = sorted({value for value in values if value is not None})
    if known and all(map(_INTEGER.fullmatch, known)):
        return pa.int64()
    found = guess(known, CellRules(missing=frozenset(), is_grouped=False))
    return found if pa.types.is_date32(found) else pa.string()


def partition_key(name: str, trino_type: str) -> StoredColumn:
    """Return a column that the names of folders tell: they are whole numbers, dates and texts."""
    lower = name.lower()
    if trino_type in ("bigint", "date", "varchar"):
        return StoredColumn(name=lower, stored=trino_type)
    return StoredColumn(name=lower, stored="varchar", read=f"CAST({{}} AS {trino_type})")
