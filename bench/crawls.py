"""Crawls: the first, the unchanged next one, and the memory that they take."""

from __future__ import annotations

import csv
import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import Figure, require_equal
from bench.stores import KINDS, LARGE, SMALL, Workshop
from bench.timing import interleaved, timed

if TYPE_CHECKING:
    from hms_crawler import Report


def recrawl(workshop: Workshop) -> Iterator[Figure]:
    """An unchanged crawl of 10,000 datasets, against the barest listing that could tell."""
    for kind in KINDS:
        home = workshop.home(kind, LARGE)
        bare = _count_files if kind == "files" else _count_tables
        pair = interleaved(unchanged_crawler(home, kind), partial(bare, home), runs=15, what=f"{kind} listed")
        yield Figure(
            name="recrawl",
            what=f"unchanged re-crawl of {pair.answer:,} {kind}, against the bare listing",
            ours=pair.ours_ms,
            limit=pair.limit_ms,
            factor=1.5,
            note=written(home, unchanged_crawler(home, kind)),
        )


def first_crawl(workshop: Workshop) -> Iterator[Figure]:
    """The first crawl, against opening each file or asking each table for its columns."""
    for kind in KINDS:
        crawled = workshop.first_crawl(kind, LARGE)
        home = workshop.home(kind, LARGE)
        limit_ms, opened = timed(partial(_read_heads if kind == "files" else _columns, home))
        require_equal(crawled.listed, opened, f"{kind} looked into")
        yield Figure(
            name="first-crawl",
            what=f"first crawl of {crawled.listed:,} {kind}, against reading each one's columns",
            ours=crawled.seconds * 1000,
            limit=limit_ms,
            note=f"{crawled.listed / crawled.seconds:,.0f} datasets/s",
        )


def memory(workshop: Workshop) -> Iterator[Figure]:
    """Peak memory of a first crawl of 10,000 datasets, against that of 1,000."""
    for kind in KINDS:
        small, large = workshop.first_crawl(kind, SMALL), workshop.first_crawl(kind, LARGE)
        each = (large.peak_kib - small.peak_kib) / (large.listed - small.listed)
        yield Figure(
            name="memory",
            what=f"peak memory of crawling {large.listed:,} {kind}, against {small.listed:,}",
            unit="MiB",
            ours=large.peak_kib / 1024,
            limit=small.peak_kib / 1024,
            factor=1.15,
            note=f"{each:+.2f} KiB per dataset more",
        )


def crawler(home: Path, source: str) -> Callable[[], Report]:
    """Return what crawls a source of a home in this process, with the catalogue open."""
    from hms_crawler import crawl_all
    from hms_registry.bootstrap import Registry, now

    registry = Registry.open(home)

    def crawl() -> Report:
        (report,) = crawl_all(
            [registry.sources[source]],
            open_adapter=registry.adapters,
            catalogue=registry.catalogue,
            clock=now,
            withheld=registry.adapters.withheld,
        )
        if not report.is_ok:
            raise RuntimeError(f"the crawl of {home.name} failed: {report.error or report.failures}")
        return report

    return crawl


def unchanged_crawler(home: Path, source: str) -> Callable[[], int]:
    """Return what crawls a source once more, and says how many datasets were as before: all, without a look."""
    crawl = crawler(home, source)

    def again() -> int:
        report = crawl()
        require_equal(str(report.state), "unchanged", "the state of an unchanged source")
        return report.balance.unchanged

    return again


def bare_files(home: Path) -> list[tuple[str, int, int]]:
    """Walk a folder with os.scandir, and look at each file's size and time."""
    found, folders = [], [str(home / "lake")]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    status = entry.stat()
                    found.append((entry.path, status.st_size, status.st_mtime_ns))
    return found


def bare_tables(home: Path) -> list[tuple[str, str]]:
    """Ask SQLite's own catalogue, in one query."""
    with closing(sqlite3.connect(f"file:{home}/store.db?mode=ro", uri=True)) as store:
        return store.execute("SELECT name, sql FROM sqlite_schema WHERE type IN ('table', 'view')").fetchall()


def _count_files(home: Path) -> int:
    return len(bare_files(home))


def _count_tables(home: Path) -> int:
    return len(bare_tables(home))


def _read_heads(home: Path) -> int:
    headers = []
    for path, _, _ in bare_files(home):
        with Path(path).open(encoding="utf-8", newline="") as file:
            headers.append(next(csv.reader(file)))
    return len(headers)


def _columns(home: Path) -> int:
    columns = "SELECT t.name, x.* FROM sqlite_schema AS t, pragma_table_xinfo(t.name) AS x WHERE t.type = 'table'"
    with closing(sqlite3.connect(f"file:{home}/store.db?mode=ro", uri=True)) as store:
        return len({row[0] for row in store.execute(columns)})


def written(home: Path, crawl: Callable[[], object]) -> str:
    """Crawl once more and compare every row of the catalogue: the crawl's own must be the only one that is new. (The
    row of the epoch has another mark then.)"""
    before = _rows(home)
    crawl()
    after = _rows(home)
    added = {table: len(after[table] - rows) for table, rows in before.items() if after[table] != rows}
    removed = sum(len(rows - after[table]) for table, rows in before.items())
    require_equal((added, removed), ({"crawls": 1, "epoch": 1}, 1), "what an unchanged crawl writes")
    return "writes: 1 crawl row"


def _rows(home: Path) -> dict[str, set[bytes]]:
    with closing(sqlite3.connect(f"file:{home}/.hms-dta/catalogue.db?mode=ro", uri=True)) as store:
        tables = [row[0] for row in store.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {
            table: {
                hashlib.blake2b(repr(row).encode("utf-8", "surrogatepass"), digest_size=16).digest()
                for row in store.execute(f'SELECT * FROM "{table}"')
            }
            for table in tables
        }
