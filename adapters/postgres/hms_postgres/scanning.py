"""Reading rows: one SELECT with our own casts, streamed as Arrow by ADBC, ended when nobody waits any more."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import pyarrow as pa

from hms_formats.stopping import Stop
from hms_postgres.config import PostgresConfig
from hms_postgres.connections import Connections
from hms_postgres.failures import scan_failed
from hms_postgres.fitting import fit
from hms_postgres.predicates import ScannedColumn, clause
from hms_postgres.seen import Seen, look_at
from hms_postgres.session import ChangedMeanwhile, snapshot
from hms_postgres.streaming import Stream
from hms_postgres.type_cache import TypeCache
from hms_registry.domain.names import always_quoted
from hms_registry.domain.predicates import Conjunct
from hms_registry.errors import ScanFailed
from hms_registry.ports.adapter import Scan, ScanRequest


@dataclass(slots=True, kw_only=True)
class Plan:
    """What one request asks the server.

    Attributes:
        columns: in the order of the request; empty = rows are only counted, by the server.
    """

    what: str
    sql: str
    columns: tuple[ScannedColumn, ...]
    residual: tuple[Conjunct, ...]
    is_limit_applied: bool


@dataclass(slots=True)
class Reading:
    """Plans scans, and keeps their connections."""

    config: PostgresConfig
    connections: Connections = field(init=False)

    def __post_init__(self) -> None:
        self.connections = Connections(self.config)

    def close(self) -> None:
        """End what still reads, and hang up."""
        self.connections.close()

    def plan(self, request: ScanRequest) -> Scan:
        """Look at it as it is now, and write the SELECT.

        Raises:
            ScanFailed: it is not what was registered any more.
            SourceUnreachable, CredentialsRejected
        """
        seen, types = self._look(request)
        known = {
            each.column: ScannedColumn(each.column, types.mapped(each.type, each.modifier), each.is_deterministic)
            for each in seen.columns
        }
        plan = plan_select(request, known)
        seen.check(request.ref)
        return Scan(
            open_reader=_opener(plan, request, self.connections, seen),
            residual=plan.residual,
            is_limit_applied=plan.is_limit_applied,
            asked=plan.sql,
        )

    def _look(self, request: ScanRequest) -> tuple[Seen, TypeCache]:
        ref, types = request.ref, TypeCache()
        try:
            with snapshot(self.config, deadline_s=request.deadline_s, account=self.config.reader) as session:
                seen = look_at(ref, lambda query, oid: session.rows(query, [oid]))
                types.learn(session, {(each.type, each.modifier) for each in seen.columns})
        except ChangedMeanwhile as error:
            raise scan_failed(str(ref.address), error.__cause__ or error) from error
        return seen, types


def plan_select(request: ScanRequest, known: dict[str, ScannedColumn]) -> Plan:
    """Write the SELECT of a request over a table whose columns are *known*."""
    address = request.ref.address
    missing = [name for name in request.columns if name not in known]
    if missing:
        raise ScanFailed(
            f"{address} has no column {always_quoted(missing[0])} any more", hint=f"crawl {address.source} again"
        )
    columns = tuple(known[name] for name in request.columns)
    clauses, residual = [], []
    for conjunct in request.predicate:
        column = known.get(conjunct.column.name)
        text = clause(conjunct, column) if column is not None else None
        if text is None:
            residual.append(conjunct)
        else:
            clauses.append(text)
    where = f" WHERE {' AND '.join(clauses)}" if clauses else ""
    limits = request.limit is not None and not residual
    limit = f" LIMIT {request.limit:d}" if limits else ""
    table = f"{always_quoted(address.schema)}.{always_quoted(address.table)}"
    if columns:
        quoted = [always_quoted(column.name) for column in columns]
        listed = [f"{column.mapped.expression(name)} AS {name}" for column, name in zip(columns, quoted, strict=True)]
        sql = f"SELECT {', '.join(listed)} FROM {table}{where}{limit}"  # noqa: S608 # quoted names, typed literals
    else:
        sql = f"SELECT count(*)::int8 AS n FROM (SELECT FROM {table}{where}{limit}) AS counted"  # noqa: S608 # likewise
    return Plan(what=str(address), sql=sql, columns=columns, residual=tuple(residual), is_limit_applied=limits)


def _opener(
    plan: Plan, request: ScanRequest, connections: Connections, seen: Seen
) -> Callable[[], pa.RecordBatchReader]:
    schema = request.schema if request.columns else pa.schema([])

    def open_reader() -> pa.RecordBatchReader:
        stream = Stream(
            connections,
            sql=plan.sql,
            seen=seen,
            ref=request.ref,
            batch_rows=request.batch_rows,
            stop=Stop.of(request),
        )
        stream.start()
        batches = _batches(stream, plan, request)
        # The reader lets go with its last reference: pyarrow has no earlier hook that leaves our errors as they are.
        # A generator that nobody began to read has no `finally` yet, so it is watched from outside.
        weakref.finalize(batches, stream.close)
        return pa.RecordBatchReader.from_batches(schema, batches)

    return open_reader


def _batches(stream: Stream, plan: Plan, request: ScanRequest) -> Generator[pa.RecordBatch, None, None]:
    try:
        for batch in stream:
            if plan.columns:
                yield fit(batch, request.schema, what=plan.what)
            else:
                yield from _counted(int(batch.column(0)[0].as_py()), request.batch_rows)
    finally:
        stream.close()


def _counted(rows: int, batch_rows: int) -> Generator[pa.RecordBatch, None, None]:
    """Yield that many rows of no columns."""
    while rows > 0:
        count = min(rows, max(1, batch_rows))
        yield pa.RecordBatch.from_arrays([pa.nulls(count)], names=["n"]).select([])
        rows -= count
