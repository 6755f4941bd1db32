"""Crawls of PostgreSQL: the first, the one in which nothing changed, and the one in which one table of 10,000 did."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median

from bench import ROOT, bare_postgres
from bench.crawled import Crawled
from bench.crawls import crawler, unchanged_crawler, written
from bench.databases import COLUMNS, table_name
from bench.figures import Figure, require_equal
from bench.joins import WHO
from bench.stores import LARGE, SMALL, Workshop
from bench.timing import hms_dta, interleaved, median_ms, output_of, timed
from services.postgres import Database

NIGHTLY = 100_000
_RUNS = {SMALL: 7, LARGE: 3, NIGHTLY: 1}
_CHANGES = 7


def first_crawl(workshop: Workshop) -> Iterator[Figure]:
    """The first crawl of 1,000 and of 10,000 tables, against the bare catalogue queries; and its memory."""
    for size in (SMALL, LARGE):
        yield from _first(workshop, size)


def nightly(workshop: Workshop) -> Iterator[Figure]:
    """The same of 100,000 tables, which take minutes to make."""
    yield from _first(workshop, NIGHTLY)


def _first(workshop: Workshop, size: int) -> Iterator[Figure]:
    database = workshop.databases.filled(size)
    crawls: list[Crawled] = []
    limits: list[float] = []
    bare_postgres.catalogue(database)
    workshop.servers.forget_statements()
    for _ in range(_RUNS[size]):
        crawls.append(workshop.databases.homes.crawl(size))
        if len(crawls) == 1:
            asked = sum(calls for _, calls, _ in workshop.servers.statements(database))
        limit_ms, rows = timed(partial(bare_postgres.catalogue, database))
        limits.append(limit_ms)
    home = workshop.databases.homes.crawled(size)
    require_equal(_registered(home), bare_postgres.known(*rows), "what is known of each table")
    _require_found(home, " ".join(table_name(size // 2)))
    what = f"{size:,} tables of {COLUMNS} columns"
    yield Figure(
        name="postgres-first",
        what=f"first crawl of {what}, registered and searchable, against the bare catalogue queries",
        ours=median(crawled.seconds for crawled in crawls) * 1000,
        limit=median(limits),
        factor=4.0,
        note=f"{median(crawled.cpu_s for crawled in crawls) * 1000:,.0f} ms of processor, {asked} statements at the "
        f"server; start apart: {median(crawled.start_s for crawled in crawls) * 1000:,.0f} ms",
    )
    yield Figure(
        name="postgres-first",
        what=f"peak memory of that crawl's process, {what}",
        unit="MiB",
        ours=max(crawled.peak_kib for crawled in crawls) / 1024,
        allowance=200,
    )


def unchanged(workshop: Workshop) -> Iterator[Figure]:
    """A crawl of 10,000 tables in which nothing changed, against one query that asks for the stamp of each."""
    database, home = workshop.databases.filled(LARGE), workshop.databases.homes.crawled(LARGE)
    crawl = unchanged_crawler(home, "store")

    def ask() -> int:
        return len(bare_postgres.stamps(database))

    writes = written(home, crawl)
    moment_ms = median_ms(lambda: bare_postgres.moment(database), runs=7)
    quiet = interleaved(crawl, ask, runs=15, what="tables")
    yield Figure(
        name="postgres-again",
        what=f"unchanged re-crawl of {quiet.answer:,} tables, nothing committed, against one query of all stamps",
        ours=quiet.ours_ms,
        limit=quiet.limit_ms,
        factor=1.5,
        note=f"{writes}; a snapshot asked for alone: {moment_ms:.1f} ms",
    )
    # Any commit in the cluster moves the snapshot, and then the stamps decide.
    busy = interleaved(crawl, ask, runs=15, what="tables", before=partial(_commit, database))
    yield Figure(
        name="postgres-again",
        what=f"the same {busy.answer:,} tables after a commit that changed no schema, against that query",
        ours=busy.ours_ms,
        limit=busy.limit_ms,
        factor=1.5,
        note=f"{writes}; {busy.cpu_ms:,.0f} ms of processor",
    )


def one_changed(workshop: Workshop) -> Iterator[Figure]:
    """A crawl of 10,000 tables of which one has a new column, against the query that asks for each table's stamp."""
    database, home = workshop.databases.filled(LARGE), workshop.databases.homes.crawled(LARGE)
    crawl = crawler(home, "store")
    crawl()
    ours, limits = [], []
    before = set(bare_postgres.stamps(database))
    for run in range(_CHANGES):
        schema, table = table_name(run * 1_237 % LARGE)
        database.execute(f"ALTER TABLE {schema}.{table} ADD COLUMN depth_{run} integer")
        epoch = _epoch(home)
        our_ms, _ = timed(crawl)
        limit_ms, rows = timed(partial(bare_postgres.stamps, database))
        after = set(rows)
        require_equal(_news(home, since=epoch), [(schema, table)] * 2, "the one version and the one event")
        require_equal({row[:2] for row in after - before}, {(schema, table)}, "the one new stamp")
        before = after
        ours.append(our_ms)
        limits.append(limit_ms)
    yield Figure(
        name="postgres-changed",
        what=f"re-crawl of {LARGE:,} tables of which one changed, against one query of all stamps",
        ours=median(ours),
        limit=median(limits),
        factor=1.5,
        note="1 version, 1 event each",
    )


def _registered(home: Path) -> dict[tuple[str, str], bare_postgres.Known]:
    """What the catalogue knows of each table, in the shape of `bare_postgres.known`."""
    from hms_registry.bootstrap import Registry

    with Registry.open(home) as registry, registry.catalogue.unit() as uow:
        return {
            (dataset.address.schema, dataset.address.table): (
                dataset.owner,
                dataset.description,
                dataset.primary_key,
                tuple((c.name, c.native_type, c.is_nullable, c.description) for c in dataset.columns),
            )
            for dataset in uow.datasets.iter(source="store")
        }


def _require_found(home: Path, words: str) -> None:
    """Search as somebody who may find everything: exactly one dataset has such a name."""
    output_of(hms_dta("--home", str(home), "policy", "publish", str(ROOT / "examples" / "policies")))
    found = json.loads(output_of(hms_dta("--home", str(home), "search", words, "--as", WHO, "--json")))
    require_equal(found["total"], 1, f"how many datasets {words!r} finds")


def _commit(database: Database) -> None:
    database.execute("SELECT pg_current_xact_id()")


def _epoch(home: Path) -> int:
    ((epoch,),) = _catalogue_rows(home, "SELECT value FROM epoch")
    assert isinstance(epoch, int)
    return epoch


def _news(home: Path, *, since: int) -> list[tuple[object, ...]]:
    """The tables of which a version, or an event, was written since an epoch."""
    of = "SELECT d.schema_name, d.table_name FROM {} n JOIN datasets d ON d.id = n.dataset_id WHERE n.epoch > {}"
    return [row for table in ("versions", "outbox") for row in _catalogue_rows(home, of.format(table, since))]


def _catalogue_rows(home: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{home}/.hms-dta/catalogue.db?mode=ro", uri=True)) as store:
        return store.execute(query).fetchall()
