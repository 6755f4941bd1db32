"""A right that is taken makes no listing shorter: what the account may not see any more is not gone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from hms_crawler import Report, crawl_all
from hms_registry.domain.crawls import CrawlState
from hms_registry.domain.datasets import DatasetState
from hms_registry.domain.sources import Source
from hms_registry.ports.catalogue import Catalogue
from hms_registry.services.adapters import load_adapter
from services.postgres import Database, PostgresServer
from services.seaweedfs import Bucket


def _crawl(kind: str, url: str, catalogue: Catalogue, options: Mapping[str, str]) -> Report:
    adapter = load_adapter(kind)
    (report,) = crawl_all(
        [Source(name="shop", kind=kind, url=f"{kind}:")],
        open_adapter=lambda _: adapter(adapter.config.from_url(source="shop", url=url, options=options)),
        catalogue=catalogue,
        clock=lambda: datetime.now(UTC),
    )
    return report


def _states(catalogue: Catalogue) -> list[DatasetState]:
    with catalogue.unit() as uow:
        return [known.state for known in uow.registrations.known("shop").values()]


def test_a_key_that_may_list_no_more_takes_nothing_away(bucket: Bucket, memory: Catalogue) -> None:
    """The store refuses, and the run says so: each time, however often it is tried."""
    bucket.put({f"shut/{name}.csv": b"id\n1\n" for name in "abc"})
    url = f"s3://{bucket.name}"
    assert _crawl("s3", url, memory, bucket.options()).is_ok

    reports = [_crawl("s3", url, memory, bucket.options(bucket.prefix_reader)) for _ in range(3)]

    assert [report.state for report in reports] == [CrawlState.FAILED] * 3
    assert "its key may not list" in reports[0].error
    assert _states(memory) == [DatasetState.PRESENT] * 3


def test_a_role_that_may_read_nothing_any_more_takes_nothing_away(
    postgres_server: PostgresServer, postgres_database: Database, memory: Catalogue
) -> None:
    """PostgreSQL lists what one may not read: it is registered as that."""
    postgres_server.role("rights_taken")
    postgres_database.execute("CREATE SCHEMA s", *(f"CREATE TABLE s.{name} (id int)" for name in "abc"))
    assert _crawl("postgres", postgres_database.url, memory, {}).is_ok

    report = _crawl("postgres", postgres_database.url_of("rights_taken"), memory, {})

    assert report.is_ok and (report.balance.gone, report.balance.suspect) == (0, 0)
    assert _states(memory) == [DatasetState.PRESENT] * 3
    with memory.unit() as uow:
        assert not any(dataset.is_readable for dataset in uow.datasets.iter())


def test_a_database_that_is_emptied_takes_nothing_away(postgres_database: Database, memory: Catalogue) -> None:
    """A snapshot is believed, but not when it says that everything is gone."""
    postgres_database.execute("CREATE SCHEMA s", *(f"CREATE TABLE s.{name} (id int)" for name in "abc"))
    assert _crawl("postgres", postgres_database.url, memory, {}).is_ok
    postgres_database.execute("DROP SCHEMA s CASCADE")

    reports = [_crawl("postgres", postgres_database.url, memory, {}) for _ in range(2)]

    assert [(report.state, report.balance.gone) for report in reports] == [(CrawlState.STOPPED, 0)] * 2
    assert _states(memory) == [DatasetState.SUSPECT] * 3
