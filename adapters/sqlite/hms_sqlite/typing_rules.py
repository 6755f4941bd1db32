"""From SQLite's declared types to Trino's: affinity where SQLite keeps to it, a bounded sample where it does not.

SQLite stores what it is given: a declared DATE is text or a number, a column may have no type at all. Those are
guessed from a sample. Affinity: https://www.sqlite.org/datatype3.html#determination_of_column_affinity
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hms_registry.domain.names import always_quoted
from hms_sqlite.schema import ColumnInfo, TableInfo
from hms_sqlite.session import Snapshot

SAMPLE_ROWS = 500
_DATE = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
_STAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?")
_EXACT = re.compile(r"\b(NUMERIC|DECIMAL|NUMBER|MONEY)\b", re.IGNORECASE)


class Affinity(StrEnum):
    """How SQLite converts what is stored in a column."""

    INTEGER = "integer"
    TEXT = "text"
    BLOB = "blob"
    REAL = "real"
    NUMERIC = "numeric"


@dataclass(frozen=True, slots=True)
class Typed:
    """The type of a column; *is_guessed* from a sample."""

    trino: str
    arrow: str
    is_guessed: bool = False


BIGINT = Typed("bigint", "int64")
DOUBLE = Typed("double", "double")
VARCHAR = Typed("varchar", "string")
VARBINARY = Typed("varbinary", "binary")
BOOLEAN = Typed("boolean", "bool")
DATE = Typed("date", "date32[day]")
LOCAL_TIME = Typed("timestamp(6)", "timestamp[us]")
INSTANT = Typed("timestamp(6) with time zone", "timestamp[us, tz=UTC]")


def affinity(declared: str) -> Affinity:
    """Apply SQLite's five rules, in their order."""
    upper = declared.upper()
    if "INT" in upper:
        return Affinity.INTEGER
    if any(word in upper for word in ("CHAR", "CLOB", "TEXT")):
        return Affinity.TEXT
    if not upper or "BLOB" in upper:
        return Affinity.BLOB
    if any(word in upper for word in ("REAL", "FLOA", "DOUB")):  # codespell:ignore
        return Affinity.REAL
    return Affinity.NUMERIC


def declared_type(declared: str) -> Typed | None:
    """Return the type that a declaration promises; None if only the values can tell."""
    found = affinity(declared)
    if found is Affinity.NUMERIC:
        return DOUBLE if _EXACT.search(declared) else None
    if found is Affinity.BLOB:
        return VARBINARY if declared else None
    return {Affinity.INTEGER: BIGINT, Affinity.TEXT: VARCHAR, Affinity.REAL: DOUBLE}[found]


def typed_columns(snapshot: Snapshot, table: TableInfo) -> tuple[Typed, ...]:
    """Type the columns of a table; one bounded query for all that have to be sampled."""
    columns = table.columns or ()
    fixed = {column.name: declared_type(column.declared) for column in columns}
    unknown = [column for column in columns if fixed[column.name] is None]
    sampled = _sampled(snapshot, table, unknown) if unknown else {}
    return tuple(fixed[column.name] or sampled[column.name] for column in columns)


def _sampled(snapshot: Snapshot, table: TableInfo, columns: Sequence[ColumnInfo]) -> Mapping[str, Typed]:
    names = ", ".join(always_quoted(column.name) for column in columns)
    sql = f"SELECT {names} FROM {always_quoted(table.name)} LIMIT {SAMPLE_ROWS}"  # noqa: S608 # quoted names
    try:
        with snapshot.sampling():
            rows = snapshot.connection.execute(sql).fetchall()
    except sqlite3.OperationalError:
        rows = []  # not UTF-8, or a view that fails or works too long: nothing is known
    values = zip(*rows, strict=True) if rows else ((),) * len(columns)
    return {
        column.name: guess(column.declared, [value for value in cells if value is not None])
        for column, cells in zip(columns, values, strict=True)
    }


def guess(declared: str, values: Sequence[object]) -> Typed:
    """Guess the type of a column by what is stored; text where the values have none in common."""
    upper = declared.upper()
    found: Typed | None = None
    texts = [value for value in values if isinstance(value, str)]
    if values and len(texts) == len(values):
        found = _of_texts(texts, may_be_time=any(word in upper for word in ("DATE", "TIME")))
    elif values and all(isinstance(value, bytes) for value in values):
        found = VARBINARY
    elif values and all(isinstance(value, int) for value in values):
        found = BOOLEAN if "BOOL" in upper and set(values) <= {0, 1} else BIGINT
    elif values and all(isinstance(value, int | float) for value in values):
        found = DOUBLE
    kept = found or VARCHAR
    return Typed(kept.trino, kept.arrow, is_guessed=True)


def _of_texts(texts: Sequence[str], *, may_be_time: bool) -> Typed:
    if may_be_time and all(map(_DATE.fullmatch, texts)):
        return DATE
    if may_be_time and all(map(_STAMP.fullmatch, texts)):
        has_zone = {text[-1] == "Z" or text[-6] in "+-" for text in texts}
        if len(has_zone) == 1:
            return INSTANT if has_zone.pop() else LOCAL_TIME
    return VARCHAR


def is_never_null(table: TableInfo, column: ColumnInfo) -> bool:
    """True where SQLite enforces it: also for rowid aliases, and keys of STRICT and WITHOUT ROWID tables."""
    if table.kind != "table":
        return False
    if column.not_null:
        return True
    is_rowid = bool(column.key) and len(table.primary_key) == 1 and column.declared.upper() == "INTEGER"
    return bool(column.key) and (table.without_rowid or table.is_strict or is_rowid)
