"""Scanning a table: one SELECT with bound values, rows turned into batches of exactly the schema asked for."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pyarrow as pa
import pyarrow.compute as pc

from hms_formats.arrays import Values, blank_batch
from hms_formats.scanning import reader_of
from hms_formats.stopping import Stop
from hms_registry.domain.names import always_quoted
from hms_registry.errors import ScanFailed
from hms_registry.ports.adapter import Scan, ScanRequest
from hms_sqlite.config import SqliteConfig
from hms_sqlite.definitions import read_locator
from hms_sqlite.predicates import Pushed, push
from hms_sqlite.schema import TableInfo, read_tables
from hms_sqlite.session import connect, scan_failed, stop_after
from hms_sqlite.typing_rules import Affinity, affinity


def plan_scan(config: SqliteConfig, request: ScanRequest) -> Scan:
    """Look the table up and write its SELECT.

    Raises:
        ScanFailed: the table, or a column of it, is not there any more.
        SourceUnreachable, CredentialsRejected
    """
    table = _table(config, request)
    pushed, residual = push(table, request)
    limit = request.limit if not residual else None
    sql = _select(table, request, pushed, limit)

    def open_reader() -> pa.RecordBatchReader:
        return reader_of(request.schema, _batches(config, request, sql, pushed))

    return Scan(open_reader=open_reader, residual=residual, is_limit_applied=limit is not None, asked=sql)


def _table(config: SqliteConfig, request: ScanRequest) -> TableInfo:
    with closing(connect(config)) as connection, scan_failed(str(request.ref.address)):
        stop_after(connection, request.deadline_s)
        table = _find(config, connection, request)
    known = {column.name for column in table.columns or ()} if table else set()
    missing = [column for column in request.columns if column not in known]
    if table is None or missing:
        fact = f"has no column {missing[0]!r}" if table and missing else "is not there"
        raise ScanFailed(f"{request.ref.address} {fact} any more", hint=f"crawl {config.source} again")
    return table


def _find(config: SqliteConfig, connection: sqlite3.Connection, request: ScanRequest) -> TableInfo | None:
    """Find the table or view; it must be what it was when it was labelled."""
    name, definition = read_locator(request.ref.locator)
    table = next(read_tables(connection, [name]), None)
    if table is not None and table.definition != definition:
        raise ScanFailed(
            f"{request.ref.address} was defined anew since it was registered", hint=f"crawl {config.source} again"
        )
    return table


def _select(table: TableInfo, request: ScanRequest, pushed: Pushed, limit: int | None) -> str:
    declared = {column.name: column.declared for column in table.columns or ()}
    items = [_item(name, declared[name], request.schema.field(name).type) for name in request.columns]
    sql = f"SELECT {', '.join(items) or '1'} FROM {always_quoted(table.name)}"  # noqa: S608 # quoted names, bound values
    if pushed.where:
        sql += f" WHERE {pushed.where}"
    return sql + (f" LIMIT {int(limit)}" if limit is not None else "")


def _item(name: str, declared: str, wanted: pa.DataType) -> str:
    """Read as text what is registered as text and may be stored as something else."""
    quoted = always_quoted(name)
    return (
        f"CAST({quoted} AS TEXT)" if pa.types.is_string(wanted) and affinity(declared) is not Affinity.TEXT else quoted
    )


def _batches(config: SqliteConfig, request: ScanRequest, sql: str, pushed: Pushed) -> Iterator[pa.RecordBatch]:
    what, stop = str(request.ref.address), Stop.of(request)
    with closing(connect(config)) as connection, scan_failed(what):
        stop_after(connection, stop.left_s, stop.is_cancelled)
        connection.execute("BEGIN")
        _find(config, connection, request)
        cursor = connection.execute(sql, pushed.values)
        while rows := cursor.fetchmany(request.batch_rows):
            stop.check(what)
            yield _batch(rows, request, what)


def _batch(rows: list[tuple[object, ...]], request: ScanRequest, what: str) -> pa.RecordBatch:
    if not request.columns:
        return blank_batch(len(rows))
    arrays = []
    for field, values in zip(request.schema, zip(*rows, strict=True), strict=True):
        try:
            arrays.append(to_arrow(values, field.type))
        except (pa.ArrowException, TypeError, ValueError, OverflowError, KeyError) as exc:
            raise ScanFailed(
                f"{what}: column {field.name!r} holds a value that is not of type {field.type}",
                hint="state the column's type in a manifest (varchar always fits), or repair the data",
            ) from exc
    return pa.RecordBatch.from_arrays(arrays, schema=request.schema)


def to_arrow(values: tuple[object, ...], wanted: pa.DataType) -> Values:
    """Turn stored values into an Arrow array; what is stored as another class than the type's does not fit.

    Raises:
        ArrowException, TypeError, ValueError, OverflowError: a value does not fit.
    """
    classes = {type(value) for value in values} - {type(None)}
    if pa.types.is_boolean(wanted):
        _only(classes, int)
        return pa.array([None if value is None else _BOOLEANS[value] for value in values], wanted)
    if pa.types.is_temporal(wanted):
        _only(classes, str)
        return pc.cast(pa.array(values, pa.string()), wanted)
    if pa.types.is_integer(wanted):
        _only(classes, int)
    elif pa.types.is_floating(wanted):
        _only(classes, int, float)
    elif pa.types.is_decimal(wanted):
        _only(classes, int, float, str)
        return pc.cast(pa.array([None if value is None else str(value) for value in values], pa.string()), wanted)
    else:
        _only(classes, bytes if pa.types.is_binary(wanted) else str)
    return pa.array(values, wanted)


_BOOLEANS: dict[object, bool] = {0: False, 1: True}


def _only(classes: set[type], *wanted: type) -> None:
    if not classes <= set(wanted):
        raise TypeError("stored as another class")
