"""Pagila, a real schema, is crawled whole: nothing of pg_class, no key and no view column is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hms_registry.domain.crawls import CrawlState
from hms_registry.domain.datasets import DatasetKind, DescribedDataset
from hms_registry.domain.edges import EdgeKind
from postgres_crawling import Registry, adapter_of, registry
from services.postgres import Database, PostgresServer

_SCHEMA = Path(__file__).parent.parent / "data" / "pagila-schema.sql"
_FOREIGN_KEYS = """
SELECT c.relname, (SELECT string_agg(attname, ',' ORDER BY attname) FROM pg_attribute
                   WHERE attrelid = conrelid AND attnum = ANY (conkey)), confrelid::regclass::text
FROM pg_constraint JOIN pg_class c ON c.oid = conrelid WHERE contype = 'f'
"""


@pytest.fixture(scope="module")
def pagila(postgres_server: PostgresServer) -> Iterator[Database]:
    """Pagila's schema."""
    with postgres_server.database() as database:
        database.execute("DROP SCHEMA public", "CREATE SCHEMA public", _SCHEMA.read_text())
        yield database


@pytest.fixture(scope="module")
def crawled(pagila: Database) -> Iterator[Registry]:
    """A catalogue after one crawl of it."""
    with registry() as fresh:
        report = fresh.crawl(pagila.url)
        assert (report.state, report.is_ok, report.failures) == (CrawlState.COMPLETE, True, ())
        yield fresh


def test_every_relation_is_there_and_the_partitions_are_counted(pagila: Database, crawled: Registry) -> None:
    """What pg_class holds of relations is what is registered, leaf partitions in their parent."""
    relations = pagila.rows(
        "SELECT relname, relispartition FROM pg_class WHERE relkind IN ('r','p','v','m','f')"
        " AND relnamespace = 'public'::regnamespace"
    )
    leaves = [name for name, is_partition in relations if is_partition]

    datasets = crawled.datasets()

    assert set(datasets) == {f"public.{name}" for name, is_partition in relations if not is_partition}
    payment = datasets["public.payment"]
    assert payment.observation.file_count == len(leaves) > 0
    assert payment.properties["partitions"] == str(len(leaves))
    assert payment.properties["partitioned_by"] == "RANGE (payment_date)"
    assert datasets["public.rental_by_category"].kind is DatasetKind.VIEW


def test_every_type_is_spelled_as_the_server_spells_it(pagila: Database, crawled: Registry) -> None:
    """Each column's native type is format_type's text, its nullability and order the table's."""
    pagila_columns = pagila.rows(
        "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull"
        " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r','p','v','m','f')"
        " AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum"
    )

    found = [
        (dataset.address.table, column.name, column.native_type.replace("public.", ""), column.is_nullable)
        for _, dataset in sorted(crawled.datasets().items())
        for column in dataset.columns
    ]

    expected = [(table, name, str(kind).replace("public.", ""), null) for table, name, kind, null in pagila_columns]
    assert sorted(found) == sorted(expected)
    film = crawled.datasets()["public.film"]
    assert {column.name: (column.native_type, column.trino_type) for column in film.columns} == {
        "film_id": ("integer", "integer"),
        "title": ("text", "varchar"),
        "description": ("text", "varchar"),
        "release_year": ("public.year", "integer"),
        "language_id": ("integer", "integer"),
        "original_language_id": ("integer", "integer"),
        "rental_duration": ("smallint", "smallint"),
        "rental_rate": ("numeric(4,2)", "decimal(4,2)"),
        "length": ("smallint", "smallint"),
        "replacement_cost": ("numeric(5,2)", "decimal(5,2)"),
        "rating": ("public.mpaa_rating", "varchar"),
        "last_update": ("timestamp with time zone", "timestamp(6) with time zone"),
        "special_features": ("text[]", "array(varchar)"),
        "fulltext": ("tsvector", "varchar"),
    }


def test_every_foreign_key_is_an_edge(pagila: Database, crawled: Registry) -> None:
    """Also those that only partitions state: they are their parent's."""
    leaves = {name for (name,) in pagila.rows("SELECT relname FROM pg_class WHERE relispartition")}
    stated = {
        ("payment" if table in leaves else table, column, str(target).removeprefix("public."))
        for table, column, target in pagila.rows(_FOREIGN_KEYS)
    }
    names = {dataset.id: dataset.address.table for dataset in crawled.datasets().values()}

    found = {
        (names[edge.downstream], edge.downstream_column, names[edge.upstream])
        for dataset in crawled.datasets().values()
        for edge in crawled.edges("public", dataset.address.table)
        if edge.kind is EdgeKind.REFERENCES
    }

    assert found == stated
    assert len(stated) > 15


def test_every_view_column_has_an_origin(crawled: Registry) -> None:
    """Each column of a view is one end of a derives edge, and no view has an origin that is unknown."""
    views = {name: each for name, each in crawled.datasets().items() if each.kind is DatasetKind.VIEW}

    bare = {
        f"{name}.{column.name}"
        for name, view in views.items()
        for column in view.columns
        if not [
            edge
            for edge in crawled.edges("public", view.address.table)
            if edge.kind is EdgeKind.DERIVES and edge.downstream_column == column.name and edge.upstream_column
        ]
    }

    assert len(views) == 8
    assert bare == set()
    assert [name for name, view in views.items() if view.labels.has_unknown_origin] == []


def test_a_second_crawl_sees_that_nothing_changed(pagila: Database, crawled: Registry) -> None:
    """It is unchanged by the snapshot, and after commits elsewhere by the stamp."""
    assert crawled.crawl(pagila.url).state is CrawlState.UNCHANGED

    pagila.execute("INSERT INTO public.language (name) VALUES ('Kashubian')")

    assert crawled.crawl(pagila.url).state is CrawlState.UNCHANGED


def test_a_view_and_a_table_are_located_by_their_url(pagila: Database, crawled: Registry) -> None:
    """`locate` finds what `describe` told, and nothing of another database."""
    adapter = adapter_of(pagila.url)
    film = crawled.datasets()["public.film"]

    found = adapter.locate(film.location)

    assert found is not None
    (described,) = adapter.describe([found])
    assert isinstance(described, DescribedDataset)
    assert (described.ref.address, described.ref.locator) == (film.address, film.locator)
    assert adapter.locate(film.location.replace(pagila.name, "elsewhere")) is None
    assert adapter.locate(f"postgresql://127.0.0.1:{pagila.port}/{pagila.name}#public/nothing") is None
