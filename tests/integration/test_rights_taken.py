"""A right that is taken makes no listing shorter: what the account may not see any more is not gone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from hms_crawler import Report, crawl_all
from hms_registry.domain.crawls import CrawlState
from hms_registry.domain.datasets import DatasetState
from hms_registry.domain.sources import Source
from hms_registry.ports.catalogue import Catalogue
from hms_registry.services.adapters import load_adapter
from services.hive import HiveServer
from services.hive_tables import HiveDatabase
from services.odd_mongo import OddMongo
from services.postgres import Database, PostgresServer
from services.seaweedfs import Bucket

DENIED = {"ok": 0, "code": 13, "codeName": "Unauthorized", "errmsg": "not authorized"}


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


def _shut(odd: OddMongo, *names: str, patch: pytest.MonkeyPatch) -> None:
    """Take the account's rights on databases: they are not told any more, and refused to who asks."""
    answer = odd.answer

    def rights_taken(_self: OddMongo, command: dict[str, object]) -> dict[str, object]:
        if command.get("$db") in names:
            return DENIED
        told = answer(command)
        if "listDatabases" in command:
            told["databases"] = [each for each in told["databases"] if each["name"] not in names]
        return told

    patch.setattr(OddMongo, "answer", rights_taken)


@pytest.mark.parametrize("shut", [("shop",), ("shop", "port")], ids=["one of two databases", "both"])
def test_databases_that_mongodb_hides_from_who_may_not_see_them_are_not_gone(
    odd_mongo: OddMongo, memory: Catalogue, monkeypatch: pytest.MonkeyPatch, shut: tuple[str, ...]
) -> None:
    """They are asked for all the same, and the refusal is told, each time."""
    for name in ("port", "shop"):
        odd_mongo.collection(name, "a").put({"_id": 1})
    odd_mongo.collection("port", "b").put({"_id": 1})
    assert _crawl("mongo", odd_mongo.url, memory, {}).is_ok
    _shut(odd_mongo, *shut, patch=monkeypatch)

    reports = [_crawl("mongo", odd_mongo.url, memory, {}) for _ in range(3)]

    failed = [sorted(failure.subject for failure in report.failures) for report in reports]
    assert failed == [[f"database {name}" for name in sorted(shut)]] * 3
    assert [report.state for report in reports] == [CrawlState.PARTIAL] * 3
    assert _states(memory) == [DatasetState.PRESENT] * 3


def test_a_database_of_mongodb_that_is_dropped_is_gone_after_two_runs(odd_mongo: OddMongo, memory: Catalogue) -> None:
    """To be asked for what is not there any more is no refusal."""
    for name in ("port", "shop"):
        odd_mongo.collection(name, "a").put({"_id": 1})
    odd_mongo.collection("port", "b").put({"_id": 1})
    assert _crawl("mongo", odd_mongo.url, memory, {}).is_ok
    del odd_mongo.databases["shop"]

    reports = [_crawl("mongo", odd_mongo.url, memory, {}) for _ in range(2)]

    assert [(report.balance.suspect, report.balance.gone) for report in reports] == [(1, 0), (0, 1)]


def test_a_hive_that_names_no_table_any_more_takes_nothing_away(hive_database: HiveDatabase, memory: Catalogue) -> None:
    """A metastore hides what one may not see, and says of it what it says of what was dropped: the brake holds it."""
    for name in "abc":
        hive_database.add(name, {"id": "int"})
    url = f"{hive_database.metastore}/{hive_database.name}"
    assert _crawl("hive", url, memory, {}).is_ok
    for name in "abc":
        hive_database.drop(name)

    reports = [_crawl("hive", url, memory, {}) for _ in range(3)]

    assert [report.state for report in reports] == [CrawlState.COMPLETE, CrawlState.STOPPED, CrawlState.STOPPED]
    assert [report.balance.gone for report in reports] == [0] * 3
    assert _states(memory) == [DatasetState.SUSPECT] * 3


def test_a_hive_database_that_is_not_shown_any_more_takes_nothing_away(
    hive_database: HiveDatabase, memory: Catalogue
) -> None:
    """The one that the url names is asked for, and that it is not there is an error."""
    hive_database.add("a", {"id": "int"})
    url = f"{hive_database.metastore}/{hive_database.name}"
    assert _crawl("hive", url, memory, {}).is_ok
    hive_database.remove()

    reports = [_crawl("hive", url, memory, {}) for _ in range(2)]
    hive_database.create()

    assert [report.state for report in reports] == [CrawlState.FAILED] * 2
    assert reports[0].error == f"source shop: there is no database '{hive_database.name}'"
    assert _states(memory) == [DatasetState.PRESENT]


@pytest.mark.slow
def test_a_hiveserver2_without_its_metastore_takes_nothing_away(
    hive_server: HiveServer, hive_database: HiveDatabase, memory: Catalogue
) -> None:
    """It answers, and knows no table: that is a failure of the source and no empty list."""
    for name in "abc":
        hive_database.add(name, {"id": "int"})
    url = f"{hive_server.running.url}/{hive_database.name}"
    assert _crawl("hive", url, memory, {}).is_ok

    with hive_server.without_metastore():
        report = _crawl("hive", url, memory, {})

    assert (report.state, report.error) == (CrawlState.FAILED, "source shop: its HiveServer2 failed at a call")
    assert _states(memory) == [DatasetState.PRESENT] * 3
    assert _crawl("hive", url, memory, {}).balance.unchanged == 3
