"""Profiles counted in the database, over all rows of a small table and over parts of a large one.

SQLite keeps no statistics of values. What is read is bounded by rows and by the database's own steps, and never
handed out: each table is answered by aggregates.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import pairwise

from hms_registry.domain.columns import Column
from hms_registry.domain.crawls import Failure
from hms_registry.domain.names import always_quoted
from hms_registry.domain.profiles import MAX_TEXT, MAX_TOP, ColumnProfile, Method, Profile, TopValue
from hms_registry.ports.profiles import ProfileRequest
from hms_sqlite.definitions import read_locator
from hms_sqlite.schema import TableInfo, read_tables
from hms_sqlite.session import Snapshot

MAX_ROWS = 10_000
"""Of a table with more, so many are looked at, in equal parts from its lowest rowid to its highest."""

_PARTS = 8
_MAX_COLUMNS = 200
_OF_A_COLUMN = (None, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_INTERRUPT)  # what is no valid text has no code
_NUMBERS = ("bigint", "double", "boolean")
_NO_TABLE = "it is no table of its own: nothing is read through it for a profile"
_TOO_MUCH = "some of its columns cannot be counted, or not within the bound of a profile"


def profile_all(snapshot: Snapshot, requests: Sequence[ProfileRequest]) -> Iterator[Profile | Failure]:
    """Yield one result for each request."""
    names = [read_locator(request.ref.locator)[0] for request in requests]
    tables = {table.name: table for table in read_tables(snapshot.connection, names)}
    for request, name in zip(requests, names, strict=True):
        address, table = request.ref.address, tables.get(name)
        if table is None:
            yield Failure(subject=str(address), reason="it is not there any more", address=address)
        elif table.kind != "table":
            yield Profile(address=address, method=Method.SAMPLE, note=_NO_TABLE)
        else:
            yield _profile(snapshot, request, table)


def _profile(snapshot: Snapshot, request: ProfileRequest, table: TableInfo) -> Profile:
    address, there = request.ref.address, {column.name for column in table.columns or ()}
    columns = [column for column in request.columns if column.name in there][:_MAX_COLUMNS]
    rows, is_whole = _count(snapshot.connection, table)
    looked_at = f"SELECT * FROM {always_quoted(table.name)}"  # noqa: S608 # of quoted names
    if not is_whole:
        looked_at = _parts(snapshot.connection, table)
        (rows,) = snapshot.connection.execute(f"SELECT count(*) FROM ({looked_at})").fetchone()  # noqa: S608 # likewise
    counted = [each for column in columns if (each := _bounded(snapshot, column, looked_at, request)) is not None]
    method = Method.EXACT if is_whole else Method.SAMPLE
    note = "" if len(counted) == len(columns) else _TOO_MUCH
    return Profile(address=address, method=method, rows=rows, columns=tuple(counted), note=note)


def _bounded(snapshot: Snapshot, column: Column, looked_at: str, request: ProfileRequest) -> ColumnProfile | None:
    """Count one column; None where that takes more steps than a sample may, or the column breaks by itself:
    it holds no valid text, or is generated from what does not allow it."""
    try:
        with snapshot.sampling():
            return _column(snapshot.connection, column, looked_at, request)
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", None) not in _OF_A_COLUMN:
            raise
        return None


def _count(connection: sqlite3.Connection, table: TableInfo) -> tuple[int, bool]:
    """Return how many rows there are, as far as they are looked at, and whether these are all."""
    few = f"SELECT count(*) FROM (SELECT 1 FROM {always_quoted(table.name)} LIMIT {MAX_ROWS + 1})"  # noqa: S608 # likewise
    (rows,) = connection.execute(few).fetchone()
    return rows, rows <= MAX_ROWS


def _parts(connection: sqlite3.Connection, table: TableInfo) -> str:
    """Return the query of the rows of a large table that are looked at."""
    name, most = always_quoted(table.name), MAX_ROWS // _PARTS
    rowid = _rowid(table)
    if rowid is None:
        return f"SELECT * FROM {name} LIMIT {MAX_ROWS}"  # noqa: S608 # likewise
    low, high = connection.execute(
        f"SELECT (SELECT min({rowid}) FROM {name}), (SELECT max({rowid}) FROM {name})"  # noqa: S608 # likewise
    ).fetchone()
    bounds = [low + (high + 1 - low) * at // _PARTS for at in range(_PARTS + 1)]
    parts = [
        f"SELECT * FROM (SELECT * FROM {name} WHERE {rowid} >= {start} AND {rowid} < {end} LIMIT {most})"  # noqa: S608 # likewise
        for start, end in pairwise(bounds)
    ]
    return " UNION ALL ".join(parts)


def _rowid(table: TableInfo) -> str | None:
    """Return a name for the rowid that no column has taken."""
    taken = {column.name.lower() for column in table.columns or ()}
    return (
        None if table.without_rowid else next((each for each in ("rowid", "oid", "_rowid_") if each not in taken), None)
    )


def _column(connection: sqlite3.Connection, column: Column, looked_at: str, request: ProfileRequest) -> ColumnProfile:
    """Count one column. A text is cut for its ends: one that is longer than what may be kept is none."""
    name, exact = always_quoted(column.name), f"{always_quoted(column.name)} COLLATE BINARY"
    short = f"CASE WHEN typeof({name}) = 'text' THEN substr({name}, 1, {MAX_TEXT + 1}) ELSE {name} END COLLATE BINARY"
    query = (
        f"SELECT count(*) - count({name}), count(DISTINCT {exact}), min({short}), max({short}),"  # noqa: S608 # likewise
        f" coalesce(sum(typeof({name}) = 'text'), 0), count({name}), coalesce(sum(typeof({name}) = 'blob'), 0)"
        f" FROM ({looked_at})"
    )
    nulls, distinct, low, high, texts, known, blobs = connection.execute(query).fetchone()
    counted = ColumnProfile(path=column.path, nulls=nulls, distinct=distinct)
    # A column may hold anything here. Where that is not what it is registered as, its order means nothing.
    is_plain = not blobs and texts == (0 if column.trino_type in _NUMBERS else known)
    if column.name not in request.values_of or not known or not is_plain:
        return counted
    frequent = (
        f"SELECT {short}, count(*) FROM ({looked_at}) WHERE {name} IS NOT NULL"  # noqa: S608 # likewise
        f" GROUP BY {exact} HAVING count(*) > 1 ORDER BY count(*) DESC, {exact} LIMIT {MAX_TOP}"
    )
    top = connection.execute(frequent).fetchall()
    return ColumnProfile(
        path=column.path,
        nulls=nulls,
        distinct=distinct,
        minimum=_told(low, column),
        maximum=_told(high, column),
        top=tuple(TopValue(value=_told(value, column), share=count / (known + nulls)) for value, count in top),
    )


def _told(value: object, column: Column) -> str:
    return str(bool(value)).lower() if column.trino_type == "boolean" else str(value)
