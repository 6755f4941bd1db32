"""Relations: one planned scan as DuckDB sees it, opened when it is read and closed whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from itertools import chain
from threading import Event, Lock

import pyarrow as pa

from hms_federation.engine.failures import cancelled
from hms_federation.plan import PlannedScan
from hms_registry.errors import HmsError, ScanFailed
from hms_registry.ports.adapter import Scan

ROW_MARK = "__row"
"""The only column of a scan of no columns, always NULL: DuckDB takes no relation without one."""


class Relation:
    """What is registered under `PlannedScan.relation`.

    DuckDB asks for the stream once for each run of the query, and pulls from its own threads, never two at once
    from one stream. It must never see an error of a reader's only as text: *failure* keeps the original.
    """

    def __init__(self, planned: PlannedScan, scan: Scan, *, stop: Event) -> None:
        self.failure: HmsError | None = None
        self._planned = planned
        self._scan = scan
        self._stop = stop
        self._streams: list[_Stream] = []
        self._held: list[pa.RecordBatch] = []
        self._rest: _Stream | None = None
        self._is_whole = False
        fields = [pa.field(name, planned.schema.field(at).type) for at, name in enumerate(planned.names)]
        self._schema = pa.schema(fields or [pa.field(ROW_MARK, pa.bool_())])

    def __arrow_c_schema__(self) -> object:
        return self._schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        reader = pa.RecordBatchReader.from_batches(self._schema, self._batches())
        return reader.__arrow_c_stream__(requested_schema)  # type: ignore[no-untyped-call] # untyped in the stubs

    def hold(self, *, most_rows: int, most_bytes: int) -> int | None:
        """Read on until there is no more or it is too much, and keep what was read for when DuckDB asks for it.

        Returns:
            its bytes, if that is all: it will not be read from its source again; else None.

        Raises:
            HmsError: it could not be read.
        """
        if self._is_whole or self._rest is not None:
            return 0 if self._is_whole else None
        self._rest = self._opened()
        rows = size = 0
        batches = iter(self._rest)
        while rows <= most_rows and size <= most_bytes:
            batch = self._next(batches)
            if batch is None:
                self._is_whole, self._rest = True, None
                return size
            self._held.append(batch)
            rows += batch.num_rows
            size += batch.nbytes
        return None

    def _next(self, batches: Generator[pa.RecordBatch, None, None]) -> pa.RecordBatch | None:
        try:
            return next(batches, None)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:
            if self.failure is not None:
                raise self.failure from None
            raise

    def _opened(self) -> _Stream:
        stream = _Stream(self._read)
        self._streams.append(stream)
        return stream

    def _batches(self) -> Iterator[pa.RecordBatch]:
        if self._is_whole:
            return iter(self._held)
        held, rest = self._held, self._rest or self._opened()
        self._held, self._rest = [], None
        return chain(held, rest)

    def close(self) -> None:
        """Close the readers that DuckDB left open."""
        for stream in self._streams:
            stream.close()

    def _read(self) -> Generator[pa.RecordBatch, None, None]:
        try:
            reader = self._scan.open_reader()
            try:
                self._check(reader.schema)
                while not self._stop.is_set():
                    try:
                        batch = reader.read_next_batch()
                    except StopIteration:
                        return
                    yield self._shape(batch)
            finally:
                with suppress(pa.ArrowException, OSError):  # a broken reader may break again when it is closed
                    reader.close()
                # A reader over a generator closes that only with its last reference, and a traceback holds this one.
                del reader
            raise cancelled()
        except GeneratorExit:
            raise
        except HmsError as error:
            self.failure = self.failure or error
            raise
        except BaseException:
            # The driver's text may hold values or secrets: it goes no further than this.
            self.failure = self.failure or self._broken()
            raise

    def _check(self, schema: pa.Schema) -> None:
        wanted = self._planned.schema
        if len(self._planned.columns) == 0:
            return
        if schema.names != wanted.names or schema.types != wanted.types:
            raise ScanFailed(
                f"{self._planned.name} is not what was registered any more",
                hint=f"crawl {self._planned.source} again",
            )

    def _shape(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if len(self._planned.columns) == 0:
            return pa.RecordBatch.from_arrays([pa.nulls(batch.num_rows, pa.bool_())], schema=self._schema)
        self._check(batch.schema)
        return pa.RecordBatch.from_arrays(batch.columns, schema=self._schema)

    def _broken(self) -> ScanFailed:
        return ScanFailed(
            f"source {self._planned.source} broke while {self._planned.name} was read",
            hint="ask again; if it stays so, check the source",
        )


class _Stream:
    """One run through a generator that another thread may want to close."""

    def __init__(self, read: Callable[[], Generator[pa.RecordBatch, None, None]]) -> None:
        self._batches = read()
        self._is_reading = Lock()

    def __iter__(self) -> Generator[pa.RecordBatch, None, None]:
        while True:
            with self._is_reading:
                batch = next(self._batches, None)
            if batch is None:
                return
            yield batch

    def close(self) -> None:
        with self._is_reading:
            self._batches.close()
