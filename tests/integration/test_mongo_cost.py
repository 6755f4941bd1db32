"""What a crawl of MongoDB costs, counted in commands, documents and bytes as the driver's own monitoring sees them."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

import pytest
from bson import ObjectId
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from hms_mongo.client import Client
from hms_mongo.config import MongoConfig
from hms_mongo.listing import list_collections
from hms_mongo.looking import Look, look_at
from mongo_crawling import registry
from services.mongo import MongoDatabase
from services.odd_mongo import OddMongo


@dataclass
class Meter(CommandListener):
    """Counts what goes over the wire."""

    commands: Counter[str] = field(default_factory=Counter)
    documents: int = 0

    def started(self, event: CommandStartedEvent) -> None:
        self.commands[event.command_name] += 1

    def succeeded(self, event: CommandSucceededEvent) -> None:
        cursor = event.reply.get("cursor", {})
        if event.command_name in ("find", "getMore"):
            batch = cursor.get("firstBatch", cursor.get("nextBatch", []))
            self.documents += len(batch) if isinstance(batch, list) else 0

    def failed(self, event: CommandFailedEvent) -> None:
        self.commands[f"failed {event.command_name}"] += 1


def _look(url: str, database: str) -> tuple[Meter, Look]:
    """Look at the one collection of a database."""
    meter = Meter()
    client = Client(MongoConfig.from_url(source="src", url=url, options={}), listeners=[meter])
    try:
        until = time.monotonic() + 60
        (listed,), _ = list_collections(client, database, until=until)
        return meter, look_at(client, listed, until=until)
    finally:
        client.close()


@pytest.mark.parametrize(
    "key", [lambda at: at, lambda at: ObjectId(f"{at + (1 << 28):08x}" + "0" * 16)], ids=["int", "id"]
)
def test_a_large_collection_costs_what_a_smaller_one_costs(odd_mongo: OddMongo, key: object) -> None:
    """Thirty times the documents: the same commands, the same documents, the same bytes."""
    costs = []
    for size in (200, 6_000):
        odd_mongo.databases.clear()
        held = odd_mongo.collection("shop", "orders")
        held.put(*({"_id": key(at), "n": at % 100 + 100, "s": "same size"} for at in range(size)))  # type: ignore[operator] # a function
        meter, look = _look(odd_mongo.url, "shop")
        costs.append((dict(meter.commands), look.sampled, _bytes_asked(odd_mongo)))

    assert costs[0] == costs[1]
    assert costs[0][0] == {"ping": 1, "listCollections": 1, "collStats": 1, "listIndexes": 1, "find": 5}
    assert costs[0][1] == 100


def _bytes_asked(odd: OddMongo) -> int:
    """Return how many bytes of documents the finds may have brought, by what they asked for."""
    each = len(next(iter(odd.databases["shop"].values())).documents[0])
    found = sum(command["limit"] for command in odd.asked if "find" in command)
    odd.asked.clear()
    return found * each


def test_a_small_collection_costs_one_find(odd_mongo: OddMongo) -> None:
    """What the bound of documents holds whole is read whole, once."""
    odd_mongo.collection("shop", "orders").put(*({"_id": at} for at in range(100)))

    meter, look = _look(odd_mongo.url, "shop")

    assert meter.commands["find"] == 1
    assert (meter.commands["getMore"], look.sampled) == (0, 100)


def test_a_crawl_samples_each_collection_once(odd_mongo: OddMongo) -> None:
    """Describing takes what listing saw; a crawl without news asks the same, but for describing and edges."""
    for at in range(20):
        odd_mongo.collection("shop", f"t{at}").put({"_id": 1, "n": at})
    asked = []
    with registry() as crawled:
        for _run in range(2):
            odd_mongo.asked.clear()
            assert crawled.crawl(odd_mongo.url).is_ok
            asked.append(Counter(odd_mongo.names()))

    each = {"collStats": 20, "listIndexes": 20, "find": 20, "listDatabases": 2}
    assert asked[0] == {**each, "listCollections": 2}
    assert asked[1] == {**each, "listCollections": 1}


def test_what_is_left_out_by_a_pattern_is_not_looked_at(odd_mongo: OddMongo) -> None:
    """It is listed, and counted as left out."""
    for name in ("wanted", "other"):
        odd_mongo.collection("shop", name).put({"_id": 1})
    with registry() as crawled:
        report = crawled.crawl(odd_mongo.url, include="shop.wanted")

        assert {command["find"] for command in odd_mongo.asked if "find" in command} == {"wanted"}
        assert (report.balance.listed, report.balance.filtered) == (2, 1)


def test_the_wire_server_is_asked_as_much(mongo_database: MongoDatabase) -> None:
    """On a store of its own, counted by the driver."""
    mongo_database.insert("orders", [{"_id": at, "n": at} for at in range(250)])

    meter, look = _look(mongo_database.url, mongo_database.name)

    assert sum(meter.commands.values()) <= 9
    assert look.sampled <= 100
    assert not [name for name in meter.commands if name.startswith("failed")]
