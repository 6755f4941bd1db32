"""What the MongoDB databases that are measured hold: many collections of a hundred documents, or one large one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from bench.homes import Described, Homes
from bench.servers import Servers
from services.mongo import Document, MongoDatabase

DOCUMENTS = 100
"""Of each of many collections: all of them are sampled."""
LARGE_NAME = "readings"
_AT_ONCE = 10_000


@dataclass
class Documents:
    """Fills each database once, when it is first asked for."""

    servers: Servers
    folder: Path
    _filled: dict[int, MongoDatabase] = field(default_factory=dict)
    _large: dict[int, MongoDatabase] = field(default_factory=dict)

    def filled(self, size: int) -> MongoDatabase:
        """Return a database of so many collections of a hundred documents, each with a field of its own."""
        if size not in self._filled:
            self._filled[size] = self.servers.documents()
            for at in range(size):
                _insert(self._filled[size], f"station_{at:06}", (_station(at, number) for number in range(DOCUMENTS)))
        return self._filled[size]

    def large(self, size: int) -> MongoDatabase:
        """Return a database of one collection of so many documents, all of one length."""
        if size not in self._large:
            self._large[size] = self.servers.documents()
            _insert(self._large[size], LARGE_NAME, (_reading(at) for at in range(size)))
        return self._large[size]

    @cached_property
    def homes(self) -> Homes:
        """Homes over the databases of many collections."""
        return Homes(self.folder, lambda size: source_of(self.filled(size)))


def source_of(database: MongoDatabase, *, port: int | None = None) -> Described:
    """Describe a database as a source; through another port (a proxy's) if one is named."""
    return {"url": database.url if port is None else f"mongodb://127.0.0.1:{port}/{database.name}"}


def _insert(database: MongoDatabase, name: str, documents: Iterable[Document]) -> None:
    waiting: list[Document] = []
    for document in documents:
        waiting.append(document)
        if len(waiting) == _AT_ONCE:
            database.insert(name, waiting)
            waiting.clear()
    if waiting:
        database.insert(name, waiting)


def _station(at: int, number: int) -> Document:
    return {
        "_id": number,
        "name": f"vessel {number}",
        "tonnage": number * 1.5,
        "lock": number % 8,
        "at": {"x": 1.5, "y": 2.5},
        "tags": ["a", "b"],
        "is_open": True,
        "note": None if number % 3 else "text",
        "crew": [{"name": "x", "age": number}],
        f"reading_{at:06}": number,
    }


def _reading(at: int) -> Document:
    return {"_id": at, "name": f"vessel {at:09}", "tonnage": 1.5, "lock": at % 8}
