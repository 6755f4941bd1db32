"""Wall time and memory of both crawlers over the same stores, each as its users start it: a process a crawl."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.buckets import source_of as bucket_source
from bench.databases import source_of as database_source
from bench.figures import require_equal
from bench.homes import Described
from bench.peers import ours
from bench.peers.datahub import DataHub
from bench.peers.told import Told
from bench.s3 import FEW
from bench.stores import LARGE, SMALL, Workshop
from bench.timing import Watched

COLUMNS = ("store", "HMS-DTA: start", "crawl", "again", "peak", "DataHub: start", "crawl", "again", "peak", "", "", "")
_EACH_OBJECT = "*/*.parquet"
_RUNS_OF_FEW = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What one crawler took.

    Attributes:
        start_s: a whole process over a store that holds nothing.
        crawl_s: what a first crawl takes beyond that.
        again_s: what one more takes beyond it, nothing having changed; None = was not tried.
        told: how many datasets.
    """

    start_s: float
    crawl_s: float
    again_s: float | None
    peak_mib: float
    told: int

    def cells(self) -> tuple[str, str, str, str]:
        """Return its part of the line."""
        again = "" if self.again_s is None else f"{self.again_s:,.2f} s"
        return f"{self.start_s:,.2f} s", f"{self.crawl_s:,.2f} s", again, f"{self.peak_mib:,.0f} MiB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """One store, crawled by both; *factor*: how many times faster we mean to be."""

    what: str
    ours: Side
    theirs: Side
    factor: float

    def cells(self) -> tuple[str, ...]:
        """Return the line of the table."""
        faster = self.theirs.crawl_s / max(self.ours.crawl_s, 0.001)
        verdict = "ok" if faster >= self.factor else "missed"
        return (
            self.what,
            *self.ours.cells(),
            *self.theirs.cells(),
            f"{faster:,.0f} times faster",
            f"target {self.factor:g}",
            verdict,
        )


def postgres(workshop: Workshop, datahub: DataHub, is_quick: bool) -> Iterator[Beside]:
    """Databases of 1,000 and of 10,000 tables."""
    databases = workshop.databases
    for size in (SMALL,) if is_quick else (SMALL, LARGE):
        yield _beside(
            f"PostgreSQL, {size:,} tables",
            size,
            folder=workshop.folder / f"peers-tables-{size}",
            source=lambda size: database_source(databases.filled(size)),
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
            folder=workshop.folder / f"peers-objects-{size}",
            source=lambda size: bucket_source(buckets.filled(size)),
            theirs=lambda size: datahub.crawl_s3(buckets.filled(size), _EACH_OBJECT),
            factor=20,
        )


def _beside(
    what: str,
    size: int,
    *,
    folder: Path,
    source: Callable[[int], Described],
    theirs: Callable[[int], tuple[Watched, Told]],
    factor: float,
) -> Beside:
    runs = _RUNS_OF_FEW if size < LARGE else 1
    our_starts = [ours.crawl(folder / f"empty-{run}", source(0)) for run in range(_RUNS_OF_FEW)]
    their_starts = [theirs(0)[0] for _ in range(_RUNS_OF_FEW)]
    our_crawls, their_crawls, again = [], [], []
    for run in range(runs):
        home = folder / f"store-{run}"
        our_crawls.append(ours.crawl(home, source(size)))
        again.append(ours.crawl(home, source(size)))
        took, told = theirs(size)
        their_crawls.append(took)
    known = len(ours.told(home).datasets)
    require_equal((known, len(told.datasets)), (size, size), f"datasets told of {what}")
    # DataHub keeps what it saw last on its server: without one every crawl is the first.
    return Beside(
        what=what,
        ours=_side(our_starts, our_crawls, again, told=known),
        theirs=_side(their_starts, their_crawls, their_crawls[1:], told=len(told.datasets)),
        factor=factor,
    )


def _side(starts: list[Watched], crawls: list[Watched], again: list[Watched], *, told: int) -> Side:
    start = _seconds(starts)
    return Side(
        start_s=start,
        crawl_s=_seconds(crawls) - start,
        again_s=_seconds(again) - start if again else None,
        peak_mib=max(each.peak_kib for each in crawls) / 1024,
        told=told,
    )


def _seconds(runs: list[Watched]) -> float:
    return median(each.seconds for each in runs)
