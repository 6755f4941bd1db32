"""Crawls of MongoDB: the first, against the bare sampling, and what a large collection costs beside a small one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

from pymongo import monitoring

from bench import bare_mongo
from bench.crawled import Crawled
from bench.crawls import crawler
from bench.documents import DOCUMENTS, source_of
from bench.figures import Figure, require_equal
from bench.homes import make_home
from bench.stores import LARGE, SMALL, Workshop
from bench.timing import cpu_now_ms, timed
from services.tcp_proxy import tcp_proxy

_RUNS = 2
LARGER, MILLION = 100_000, 1_000_000


def first_crawl(workshop: Workshop) -> Iterator[Figure]:
    """The first crawl of 1,000 collections of 100 documents, against asking for their metadata and documents."""
    database = workshop.documents.filled(SMALL)
    crawls: list[Crawled] = []
    limits: list[float] = []
    limit_cpu: list[float] = []
    for _ in range(_RUNS):
        crawls.append(workshop.documents.homes.crawl(SMALL))
        had_ms = cpu_now_ms()
        limit_ms, found = timed(partial(bare_mongo.sampled, database))
        limit_cpu.append(cpu_now_ms() - had_ms)
        limits.append(limit_ms)
    seen = {name: sorted({field for each in documents for field in each}) for name, documents in found.items()}
    require_equal(_registered(workshop.documents.homes.crawled(SMALL)), seen, "fields of each collection")
    yield Figure(
        name="mongo-first",
        what=f"first crawl of {SMALL:,} MongoDB collections of {DOCUMENTS} documents, against the bare sampling",
        ours=median(crawled.seconds for crawled in crawls) * 1000,
        limit=median(limits),
        factor=1.5,
        note=f"{median(crawled.cpu_s for crawled in crawls) * 1000:,.0f} ms of processor, "
        f"the limit {median(limit_cpu):,.0f} ms; "
        f"peak {max(crawled.peak_kib for crawled in crawls) / 1024:,.0f} MiB",
    )


def large(workshop: Workshop) -> Iterator[Figure]:
    """What a collection of 100,000 documents costs, against one of 10,000."""
    yield _beside(workshop, LARGER)


def nightly(workshop: Workshop) -> Iterator[Figure]:
    """The same of a million."""
    yield _beside(workshop, MILLION)


def _beside(workshop: Workshop, size: int) -> Figure:
    meter = _Meter()
    monitoring.register(meter)
    small, big = (_cost(workshop, each, meter) for each in (LARGE, size))
    require_equal((big.commands, big.documents), (small.commands, small.documents), "commands and documents")
    return Figure(
        name="mongo-large",
        what=f"sent by MongoDB for the crawl of a collection of {size:,} documents, against one of {LARGE:,}",
        unit="KiB",
        ours=big.sent / 1024,
        limit=small.sent / 1024,
        factor=1.0,
        allowance=0.5,  # the driver looks whether the server is there every ten seconds
        note=f"{len(big.commands)} commands and {big.documents} documents for either",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cost:
    """What a crawl asked and got; *sent*: bytes."""

    commands: tuple[str, ...]
    documents: int
    sent: int


@dataclass(slots=True)
class _Meter(monitoring.CommandListener):
    """Counts what the driver tells of every client that is made while it listens."""

    commands: list[str] = field(default_factory=list)
    documents: int = 0

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.commands.append(event.command_name)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        cursor = event.reply.get("cursor", {})
        if event.command_name in ("find", "getMore"):
            self.documents += len(cursor.get("firstBatch", cursor.get("nextBatch", ())))

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        self.commands.append(f"failed {event.command_name}")


def _cost(workshop: Workshop, size: int, meter: _Meter) -> _Cost:
    database = workshop.documents.large(size)
    home = workshop.folder / f"documents-{size}"
    with tcp_proxy(database.port) as proxy:
        make_home(home, {"store": source_of(database, port=proxy.port)})
        meter.commands, meter.documents = [], 0
        report = crawler(home, "store")()
        cost = _Cost(commands=tuple(meter.commands), documents=meter.documents, sent=proxy.passed)
    require_equal(report.balance.new, 1, "collections registered")
    return cost


def _registered(home: Path) -> dict[str, list[str]]:
    """Names of the top-level columns of each collection, as the catalogue knows them."""
    from hms_registry.bootstrap import Registry

    with Registry.open(home) as registry, registry.catalogue.unit() as uow:
        return {
            dataset.address.table: sorted(column.name for column in dataset.columns if len(column.path.segments) == 1)
            for dataset in uow.datasets.iter(source="store")
        }
