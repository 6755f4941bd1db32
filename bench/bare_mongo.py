"""The least that any program asks a MongoDB server for the same answer: each collection's metadata and a sample."""

from __future__ import annotations

from typing import Any

from pymongo import MongoClient

from bench.documents import DOCUMENTS
from services.mongo import MongoDatabase


def sampled(database: MongoDatabase) -> dict[str, list[dict[str, Any]]]:
    """List the collections; of each ask for counts, indexes and a hundred documents, and decode them."""
    with MongoClient[dict[str, Any]](database.server_url, directConnection=True) as client:
        store = client[database.name]
        return {each["name"]: _sample(store, each["name"]) for each in store.list_collections()}


def _sample(store: Any, name: str) -> list[dict[str, Any]]:
    store.command("collStats", name)
    list(store[name].list_indexes())
    return list(store[name].find().sort("_id", 1).limit(DOCUMENTS))
