"""One table of a PostgreSQL database changed: what the crawl asks of either side does not grow with the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, LiteralString

import pytest
from sqlalchemy import event

import hms_postgres.adapter
from hms_postgres.queries import LISTING
from hms_postgres.session import Session
from hms_registry.store.unit import SqlCatalogue
from postgres_crawling import Registry, registry
from services.postgres import Database


@dataclass
class Asked:
    """What one crawl asked: of the source, and of the catalogue."""

    of_source: Counter[str] = field(default_factory=Counter)
    of_catalogue: int = 0
    sessions: int = 0


@contextmanager
def asked(crawling: Registry, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    """Count the queries of the crawls in the block."""
    found = Asked()

    class Counted(Session):
        def __init__(self, *args: Any, **settings: Any) -> None:
            found.sessions += 1
            super().__init__(*args, **settings)

        def rows(self, query: LiteralString, *values: object) -> list[tuple[object, ...]]:
            found.of_source[query] += 1
            return super().rows(query, *values)

    def note(*_: object) -> None:
        found.of_catalogue += 1

    assert isinstance(crawling.catalogue, SqlCatalogue)
    engine = crawling.catalogue._opened.engine
    event.listen(engine, "before_cursor_execute", note)
    with monkeypatch.context() as patch:
        patch.setattr(hms_postgres.adapter, "Session", Counted)
        yield found
    event.remove(engine, "before_cursor_execute", note)


def fill(database: Database, *, first: int, last: int) -> None:
    """Make tables, and a view over each."""
    database.execute(
        *(f"CREATE TABLE t_{at} (id int PRIMARY KEY, name text)" for at in range(first, last)),
        *(f"CREATE VIEW v_{at} AS SELECT name FROM t_{at}" for at in range(first, last)),
    )


def test_what_is_asked_does_not_grow_with_what_did_not_change(
    postgres_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same queries with 4 tables and views and with 40, over one session; everything is listed by one of them."""
    counts = []
    with registry() as crawling:
        for first, last in ((0, 2), (2, 20)):
            fill(postgres_database, first=first, last=last)
            crawling.crawl(postgres_database.url)
            postgres_database.execute(f"ALTER TABLE t_{first} ADD COLUMN depth real")

            with asked(crawling, monkeypatch) as found:
                report = crawling.crawl(postgres_database.url)

            assert (report.balance.changed, report.balance.unchanged) == (1, 2 * last - 1)
            counts.append(found)

    few, many = counts
    assert many.of_source == few.of_source
    assert (many.sessions, many.of_source[LISTING]) == (1, 1)
    assert many.of_catalogue <= few.of_catalogue  # classes of labels that were read by then are known


def test_one_changed_table_is_one_version_and_one_event(postgres_database: Database) -> None:
    """Nothing else is told: the views over it and over others stay as they are."""
    fill(postgres_database, first=0, last=3)
    with registry() as crawling:
        crawling.crawl(postgres_database.url)
        before = {name: each.version for name, each in crawling.datasets().items()}
        with crawling.catalogue.unit() as uow:
            epoch = uow.epoch()
        postgres_database.execute("ALTER TABLE t_1 ADD COLUMN depth real")

        crawling.crawl(postgres_database.url)

        after = {name: each.version for name, each in crawling.datasets().items()}
        with crawling.catalogue.unit() as uow:
            events = [each.kind for each in uow.outbox.since(epoch)]
    assert after == {**before, "public.t_1": 2}
    assert events == ["SchemaChanged"]


def test_a_view_follows_the_table_that_it_reads(postgres_database: Database) -> None:
    """Its own rows in PostgreSQL's catalogue did not change, but the column that it reads has another name."""
    fill(postgres_database, first=0, last=2)
    with registry() as crawling:
        crawling.crawl(postgres_database.url)
        postgres_database.execute("ALTER TABLE t_0 RENAME COLUMN name TO title")

        report = crawling.crawl(postgres_database.url)

        edges = crawling.edges("public", "v_0"), crawling.edges("public", "v_1")
    assert (report.balance.changed, report.balance.unchanged) == (1, 3)
    assert [[(each.upstream_column, each.downstream_column) for each in found] for found in edges] == [
        [("title", "name")],
        [("name", "name")],
    ]
