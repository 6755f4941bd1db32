"""Columns of Parquet files as Trino reads them, and what makes the dataset's type of that."""

from __future__ import annotations

import re
from typing import Final

from hms_registry.domain.columns import Column
from hms_registry.ports.trino import NotFederated, StoredColumn

_TIMESTAMP: Final = re.compile(r"timestamp\(\d+\)")
_DECIMAL: Final = re.compile(r"\(Decimal\(precision=(\d+), scale=(\d+)\)\)")
_INTEGER: Final = re.compile(r"INT(?:32|64) \(Int\(bitWidth=(\d+), isSigned=(true|false)\)\)")
_PLAIN: Final = {
    "BOOLEAN": "boolean",
    "INT32": "integer",
    "INT64": "bigint",
    "FLOAT": "real",
    "DOUBLE": "double",
    "INT96": "timestamp(9)",
    "BYTE_ARRAY": "varbinary",
    "FIXED_LEN_BYTE_ARRAY": "varbinary",
    "INT32 (Date)": "date",
    "BYTE_ARRAY (String)": "varchar",
    "BYTE_ARRAY (JSON)": "varchar",
    "BYTE_ARRAY (Enum)": "varchar",
}
_SIGNED: Final = {"8": "tinyint", "16": "smallint", "32": "integer", "64": "bigint"}
_WIDTH: Final = {"tinyint": 1, "smallint": 2, "integer": 3, "bigint": 4}


def parquet_column(column: Column) -> StoredColumn | NotFederated:
    """Return how Trino reads a column of Parquet files; moments always with nine digits, and in UTC."""
    name, wanted, native = column.name.lower(), column.trino_type, column.native_type
    unsigned = _unsigned(name, wanted, native)
    if unsigned is not None:
        return unsigned
    if "uint" in native or "time64" in native or "time32" in native or "Time(" in native or "tz=" in native:
        return NotFederated(
            reason=f"Trino's Hive connector reads the type of its column {name!r} otherwise, or not at all",
            hint="ask for it here, with hms-dta query",
        )
    stored = _stored(native, wanted)
    if stored.startswith("timestamp"):
        return StoredColumn(name=name, stored="timestamp(9)", read=_moment(wanted))
    is_wider = stored in _WIDTH and wanted in _WIDTH and _WIDTH[stored] <= _WIDTH[wanted]
    if stored == wanted or is_wider:
        return StoredColumn(name=name, stored=wanted)
    return StoredColumn(name=name, stored=stored, read=f"CAST({{}} AS {wanted})")


def _stored(native: str, wanted: str) -> str:
    """Return the type that Trino reads the file's as."""
    if native in _PLAIN:
        return _PLAIN[native]
    if (signed := _INTEGER.fullmatch(native)) is not None:
        return _SIGNED[signed[1]]
    if (decimal := _DECIMAL.search(native)) is not None:
        return f"decimal({decimal[1]},{decimal[2]})"
    if "(Timestamp(" in native:
        return "timestamp(9)"
    # Of what is nested, the file's type is told in Arrow's words, and is the dataset's.
    return _TIMESTAMP.sub("timestamp(9)", wanted)


def _moment(wanted: str) -> str:
    if wanted.endswith("with time zone"):
        return f"CAST(with_timezone({{}}, 'UTC') AS {wanted})"
    return "{}" if wanted == "timestamp(9)" else f"CAST({{}} AS {wanted})"


def _unsigned(name: str, wanted: str, native: str) -> StoredColumn | None:
    """Read a whole number without sign: Trino takes its highest bit for one."""
    found = _INTEGER.fullmatch(native)
    if found is None or found[2] == "true":
        return None
    if found[1] in ("8", "16"):
        stored, read = ("smallint" if found[1] == "8" else "integer"), "{}"
    elif found[1] == "32":
        stored, read = "bigint", "bitwise_and({}, BIGINT '4294967295')"
    else:
        stored, read = "bigint", "IF({} < 0, {} + DECIMAL '18446744073709551616', {})"
    natural = {"8": "smallint", "16": "integer", "32": "bigint"}.get(found[1])
    return StoredColumn(name=name, stored=stored, read=read if wanted == natural else f"CAST({read} AS {wanted})")
