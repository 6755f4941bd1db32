"""Registering beside describing: nothing is lost or left behind when one of the two breaks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar

import pytest

from hms_crawler import Report, crawl_all
from hms_crawler.run import BATCH
from hms_registry.domain.columns import Column, ColumnPath
from hms_registry.domain.crawls import ContainerListed, CrawlState, Discovery
from hms_registry.domain.datasets import DatasetRef, DescribedDataset, Stamp
from hms_registry.domain.names import Address
from hms_registry.domain.sources import Source
from hms_registry.errors import SourceUnreachable
from hms_registry.ports.adapter import Scope
from hms_registry.ports.catalogue import Catalogue
from hms_registry.store import open_catalogue

PATIENCE_S = 60.0
ROWS = Source(name="rows", kind="row", url="row:")
COLUMNS = (Column(path=ColumnPath.of("id"), trino_type="bigint"),)


@dataclass
class Row:
    """A store of *size* tables; says when it describes a batch, and by which thread it is asked."""

    size: int
    breaks_after: int | None = None
    on_batch: Callable[[int], None] = lambda _number: None
    batches: int = 0
    threads: set[int] = field(default_factory=set)

    kind: ClassVar[str] = "row"

    def check(self) -> None:
        self.threads.add(threading.get_ident())

    def stamp(self, scope: Scope) -> Stamp | None:
        self.check()
        return None

    def discover(self, scope: Scope) -> Iterator[Discovery]:
        for at in range(self.size):
            self.check()
            if at == self.breaks_after:
                raise SourceUnreachable("the row broke", hint="mend it")
            yield DatasetRef(address=Address("rows", "public", f"t{at:05}"), stamp=Stamp("s"))
        yield ContainerListed(schema="", is_complete=True, is_snapshot=True)

    def describe(self, refs: Sequence[DatasetRef]) -> Iterator[DescribedDataset]:
        self.check()
        self.batches += 1
        self.on_batch(self.batches)
        for ref in refs:
            yield DescribedDataset(ref=ref, columns=COLUMNS)

    def close(self) -> None:
        self.check()


@pytest.fixture
def memory() -> Iterator[Catalogue]:
    opened = open_catalogue("sqlite://")
    yield opened
    opened.close()


def run(row: Row, catalogue: Catalogue, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Report:
    (report,) = crawl_all([ROWS], open_adapter=lambda _source: row, catalogue=catalogue, clock=clock)
    return report


def registering() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("hms-registering")]


def test_the_next_batch_is_described_while_the_last_one_is_written(memory: Catalogue) -> None:
    """The first batch is held where its lease is renewed, until the second one is asked for."""
    asked = threading.Event()
    held: list[bool] = []

    def clock() -> datetime:
        if threading.current_thread().name.startswith("hms-registering") and not held:
            held.append(asked.wait(PATIENCE_S))
        return datetime.now(UTC)

    report = run(Row(2 * BATCH + 1, on_batch=lambda number: asked.set() if number == 2 else None), memory, clock)

    assert held == [True]
    assert (report.state, report.balance.new, report.balance.listed) == (CrawlState.COMPLETE, 1001, 1001)


def test_a_source_that_breaks_loses_nothing_that_is_being_written(memory: Catalogue) -> None:
    """What was listed before is described, registered and counted."""
    report = run(Row(2 * BATCH, breaks_after=BATCH + 10), memory)

    with memory.unit() as uow:
        known = uow.registrations.known("rows")
    assert (report.state, report.balance.new, len(known)) == (CrawlState.PARTIAL, BATCH + 10, BATCH + 10)


def test_an_adapter_is_asked_by_one_thread_and_none_is_left(memory: Catalogue) -> None:
    """Many a driver knows only the thread that made it."""
    row = Row(2 * BATCH + 1)

    run(row, memory)

    assert row.threads == {threading.get_ident()}
    assert registering() == []


def test_a_run_whose_writing_breaks_stops_there(memory: Catalogue) -> None:
    """Nothing more is described than the batch that was under way, and the error is the writer's."""

    def clock() -> datetime:
        if threading.current_thread().name.startswith("hms-registering"):
            raise ZeroDivisionError("the clock broke")
        return datetime.now(UTC)

    row = Row(5 * BATCH)
    with pytest.raises(ZeroDivisionError, match="the clock broke"):
        run(row, memory, clock)

    assert row.batches == 2
    assert registering() == []
