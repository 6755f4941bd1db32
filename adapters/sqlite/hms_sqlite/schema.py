"""The schema of a database in a handful of queries over all its tables."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final, Literal, NamedTuple

from hms_sqlite.definitions import definition_of

TABLES: Final = """
SELECT s.name, s.type, coalesce(s.sql, ''), l.type, l.wr, l.strict
FROM sqlite_schema AS s JOIN pragma_table_list AS l ON l.schema = 'main' AND l.name = s.name
WHERE s.type IN ('table', 'view') AND l.type <> 'shadow' AND lower(substr(s.name, 1, 7)) <> 'sqlite_'
ORDER BY s.name
"""
COLUMNS: Final = """
SELECT t.value, x.name, x.type, x."notnull", x.pk, x.hidden, coalesce(x.dflt_value, '')
FROM json_each(?) AS t, pragma_table_xinfo(t.value) AS x
WHERE x.hidden <> 1
"""
FOREIGN_KEYS: Final = """
SELECT t.value, f.id, f.seq, f."table", f."from", f."to"
FROM json_each(?) AS t, pragma_foreign_key_list(t.value) AS f
ORDER BY t.key, f.id, f.seq
"""
STATISTICS: Final = "SELECT tbl, max(CAST(stat AS INTEGER)) FROM sqlite_stat1 GROUP BY tbl"

_CHUNK = 400


class ColumnInfo(NamedTuple):
    """A column as SQLite declares it; *key* is its place in the primary key, 0 = none; *hidden* 2, 3 = generated."""

    name: str
    declared: str
    not_null: int
    key: int
    hidden: int
    default: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableInfo:
    """A table or view as SQLite declares it.

    Attributes:
        columns: None where SQLite cannot tell: a broken view, or a virtual table whose module is not there.
        rows: estimate that ANALYZE left.
        definition: of a view: a digest of its SQL and of that of the views it reads; else empty.
    """

    name: str
    kind: Literal["table", "view", "virtual"]
    sql: str
    without_rowid: bool
    is_strict: bool
    columns: tuple[ColumnInfo, ...] | None = None
    rows: int | None = None
    definition: str = ""

    @property
    def primary_key(self) -> tuple[str, ...]:
        """Names of the key's columns, in the key's order."""
        keyed = sorted((column.key, column.name) for column in self.columns or () if column.key)
        return tuple(name for _, name in keyed)


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key; *targets* is empty where the target's primary key is meant."""

    table: str
    columns: tuple[str, ...] = field(default=())
    targets: tuple[str, ...] = field(default=())


def read_tables(connection: sqlite3.Connection, names: Sequence[str] | None = None) -> Iterator[TableInfo]:
    """Yield tables and views in order of their names.

    Args:
        names: only these; None = all.
    """
    wanted = None if names is None else set(names)
    every = connection.execute(TABLES).fetchall()
    views = {name.lower(): sql for name, kind, sql, *_ in every if kind == "view"}
    found = [row for row in every if wanted is None or row[0] in wanted]
    rows = _statistics(connection)
    for at in range(0, len(found), _CHUNK):
        chunk = found[at : at + _CHUNK]
        columns = _columns(connection, [row[0] for row in chunk])
        for name, kind, sql, listed_as, without_rowid, strict in chunk:
            yield TableInfo(
                name=name,
                kind="view" if kind == "view" else "virtual" if listed_as == "virtual" else "table",
                sql=sql,
                without_rowid=bool(without_rowid),
                is_strict=bool(strict),
                columns=columns.get(name),
                rows=rows.get(name),
                definition=definition_of(name, views) if kind == "view" else "",
            )


def _columns(connection: sqlite3.Connection, names: list[str]) -> dict[str, tuple[ColumnInfo, ...]]:
    try:
        found = connection.execute(COLUMNS, (json.dumps(names),)).fetchall()
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_ERROR:
            raise
        if len(names) == 1:
            return {}
        # One broken view spoils the whole query: halve until it stands alone.
        middle = len(names) // 2
        return _columns(connection, names[:middle]) | _columns(connection, names[middle:])
    return {
        name: tuple(ColumnInfo(*row[1:]) for row in rows) for name, rows in groupby(found, key=lambda row: str(row[0]))
    }


def _statistics(connection: sqlite3.Connection) -> dict[str, int]:
    has_any = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'").fetchone()
    return {str(name): rows for name, rows in connection.execute(STATISTICS)} if has_any else {}


def read_references(connection: sqlite3.Connection, names: Sequence[str]) -> dict[str, tuple[Reference, ...]]:
    """Return the foreign keys of tables, by table."""
    found = connection.execute(FOREIGN_KEYS, (json.dumps(list(names)),)).fetchall()
    result: dict[str, tuple[Reference, ...]] = {}
    for (name, _), parts in groupby(found, key=lambda row: (str(row[0]), row[1])):
        rows = list(parts)
        targets = tuple(row[5] for row in rows)
        reference = Reference(
            rows[0][3], tuple(row[4] for row in rows), () if any(target is None for target in targets) else targets
        )
        result[name] = (*result.get(name, ()), reference)
    return result
