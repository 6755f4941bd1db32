"""The embedded engine: runs a plan in DuckDB over Arrow scans of the sources, and nothing else is reachable from it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Self

import duckdb
import pyarrow as pa

from hms_federation.answer import Answer
from hms_federation.engine import failures
from hms_federation.engine.kept_adapters import KeptAdapters
from hms_federation.engine.limits import Limits
from hms_federation.engine.relations import Relation
from hms_federation.engine.sandbox import Sandbox, make
from hms_federation.engine.scanning import BATCH_ROWS, OpenAdapter, Scanning
from hms_federation.plan import OutputColumn, Plan, PlannedScan
from hms_registry.errors import HmsError, QueryLimitExceeded
from hms_registry.ports.adapter import Scan
from hms_registry.services.trino_types import to_arrow

_WATCH_S = 0.05


def run(
    plan: Plan,
    *,
    open_adapter: OpenAdapter | KeptAdapters,
    limits: Limits,
    cancel: Event | None = None,
    spill_to: Path | None = None,
    kept: Sandbox | None = None,
) -> Answer:
    """Run a plan in this process.

    Nothing happens before the first batch is asked for. The limits of time and memory are kept as well as DuckDB
    keeps them, which is not to the letter: see `Limits`, and `children` for a process that is held to them.

    Args:
        open_adapter: opens adapters for this query alone, or keeps them for later ones.
        cancel: set it from any thread to end the query; the sources are let go of.
        spill_to: a private directory, made when needed, that the caller removes; None = one that is removed here.
        kept: a sandbox under the same limits that outlives the query; None = one of its own, which takes longer.

    Raises:
        HmsError: out of the answer's iteration: what an adapter raised, `ScanFailed`, `QueryFailed` or
            `QueryLimitExceeded`.
    """
    stop = Event()
    batches = _batches(
        plan,
        open_adapter=open_adapter,
        limits=limits,
        cancel=cancel or Event(),
        stop=stop,
        spill_to=spill_to,
        kept=kept,
    )
    schema = answer_schema(plan.columns)
    return Answer(columns=plan.columns, schema=schema, batches=within(_fitted(batches, schema), limits), stop=stop.set)


def answer_schema(columns: tuple[OutputColumn, ...]) -> pa.Schema:
    """Return the Arrow schema of an answer: exactly the columns' Trino types."""
    return pa.schema([pa.field(column.name, to_arrow(column.trino_type)) for column in columns])


def asked(plan: Plan, *, open_adapter: OpenAdapter, limits: Limits) -> tuple[tuple[PlannedScan, Scan], ...]:
    """Return what each source would be asked, without reading a row."""
    with ExitStack() as stack:
        scanning = Scanning(open_adapter, stack=stack, stop=Event(), timeout_s=limits.timeout_s)
        return tuple((planned, scanning.ask(planned)) for planned in plan.scans)


def _batches(
    plan: Plan,
    *,
    open_adapter: OpenAdapter | KeptAdapters,
    limits: Limits,
    cancel: Event,
    stop: Event,
    spill_to: Path | None,
    kept: Sandbox | None,
) -> Generator[pa.RecordBatch, None, None]:
    with ExitStack() as stack:
        # Torn down from the last to the first: the result, its connection, the relations' readers, the adapters.
        watch = stack.enter_context(_Watch(timeout_s=limits.timeout_s, cancel=cancel, stop=stop))
        scanning = Scanning(open_adapter, stack=stack, stop=stop, timeout_s=limits.timeout_s)
        try:
            connection = _connected(stack, limits=limits, spill_to=spill_to, kept=kept)
            stack.enter_context(watch.over(connection))
            scanning.relate(plan, connection)
            reader = stack.enter_context(closing(connection.sql(plan.sql).to_arrow_reader(BATCH_ROWS)))
            # Closing the result waits for its scans: they have to be told first, or they run to their end.
            stack.callback(stop.set)
            yield from reader
            scanning.is_whole = True
        except HmsError:
            reason = watch.reason()
            if reason is not None:
                raise reason from None
            raise
        except (duckdb.Error, pa.ArrowException, OSError, MemoryError) as error:
            relations = scanning.relations.values()
            raise watch.reason() or _original(relations) or _translated(error, limits) from None


def _connected(
    stack: ExitStack, *, limits: Limits, spill_to: Path | None, kept: Sandbox | None
) -> duckdb.DuckDBPyConnection:
    if kept is not None:
        return stack.enter_context(closing(kept.connect()))
    spill_to = spill_to or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hms-dta-")))
    return stack.enter_context(closing(make(limits, spill_to)))


def _original(relations: Iterable[Relation]) -> HmsError | None:
    return next((relation.failure for relation in relations if relation.failure is not None), None)


def _translated(error: BaseException, limits: Limits) -> HmsError:
    return failures.from_engine(error, memory_bytes=limits.memory_bytes)


class _Watch:
    """Interrupts a query at its deadline or when it is cancelled: DuckDB has neither of its own."""

    def __init__(self, *, timeout_s: float, cancel: Event, stop: Event) -> None:
        self._timeout_s = timeout_s
        self._deadline = time.monotonic() + timeout_s
        self._cancel = cancel
        self._stop = stop
        self._is_over = Event()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._is_interrupting = Lock()
        self._thread = Thread(target=self._watch, name="hms-dta-query-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    @contextmanager
    def over(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Interrupt this connection, too, until the context is left."""
        self._connection = connection
        try:
            yield
        finally:
            with self._is_interrupting:
                self._connection = None

    def reason(self) -> HmsError | None:
        """Return why the query was ended; None = it was not."""
        if time.monotonic() >= self._deadline:
            return failures.timed_out(self._timeout_s)
        if self._cancel.is_set() or self._stop.is_set():
            return failures.cancelled()
        return None

    def _watch(self) -> None:
        while not self._is_over.wait(_WATCH_S):
            if self.reason() is None:
                continue
            self._stop.set()
            with self._is_interrupting:
                if self._connection is not None:
                    # Again and again: an interrupt that comes between two steps is forgotten.
                    self._connection.interrupt()


def _fitted(batches: Generator[pa.RecordBatch, None, None], schema: pa.Schema) -> Generator[pa.RecordBatch, None, None]:
    with closing(batches):
        for batch in batches:
            yield _fit(batch, schema)


def _fit(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = []
    for column, field in zip(batch.columns, schema, strict=True):
        try:
            columns.append(column if column.type == field.type else column.cast(field.type))
        except pa.ArrowException:
            raise failures.unfit(field.name) from None
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def within(batches: Generator[pa.RecordBatch, None, None], limits: Limits) -> Generator[pa.RecordBatch, None, None]:
    """Yield batches until there is one row or byte too many."""
    rows = size = 0
    with closing(batches):
        for batch in batches:
            rows += batch.num_rows
            size += batch.nbytes
            if limits.max_rows is not None and rows > limits.max_rows:
                raise QueryLimitExceeded(
                    f"the answer has more than {limits.max_rows} rows", hint="add a LIMIT, or aggregate"
                )
            if limits.max_bytes is not None and size > limits.max_bytes:
                raise QueryLimitExceeded(
                    f"the answer is larger than {limits.max_bytes} bytes", hint="ask for fewer columns or rows"
                )
            yield batch
