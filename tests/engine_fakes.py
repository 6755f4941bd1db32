"""An adapter in memory and plans by hand, for the engine of federated SQL."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Self

import pyarrow as pa

from hms_federation.plan import OutputColumn, Plan, PlannedScan
from hms_registry.domain.datasets import DatasetId, DatasetRef
from hms_registry.domain.names import Address, TrinoName
from hms_registry.errors import ScanFailed
from hms_registry.ports.adapter import Scan, ScanRequest

CANARY = "canary-7f3a"
PATIENCE_S = 30.0
"""How long a test waits for what must come: no test is faster or slower for it, but one that fails."""


@dataclass
class Store:
    """One source in memory: `batches` of `rows` rows of (id bigint, txt varchar), counted, slow or broken on wish."""

    kind = "memory"
    config = None
    batches: int = 3
    rows: int = 10
    pause_s: float = 0.0
    breaks_at: int | None = None
    breaks_with: Exception | None = None
    log: Path | None = None
    opened: int = 0
    closed: int = 0
    adapters_closed: int = 0
    is_read: Event = field(default_factory=Event)
    requests: list[ScanRequest] = field(default_factory=list)

    def open(self, _source: str) -> Store:
        return self

    def scan(self, request: ScanRequest) -> Scan:
        self.requests.append(request)
        return Scan(open_reader=lambda: self._reader(request), asked=f"ids {request.columns}")

    def _reader(self, request: ScanRequest) -> pa.RecordBatchReader:
        self._note("open")
        self.opened += 1
        return pa.RecordBatchReader.from_batches(request.schema, self._read(request))

    def _read(self, request: ScanRequest) -> Iterator[pa.RecordBatch]:
        self.is_read.set()
        try:
            for at in range(self.batches):
                if at == self.breaks_at:
                    raise self.breaks_with or ScanFailed("source lake went away")
                if self.pause_s:
                    time.sleep(self.pause_s)
                ids = pa.array(range(at * self.rows, (at + 1) * self.rows), pa.int64())
                texts = pa.array([f"{CANARY}-{at}"] * self.rows)
                whole = pa.record_batch({"Id": ids, "txt": texts})
                yield whole.select(list(request.columns))
        finally:
            self.closed += 1
            self._note("close")

    def once_read(self, act: Callable[[], object]) -> Thread:
        """Act from another thread, as soon as the first batch is asked for; whoever calls joins it."""
        thread = Thread(target=lambda: self.is_read.wait(PATIENCE_S) and act())
        thread.start()
        return thread

    def close(self) -> None:
        self.adapters_closed += 1
        self._note("adapter closed")

    def _note(self, word: str) -> None:
        if self.log is not None:
            with self.log.open("a") as out:
                out.write(word + "\n")


@dataclass(frozen=True)
class Opener:
    """A picklable factory: makes the same store in whatever process it lands in."""

    make: Callable[..., Store] = Store
    options: tuple[tuple[str, object], ...] = ()

    def __call__(self, source: str) -> Store:
        return self.make(**dict(self.options))

    def only(self, names: Collection[str]) -> Self:
        return self


@dataclass(frozen=True)
class Exits:
    """A driver that takes its process down."""

    code: int

    def __call__(self, source: str) -> Store:
        os._exit(self.code)


class Locked(ScanFailed):
    """A kind of error of one adapter's own."""


TYPES = {"Id": pa.int64(), "txt": pa.string()}


def scanned(
    *columns: str, relation: str = "__scan_1", source: str = "lake", table: str = "t", limit: int | None = None
) -> PlannedScan:
    """A scan of some of a store's columns."""
    return PlannedScan(
        relation=relation,
        dataset_id=DatasetId(f"ds-{table}"),
        name=TrinoName(source, "public", table),
        ref=DatasetRef(address=Address(source, "public", table.upper())),
        columns=columns,
        names=tuple(column.lower() for column in columns),
        schema=pa.schema([(column, TYPES[column]) for column in columns]),
        limit=limit,
    )


def planned(sql: str, *scans: PlannedScan, **columns: str) -> Plan:
    """A plan by hand: `name="trino type"` for each column of the answer."""
    answer = tuple(OutputColumn(name=name, trino_type=kind) for name, kind in columns.items())
    return Plan(sql=sql, governed_sql=sql, scans=scans, columns=answer, governed=())
