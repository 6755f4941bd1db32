"""What a change of a collection does to its versions: each exactly none or one, and only its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import bson
import pytest
from bson import Decimal128, Int64, ObjectId

from hms_registry.domain.crawls import CrawlState
from hms_registry.domain.datasets import DatasetState
from mongo_crawling import registry
from services.mongo import MongoDatabase
from services.odd_mongo import OddCollection, OddMongo

Change = Callable[[OddCollection], object]


def _index(key: dict[str, object], **more: object) -> dict[str, object]:
    return {"v": 2, "key": key, "name": "made", **more}


def _schema(held: OddCollection, **properties: object) -> None:
    held.options = {"validator": {"$jsonSchema": {"bsonType": "object", "properties": properties}}}


def _replace(held: OddCollection, at: int, **fields: object) -> None:
    document = bson.decode(held.documents[at])
    held.documents[at] = bson.encode({**document, **fields})


def _without(held: OddCollection, name: str) -> None:
    held.documents = [
        bson.encode({key: value for key, value in bson.decode(each).items() if key != name}) for each in held.documents
    ]


CHANGES: tuple[tuple[str, int, Change], ...] = (
    ("nothing", 0, lambda c: None),
    ("a document of the same shape is added", 0, lambda c: c.put({"_id": 900, "n": 1, "s": "x", "a": [1]})),
    ("a hundred more", 0, lambda c: c.put(*({"_id": 900 + at, "n": 1, "s": "x"} for at in range(100)))),
    ("documents are removed", 0, lambda c: c.documents.pop()),
    ("a value changes", 0, lambda c: _replace(c, 0, n=77, s="other")),
    ("a value becomes null", 0, lambda c: _replace(c, 0, n=None)),
    ("a field is left out of one document", 0, lambda c: c.put({"_id": 900, "s": "x"})),
    ("the metadata counts otherwise", 0, lambda c: setattr(c, "count", 1_000_000)),
    ("an index is made", 0, lambda c: c.indexes.append(_index({"n": 1}, unique=True))),
    ("all documents are removed", 0, lambda c: c.documents.clear()),
    ("it is dropped and made anew, alike", 0, lambda c: setattr(c, "uuid", 99)),
    ("it becomes capped", 0, lambda c: c.options.update(capped=True, size=4096)),
    ("a validator of operators", 0, lambda c: c.options.update(validator={"n": {"$gt": 0}})),
    ("a schema that states what was seen", 0, lambda c: _schema(c, n={"bsonType": "int"})),
    ("a schema that only describes", 0, lambda c: _schema(c, n={"description": "how many"})),
    ("a schema states a field that no document has", 1, lambda c: _schema(c, later={"bsonType": "string"})),
    ("a schema allows a further type", 1, lambda c: _schema(c, n={"bsonType": ["int", "string"]})),
    ("a field is added to one document", 1, lambda c: _replace(c, 0, more=1)),
    ("a field is added to a document within", 1, lambda c: _replace(c, 0, d={"x": 1.0, "y": 2.0})),
    ("a field is added to all", 1, lambda c: [_replace(c, at, more="x") for at in range(len(c.documents))]),
    ("a field is removed from all", 0, lambda c: _without(c, "s")),
    ("a field is renamed", 1, lambda c: (_without(c, "s"), _replace(c, 0, t="x"))),
    ("an integer becomes long", 1, lambda c: _replace(c, 0, n=Int64(2**40))),
    ("an integer becomes text once", 1, lambda c: _replace(c, 0, n="one")),
    ("a number becomes decimal", 1, lambda c: _replace(c, 0, n=Decimal128("1.5"))),
    ("a text becomes a date", 1, lambda c: _replace(c, 0, s=datetime(2024, 1, 1, tzinfo=UTC))),
    ("a text becomes an ObjectId", 1, lambda c: _replace(c, 0, s=ObjectId())),
    ("a document becomes an array", 1, lambda c: _replace(c, 0, d=[1, 2])),
    ("items of an array become of two types", 1, lambda c: _replace(c, 0, a=[1, "one"])),
    ("documents only change their order of fields", 0, lambda c: c.documents.sort(key=len)),
)  # fmt: skip


@pytest.mark.parametrize(("expected", "change"), [each[1:] for each in CHANGES], ids=[each[0] for each in CHANGES])
def test_a_change_makes_as_many_versions_as_it_should(odd_mongo: OddMongo, expected: int, change: Change) -> None:
    """The changed collection has 0 or 1 version more, the other none, and the run after that changes nothing."""
    held, other = odd_mongo.collection("shop", "orders"), odd_mongo.collection("shop", "others")
    for each in (held, other):
        each.put(*({"_id": at, "n": at, "s": "text", "d": {"x": 0.5}, "a": [at]} for at in range(30)))
    with registry() as crawled:
        crawled.crawl(odd_mongo.url)

        change(held)
        report = crawled.crawl(odd_mongo.url)
        again = crawled.crawl(odd_mongo.url)

        assert report.is_ok
        assert again.balance.unchanged == again.balance.listed == 2
        assert {name: each.version for name, each in crawled.datasets().items()} == {
            "orders": 1 + expected,
            "others": 1,
        }


def test_a_guess_only_grows_until_an_operator_has_it_made_anew(odd_mongo: OddMongo) -> None:
    """Fields, types and places within, in their order, stay when they leave the sample; `keep_fields` forgets them."""
    held = odd_mongo.collection("shop", "orders")
    held.put({"_id": 1, "rare": 1, "n": 1, "d": {"a": 1, "b": [1]}, "l": [{"x": 1, "y": 2}]}, {"_id": 2, "n": "one"})
    with registry() as crawled:
        crawled.crawl(odd_mongo.url)
        before = crawled.datasets()["orders"]
        held.documents.clear()
        held.put({"_id": 3, "l": [{"y": 2.5}], "d": {"b": []}, "n": 1})

        crawled.crawl(odd_mongo.url)
        grown = crawled.datasets()["orders"]
        for options in ({"keep_fields": "false"}, {}):
            crawled.crawl(odd_mongo.url, **options)
        anew = crawled.datasets()["orders"]

    assert [str(column.path) for column in grown.columns] == [str(column.path) for column in before.columns]
    assert {column.name: column.trino_type for column in grown.columns if len(column.path.segments) == 1} == {
        "_id": "bigint", "rare": "bigint", "n": "varchar", "d": "row(a bigint, b array(bigint))",
        "l": "array(row(x bigint, y double))",
    }  # fmt: skip
    assert (before.version, grown.version, anew.version) == (1, 2, 3)
    assert [str(column.path) for column in anew.columns] == ["_id", "l", "l[].y", "d", "d.b", "n"]


def test_a_view_has_the_fields_that_its_pipeline_gives_it_now(odd_mongo: OddMongo) -> None:
    """What an earlier pipeline named is gone with it."""
    odd_mongo.collection("shop", "orders").put({"_id": 1, "n": 1})
    with registry() as crawled:
        for name in ("old", "new"):
            pipeline = [{"$project": {name: "$n"}}]
            view = odd_mongo.collection("shop", "v", kind="view", options={"viewOn": "orders", "pipeline": pipeline})
            view.put({name: 1})
            crawled.crawl(odd_mongo.url)

        assert [column.name for column in crawled.datasets()["v"].columns] == ["new"]


def test_a_collection_made_anew_begins_anew(odd_mongo: OddMongo) -> None:
    """Another one under the same name has only its own fields."""
    odd_mongo.collection("shop", "orders").put({"_id": 1, "old": 1})
    with registry() as crawled:
        crawled.crawl(odd_mongo.url)
        odd_mongo.collection("shop", "orders").put({"_id": 1, "new": 1})

        crawled.crawl(odd_mongo.url)

        assert {column.name for column in crawled.datasets()["orders"].columns} == {"_id", "new"}


def test_a_field_that_appears_on_the_wire_server_is_one_version(mongo_database: MongoDatabase) -> None:
    """Documents that a store of its own keeps: one more field, one more version, and none for more of the same."""
    mongo_database.insert("orders", [{"_id": at, "n": at} for at in range(5)])
    versions = []
    with registry() as crawled:
        for document in ({"_id": 10, "n": 1}, {"_id": 11, "n": 1, "more": "x"}, {"_id": 12, "n": 1, "more": "y"}):
            crawled.crawl(mongo_database.url)
            mongo_database.insert("orders", [document])
            assert crawled.crawl(mongo_database.url).is_ok
            versions.append(crawled.datasets()["orders"].version)

    assert versions == [1, 2, 2]


def test_a_dropped_collection_is_suspect_first_and_gone_after_two_runs(odd_mongo: OddMongo) -> None:
    """A listing is no snapshot here, so absence is believed when two whole runs agree; what is back is present."""
    for name in ("kept", "dropped"):
        odd_mongo.collection("shop", name).put({"_id": 1})
    states = []
    with registry() as crawled:
        crawled.crawl(odd_mongo.url)
        held = odd_mongo.databases["shop"].pop("dropped")
        for _run in range(2):
            report = crawled.crawl(odd_mongo.url)
            states.append((report.balance.suspect, report.balance.gone))
        assert set(crawled.datasets()) == {"kept"}
        odd_mongo.databases["shop"]["dropped"] = held
        assert crawled.crawl(odd_mongo.url).state is CrawlState.COMPLETE

        assert crawled.datasets()["dropped"].state is DatasetState.PRESENT

    assert states == [(1, 0), (0, 1)]
