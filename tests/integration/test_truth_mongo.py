"""Versions of collections that a server keeps: what changes a shape makes exactly one, and nothing else makes any.

What the server here cannot be brought to (validators, views, decimals, a rename) is tried change by change in
`test_mongo_changes`, on one that holds whatever a test gives it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from bson import Binary, Int64, ObjectId
from pymongo.collection import Collection

from hms_mongo import MongoAdapter, MongoConfig
from services.mongo import MongoDatabase
from truth import Change, assert_versions

Document = dict[str, Any]


def changes(database: MongoDatabase) -> list[Change]:
    """The changes to a database, which is filled first; each meets what those before left."""
    store = database.client[database.name]
    orders: Collection[Document] = store["orders"]
    for name in ("orders", "others"):
        store[name].insert_many([{"_id": at, "n": at, "s": "x", "d": {"x": 0.5}, "a": [at]} for at in range(30)])

    def does(name: str, make: Callable[[], object], versions: str = "") -> Change:
        return Change(make, name, versions)

    def added(name: str, versions: str = "orders", **fields: object) -> Change:
        return does(name, lambda: orders.insert_one({"_id": 1000 + orders.count_documents({}), **fields}), versions)

    def replaced(name: str, versions: str = "orders", **fields: object) -> Change:
        return does(name, lambda: orders.replace_one({"_id": 3}, fields), versions)

    return [
        does("nothing", lambda: None),
        # documents of the same shape
        added("a document more", "", n=1, s="y", d={"x": 1.5}, a=[7]),
        does("documents fewer", lambda: orders.delete_many({"_id": {"$lt": 3}})),
        does("another value", lambda: orders.update_one({"_id": 5}, {"$set": {"n": 77}})),
        replaced("fields in another order", "", a=[1], d={"x": 2.5}, s="z", n=5),
        replaced("fields fewer in one", "", n=5),
        replaced("a null", "", n=None, s="z"),
        replaced("an empty list", "", a=[]),
        # what no reader of documents meets
        does("an index", lambda: orders.create_index([("n", 1)])),
        does("an index less", lambda: orders.drop_index("n_1")),
        # fields
        added("a field more", more="x"),
        added("the same field again", "", more="y"),
        does("that field gone from all", lambda: orders.update_many({}, {"$unset": {"more": ""}})),
        added("a field of a document within", d={"x": 1.0, "y": "deep"}),
        added("a document in a list", l=[{"q": 1}]),
        added("a field more in a document in a list", l=[{"q": 1, "r": "x"}]),
        # types
        added("a whole number that is long", n=Int64(2**40)),
        added("a number with a fraction", n=1.5),
        added("a number that is a text", n="one"),
        added("a text that is a moment", s=datetime(2024, 1, 1, tzinfo=UTC)),
        added("a text that is an id", s=ObjectId()),
        added("a text that is bytes", s=Binary(b"x")),
        added("a document that is a list", d=[1]),
        added("an item of another type", a=["one"]),
        added("all of that again", "", n="two", s=ObjectId(), d=[2], a=["two"]),
        # coming and going
        does("a collection more", lambda: store["fresh"].insert_one({"_id": 1, "a": 1}), "fresh"),
        does("an empty collection", lambda: store.create_collection("bare"), "bare"),
        does("its first document", lambda: store["bare"].insert_one({"_id": 1, "a": 1}), "bare"),
        does("dropped", lambda: store.drop_collection("fresh")),
        does("dropped, seen twice", lambda: None),
        does("back as it was", lambda: store["fresh"].insert_one({"_id": 1, "a": 1})),
        does("all documents gone", lambda: orders.delete_many({})),
    ]


def test_each_change_of_a_collection_makes_one_version_or_none(mongo_database: MongoDatabase) -> None:
    """Crawled after each."""
    config = MongoConfig.from_url(source="truth", url=mongo_database.url, options={})

    assert_versions(changes(mongo_database), kind="mongo", open_adapter=lambda: MongoAdapter(config))
