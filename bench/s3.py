"""Crawls of an S3 bucket: the first, against listing it and reading the footers, and the one that finds no change."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median

from bench import bare_s3
from bench.crawled import Crawled
from bench.crawls import unchanged_crawler, written
from bench.figures import Figure, require_equal
from bench.stores import LARGE, Workshop
from bench.timing import interleaved, timed

FEW = 200
_RUNS = {FEW: 7, LARGE: 2}


def first_crawl(workshop: Workshop) -> Iterator[Figure]:
    """The first crawl of 200 and of 10,000 objects, against listing plus footer reads at equal concurrency."""
    for size in (FEW, LARGE):
        bucket = workshop.buckets.filled(size)
        crawls: list[Crawled] = []
        limits: list[float] = []
        bare_s3.listing(bucket)
        for _ in range(_RUNS[size]):
            crawls.append(workshop.buckets.homes.crawl(size))
            limit_ms, found = timed(partial(bare_s3.footers, bucket))
            limits.append(limit_ms)
        require_equal(_registered(workshop.buckets.homes.crawled(size)), found, "columns of each object")
        yield Figure(
            name="s3-first",
            what=f"first crawl of {size:,} Parquet objects, against listing plus footer reads by boto3, 16 at once",
            ours=median(crawled.seconds for crawled in crawls) * 1000,
            limit=median(limits),
            factor=1.3,
            note=f"{median(crawled.cpu_s for crawled in crawls) * 1000:,.0f} ms of processor; "
            f"peak {max(crawled.peak_kib for crawled in crawls) / 1024:,.0f} MiB; "
            f"start apart: {median(crawled.start_s for crawled in crawls) * 1000:,.0f} ms",
        )


def unchanged(workshop: Workshop) -> Iterator[Figure]:
    """A crawl of 10,000 objects in which nothing changed, against listing them."""
    bucket, home = workshop.buckets.filled(LARGE), workshop.buckets.homes.crawled(LARGE)
    crawl = unchanged_crawler(home, "store")
    writes = written(home, crawl)
    pair = interleaved(crawl, lambda: len(bare_s3.listing(bucket)), runs=7, what="objects")
    yield Figure(
        name="s3-again",
        what=f"unchanged re-crawl of {pair.answer:,} Parquet objects, against listing them by boto3",
        ours=pair.ours_ms,
        limit=pair.limit_ms,
        note=f"{writes}; {pair.cpu_ms:,.0f} ms of processor",
    )


def _registered(home: Path) -> dict[str, list[tuple[str, str]]]:
    """Names and Arrow types of the columns of each object, as the catalogue knows them."""
    from hms_registry.bootstrap import Registry

    with Registry.open(home) as registry, registry.catalogue.unit() as uow:
        return {
            dataset.location.split("/", 3)[3]: [(column.name, column.arrow_type) for column in dataset.columns]
            for dataset in uow.datasets.iter(source="store")
        }
