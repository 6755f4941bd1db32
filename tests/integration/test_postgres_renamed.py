"""A table that PostgreSQL renames stays the dataset that it was; what only looks like it does not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hms_registry.domain.manifests import Manifest
from hms_registry.domain.names import Address
from hms_registry.ports.records import Event
from postgres_crawling import Registry, registry
from services.postgres import Database


@pytest.fixture
def crawled(postgres_database: Database) -> Iterator[Registry]:
    """A catalogue that knows four tables, and a view over one of them."""
    alter(
        postgres_database,
        "CREATE SCHEMA s; CREATE TABLE s.calls (id int); CREATE TABLE s.berths (id int);"
        "CREATE TABLE s.pilots (id int); CREATE TABLE s.tugs (id int); CREATE VIEW s.recent AS SELECT id FROM s.calls",
    )
    with registry() as made:
        assert made.crawl(postgres_database.url).is_ok
        yield made


def alter(database: Database, statements: str) -> None:
    with database.connect() as session:
        session.execute(statements.encode())


def ids(crawled: Registry) -> dict[str, str]:
    return {name: dataset.id for name, dataset in crawled.datasets().items()}


def events(crawled: Registry, *, after: int) -> list[Event]:
    with crawled.catalogue.unit() as uow:
        return uow.outbox.since(after)


def epoch(crawled: Registry) -> int:
    with crawled.catalogue.unit() as uow:
        return uow.epoch()


@pytest.mark.parametrize(
    ("statement", "schema", "table"),
    [
        ("ALTER TABLE s.calls RENAME TO visits", "s", "visits"),
        ('CREATE SCHEMA "S 2"; ALTER TABLE s.calls SET SCHEMA "S 2"', "S 2", "calls"),
        ("ALTER TABLE s.calls RENAME TO visits; ALTER TABLE s.visits ADD COLUMN more text", "s", "visits"),
    ],
)
def test_a_renamed_table_keeps_its_id_and_what_was_stated(
    crawled: Registry, postgres_database: Database, statement: str, schema: str, table: str
) -> None:
    """Its manifest, its versions and its edges are those of the same dataset; nothing is gone, nothing is new."""
    was, address = ids(crawled)["s.calls"], Address("src", schema, table)
    with crawled.catalogue.unit(writes=True) as uow:
        uow.registrations.annotate(Address("src", "s", "calls"), Manifest(name="Calls", source="x", owner="DOT"))
        uow.commit()
    before = epoch(crawled)
    alter(postgres_database, statement)

    report = crawled.crawl(postgres_database.url)

    counts = {name: count for name, count in report.balance.as_dict().items() if name in ("new", "gone", "failed")}
    assert (report.is_ok, counts) == (True, {"new": 0, "gone": 0, "failed": 0})
    now = crawled.datasets()[f"{schema}.{table}"]
    assert (now.id, now.address, now.owner, now.title) == (was, address, "DOT", "Calls")
    assert "s.calls" not in ids(crawled)
    assert [each.upstream for each in crawled.edges("s", "recent")] == [was]
    (renamed,) = [each for each in events(crawled, after=before) if each.kind == "DatasetRenamed"]
    assert (renamed.dataset_id, dict(renamed.payload)) == (was, {"address": str(address), "former": "src.s.calls"})
    assert not {"DatasetGone", "DatasetRegistered"} & {each.kind for each in events(crawled, after=before)}


@pytest.mark.parametrize(
    "statements",
    [
        "DROP VIEW s.recent; DROP TABLE s.calls; CREATE TABLE s.visits (id int)",
        "CREATE TABLE s.visits AS TABLE s.calls; DROP VIEW s.recent; DROP TABLE s.calls",
    ],
)
def test_another_table_of_the_same_look_is_another_dataset(
    crawled: Registry, postgres_database: Database, statements: str
) -> None:
    """The store says that it is not the same one."""
    was = ids(crawled)["s.calls"]
    alter(postgres_database, statements)

    crawled.crawl(postgres_database.url)

    assert ids(crawled)["s.visits"] != was
    assert "s.calls" not in ids(crawled)


def test_tables_that_change_places_keep_their_addresses(crawled: Registry, postgres_database: Database) -> None:
    """As with every tool that builds a table beside the old one and swaps them: readers know it by its name."""
    was = ids(crawled)
    alter(
        postgres_database,
        "ALTER TABLE s.calls RENAME TO old; ALTER TABLE s.berths RENAME TO calls; ALTER TABLE s.old RENAME TO berths",
    )

    report = crawled.crawl(postgres_database.url)

    assert (ids(crawled), report.balance.gone) == (was, 0)


def test_a_name_with_a_past_is_not_taken_over(crawled: Registry, postgres_database: Database) -> None:
    """What was registered under it returns; the renamed one is gone."""
    was = ids(crawled)
    alter(postgres_database, "DROP TABLE s.berths")
    crawled.crawl(postgres_database.url)
    alter(postgres_database, "ALTER TABLE s.calls RENAME TO berths")

    report = crawled.crawl(postgres_database.url)

    del was["s.calls"]
    assert ids(crawled) == was
    assert (report.balance.gone, report.balance.is_balanced) == (1, True)
