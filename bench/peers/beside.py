"""Time, processor and memory of both crawlers over the same stores, in a process a crawl, its start told apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.crawled import Crawled, crawl_apart
from bench.figures import require_equal
from bench.homes import Homes
from bench.peers import ours
from bench.peers.datahub import DataHub
from bench.peers.told import Told
from bench.s3 import FEW
from bench.stores import LARGE, SMALL, Workshop
from bench.timing import Watched

COLUMNS = (
    "store", "HMS-DTA: start", "crawl", "again", "of processor", "peak",
    "DataHub: start", "crawl", "again", "of processor", "peak", "", "target", "",
)  # fmt: skip
_EACH_OBJECT = "*/*.parquet"
_RUNS_OF_FEW = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What one crawler took.

    Attributes:
        start_s: a process up to a crawled store that holds nothing.
        crawl_s: what a first crawl takes beyond that.
        again_s: what one more takes beyond it, nothing having changed; None = was not tried.
        cpu_s: of the processor, for the first crawl alone.
    """

    start_s: float
    crawl_s: float
    again_s: float | None
    cpu_s: float
    peak_mib: float

    def cells(self) -> tuple[str, str, str, str, str]:
        """Return its part of the line."""
        again = "" if self.again_s is None else f"{self.again_s:,.2f} s"
        cpu = f"{self.cpu_s:,.2f} s"
        return f"{self.start_s:,.2f} s", f"{self.crawl_s:,.2f} s", again, cpu, f"{self.peak_mib:,.0f} MiB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """One store, crawled by both.

    Attributes:
        factor: how many times faster we mean to be, or how many times less of the processor we mean to take.
    """

    what: str
    ours: Side
    theirs: Side
    factor: float
    is_of_processor: bool

    def cells(self) -> tuple[str, ...]:
        """Return the line of the table."""
        if self.is_of_processor:
            times, word = self.theirs.cpu_s / self.ours.cpu_s, "less processor"
        else:
            times, word = self.theirs.crawl_s / self.ours.crawl_s, "faster"
        verdict = "ok" if times >= self.factor else "missed"
        told = (f"{times:,.1f} times {word}", f"{self.factor:g} times", verdict)
        return (self.what, *self.ours.cells(), *self.theirs.cells(), *told)


def postgres(workshop: Workshop, datahub: DataHub, is_quick: bool) -> Iterator[Beside]:
    """Databases of 1,000 and of 10,000 tables."""
    databases = workshop.databases
    for size in (SMALL,) if is_quick else (SMALL, LARGE):
        yield _beside(
            f"PostgreSQL, {size:,} tables",
            size,
            homes=databases.homes,
            theirs=lambda size: datahub.crawl_postgres(databases.filled(size)),
            factor=30,
        )


def s3(workshop: Workshop, datahub: DataHub, is_quick: bool) -> Iterator[Beside]:
    """Buckets of 200 and of 10,000 objects, each a dataset of its own to both."""
    buckets = workshop.buckets
    for size in (FEW,) if is_quick else (FEW, LARGE):
        yield _beside(
            f"S3, {size:,} objects",
            size,
            homes=buckets.homes,
            theirs=lambda size: datahub.crawl_s3(buckets.filled(size), _EACH_OBJECT),
            factor=20,
        )


def mongo(workshop: Workshop, datahub: DataHub, is_quick: bool) -> Iterator[Beside]:
    """Databases of 200 and of 1,000 collections of 100 documents, all of which both look at."""
    documents = workshop.documents
    for size in (FEW,) if is_quick else (FEW, SMALL):
        yield _beside(
            f"MongoDB, {size:,} collections",
            size,
            homes=documents.homes,
            theirs=lambda size: datahub.crawl_mongo(documents.filled(size)),
            factor=10,
            told_by=ours.told_of_documents,
            is_of_processor=True,
        )


def _beside(
    what: str,
    size: int,
    *,
    homes: Homes,
    theirs: Callable[[int], tuple[Watched, Told]],
    factor: float,
    told_by: Callable[[Path], Told] = ours.told,
    is_of_processor: bool = False,
) -> Beside:
    crawls, again, their_starts, their_crawls = [], [], [], []
    for _ in range(_RUNS_OF_FEW if size < LARGE else 1):
        crawls.append(homes.crawl(size))
        again.append(crawl_apart(homes.crawled(size), "store"))
        their_starts.append(theirs(0)[0])
        took, told = theirs(size)
        their_crawls.append(took)
        require_equal(_counts(told_by(homes.crawled(size))), _counts(told), f"datasets and columns told of {what}")
    return Beside(
        what=what,
        ours=_ours(crawls, again),
        theirs=_theirs(their_starts, their_crawls),
        factor=factor,
        is_of_processor=is_of_processor,
    )


def _counts(told: Told) -> tuple[int, int]:
    return len(told.datasets), sum(len(columns) for columns in told.datasets.values())


def _ours(crawls: list[Crawled], again: list[Crawled]) -> Side:
    return Side(
        start_s=median(each.start_s for each in crawls),
        crawl_s=median(each.seconds for each in crawls),
        again_s=median(each.seconds for each in again),
        cpu_s=median(each.cpu_s for each in crawls),
        peak_mib=max(each.peak_kib for each in crawls) / 1024,
    )


def _theirs(starts: list[Watched], crawls: list[Watched]) -> Side:
    """DataHub keeps what it saw last on its server: without one, every crawl is a first one."""
    start = median(each.seconds for each in starts)
    return Side(
        start_s=start,
        crawl_s=median(each.seconds for each in crawls) - start,
        again_s=median(each.seconds for each in crawls[1:]) - start if crawls[1:] else None,
        cpu_s=median(each.cpu_s for each in crawls) - median(each.cpu_s for each in starts),
        peak_mib=max(each.peak_kib for each in crawls) / 1024,
    )
