"""Profiles of MongoDB collections: off the sample that a crawl reads anyhow, with no further command."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from bson import Int64, ObjectId
from pymongo.monitoring import CommandListener, CommandStartedEvent

from hms_crawler import Report
from hms_mongo.client import Client
from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.profiles import ColumnProfile, KeptProfile, Method, TopValue
from hms_registry.domain.sources import Source
from mongo_crawling import Registry, adapter_of, registry
from services.mongo import MongoDatabase

DOCUMENTS: list[dict[str, object]] = [
    {"_id": ObjectId(), "ward": "north", "who": {"name": "Ada", "age": 36}, "tags": ["a"], "n": 1, "mixed": 1},
    {"_id": ObjectId(), "ward": "south", "who": {"name": "Cem", "age": 52}, "tags": [], "n": 2.5, "mixed": "1"},
    {"_id": ObjectId(), "ward": "south", "who": None, "n": Int64(7), "at": datetime(2024, 5, 1, tzinfo=UTC)},
    {"_id": ObjectId(), "ward": "x" * 101, "who": {}, "n": None, "at": datetime(2023, 5, 1, tzinfo=UTC)},
]


class Commands(CommandListener):
    """Counts what reaches the server."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: CommandStartedEvent) -> None:
        self.names.append(event.command_name)

    def succeeded(self, event: object) -> None:
        """It counts what was asked."""

    def failed(self, event: object) -> None:
        """It counts what was asked."""


@pytest.fixture
def crawled() -> Iterator[Registry]:
    """An empty catalogue."""
    with registry() as made:
        yield made


def crawl(into: Registry, database: MongoDatabase, *, profile: bool = True) -> tuple[Report, list[str]]:
    """Crawl; return with the report what was asked of the server, without what a connection takes."""
    commands = Commands()
    adapter = adapter_of(database.url)
    adapter._client = Client(adapter._config, listeners=[commands])
    place, tier = "mongodb://db.example/", PrivacyTier.PUBLIC
    source = Source(name="src", kind="mongo", url=place, privacy_tier=tier, profile=profile)
    report = into.crawl_by(lambda: adapter, source)
    return report, [name for name in commands.names if name not in ("hello", "ping", "endSessions")]


def kept(registry: Registry, table: str) -> KeptProfile:
    dataset = registry.datasets()[table]
    with registry.catalogue.unit() as uow:
        found = uow.profiles.of([dataset.id]).get(dataset.id)
    assert found is not None
    return found


def columns(registry: Registry, table: str) -> dict[str, ColumnProfile]:
    return {str(each.path): each for each in kept(registry, table).profile.columns}


def test_a_profile_is_of_the_sample_at_every_depth(crawled: Registry, mongo_database: MongoDatabase) -> None:
    """Counts of each field; values where all are of one kind that has an order; none of arrays and long texts."""
    mongo_database.insert("visits", DOCUMENTS)

    assert crawl(crawled, mongo_database)[0].is_ok

    assert (kept(crawled, "visits").profile.method, kept(crawled, "visits").profile.rows) == (Method.SAMPLE, 4)
    found = columns(crawled, "visits")
    assert (found["n"].nulls, found["n"].distinct, found["n"].minimum, found["n"].maximum) == (1, 3, "1", "7")
    assert found["ward"].top == (TopValue(value="south", share=0.5),)
    assert (found["ward"].minimum, found["ward"].maximum) == ("north", None)
    assert (found["who.age"].nulls, found["who.age"].minimum, found["who.age"].maximum) == (2, "36", "52")
    assert (found["at"].minimum, found["at"].maximum) == ("2023-05-01 00:00:00+00:00", "2024-05-01 00:00:00+00:00")
    assert (found["mixed"].distinct, found["mixed"].minimum) == (2, None)
    assert (found["tags"].nulls, found["tags"].distinct, found["tags"].holds_values) == (2, None, False)
    assert found["_id"].holds_values is False


def test_a_profile_costs_no_further_command(crawled: Registry, mongo_database: MongoDatabase) -> None:
    """As many commands with profiles as without; what did not change is not written again, and what did makes no
    version."""
    for name in ("visits", "wards"):
        mongo_database.insert(name, [dict(each) for each in DOCUMENTS])
    crawl(crawled, mongo_database, profile=False)
    _, without = crawl(crawled, mongo_database, profile=False)
    _, first = crawl(crawled, mongo_database)
    before = {name: kept(crawled, name) for name in ("visits", "wards")}
    mongo_database.insert("visits", [{"_id": ObjectId(), "ward": "north"}])

    report, again = crawl(crawled, mongo_database)

    assert (sorted(first), sorted(again)) == (sorted(without), sorted(without))
    assert (report.balance.unchanged, kept(crawled, "wards")) == (2, before["wards"])
    assert (kept(crawled, "visits").profile.rows, kept(crawled, "visits").version) == (5, before["visits"].version)
