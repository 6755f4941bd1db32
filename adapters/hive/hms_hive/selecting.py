"""Reading through HiveServer2: one SELECT, its rows made into the registered types exactly, or refused."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence

import pyarrow as pa

from hms_formats.arrays import blank_batch
from hms_formats.stopping import Stop
from hms_hive.config import HiveConfig
from hms_hive.failures import Refused, scan_failed
from hms_hive.predicates import condition, quoted
from hms_hive.server import ERRORS, Row, ServerSession, Statement
from hms_hive.tables import HiveTable
from hms_hive.values import Unfit, to_array
from hms_registry.errors import ScanFailed
from hms_registry.ports.adapter import Scan, ScanRequest

_POLL_S = 0.02
_MOST_AT_ONCE = 20_000
_AS_TEXT = ("decimal", "date", "timestamp", "interval")
"""Types whose text says more, or says it more exactly, than what the driver makes of them."""


def plan_select(config: HiveConfig, table: HiveTable, request: ScanRequest) -> Scan:
    """Plan one SELECT; nothing is asked yet."""
    types = {field.name: field.type for field in (*table.columns, *table.keys)}
    missing = [name for name in request.columns if name not in types]
    if missing:
        what = str(request.ref.address)
        raise ScanFailed(f"{what} has no column {missing[0]!r} any more", hint=f"crawl {config.source} again")
    conditions, residual = condition(request.predicate, types)
    limit = request.limit if not residual else None
    sql = _select(table, request.columns, types, conditions, limit)
    schema = request.schema if request.columns else pa.schema([])

    def open_reader() -> pa.RecordBatchReader:
        batches = _batches(config, sql, schema, request)
        return pa.RecordBatchReader.from_batches(schema, batches)

    return Scan(open_reader=open_reader, residual=residual, is_limit_applied=limit is not None, asked=sql)


def _select(
    table: HiveTable, columns: Sequence[str], types: Mapping[str, str], conditions: Sequence[str], limit: int | None
) -> str:
    asked = ", ".join(_expression(name, types[name].lower()) for name in columns) or "1"
    sql = f"SELECT {asked} FROM {quoted(table.database)}.{quoted(table.name)}"  # noqa: S608 # names are quoted
    if conditions:
        sql += f" WHERE {' AND '.join(conditions)}"
    return sql if limit is None else f"{sql} LIMIT {limit}"


def _expression(name: str, kind: str) -> str:
    if kind == "binary":
        return f"hex({quoted(name)})"
    return f"CAST({quoted(name)} AS string)" if kind.startswith(_AS_TEXT) else quoted(name)


def _batches(
    config: HiveConfig, sql: str, schema: pa.Schema, request: ScanRequest
) -> Generator[pa.RecordBatch, None, None]:
    what, stop = str(request.ref.address), Stop.of(request)
    stop.check(what)
    session = ServerSession(config, until=stop.ends_at)
    page = min(max(request.batch_rows, 1), _MOST_AT_ONCE)
    statement = session.stream(sql, page=page, until=stop.ends_at)
    try:
        _run(statement, stop, what)
        while rows := statement.page(page):
            stop.check(what)
            yield _batch(rows, schema, what=what)
        stop.check(what)
    except (Refused, *ERRORS) as error:
        raise scan_failed(what, error if isinstance(error, Refused | OSError) else _told(error)) from error
    finally:
        statement.close()


def _told(error: BaseException) -> BaseException:
    """Tell apart what the server answered from what broke on the way."""
    from pyhive import exc

    return Refused(str(error)) if isinstance(error, exc.Error) else error


def _run(statement: Statement, stop: Stop, what: str) -> None:
    """Have it run to where rows can be fetched."""
    statement.start()
    while not statement.is_done():
        stop.check(what)
        time.sleep(_POLL_S)


def _batch(rows: Sequence[Row], schema: pa.Schema, *, what: str) -> pa.RecordBatch:
    if not schema.names:
        return blank_batch(len(rows))
    arrays = []
    for field, values in zip(schema, zip(*rows, strict=True), strict=True):
        try:
            arrays.append(to_array(values, field.type))
        except Unfit as error:
            raise ScanFailed(
                f"{what}: column {field.name!r} holds what is not of type {field.type}",
                hint="read less of it, or state another type in a manifest",
            ) from error
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
