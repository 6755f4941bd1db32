"""A server of MongoDB's wire protocol, the tests' own: nx-27017, which keeps its documents in SQLite.

No package of real MongoDB can be had here. What nx-27017 does otherwise is told where a test meets it; cases that
need the real one are collected where `HMS_TEST_MONGO_URL` names one.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from services.running import Running, ServiceMissing, ends_with_us, free_port, start_process

REAL_URL = os.environ.get("HMS_TEST_MONGO_URL", "")
"""A real MongoDB whose databases `hms_dta_test_*` the tests may make and drop; empty = none."""

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoDatabase:
    """An empty database of a server."""

    name: str
    server_url: str
    client: MongoClient[dict[str, Any]]

    @property
    def url(self) -> str:
        """What `sources.yml` would say."""
        server, mark, query = self.server_url.partition("?")
        return f"{server.rstrip('/')}/{self.name}{mark}{query}"

    @property
    def port(self) -> int:
        """Where our own server listens."""
        return _port_of(self.server_url)

    def insert(self, collection: str, documents: Sequence[Document]) -> None:
        """Add documents, in order."""
        self.client[self.name][collection].insert_many([dict(each) for each in documents])

    def drop(self, collection: str) -> None:
        """Remove a collection."""
        self.client[self.name].drop_collection(collection)


@dataclass(slots=True, kw_only=True)
class MongoServer:
    """The running server; makes databases."""

    url: str
    running: Running | None = None
    client: MongoClient[dict[str, Any]] = field(init=False)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.client = MongoClient(self.url, serverSelectionTimeoutMS=5000, timeoutMS=20_000)

    @property
    def port(self) -> int:
        """Where our own server listens."""
        return _port_of(self.url)

    @contextmanager
    def database(self) -> Iterator[MongoDatabase]:
        """Give a new database; it is removed at the end."""
        name = f"hms_dta_test_{os.getpid()}_{next(self._numbers)}"
        try:
            yield MongoDatabase(name=name, server_url=self.url, client=self.client)
        finally:
            self.client.drop_database(name)

    def stop(self) -> None:
        """Hang up, and end the server if it is our own."""
        self.client.close()
        if self.running is not None:
            self.running.stop()


def start(folder: Path, *, port: int | None = None) -> MongoServer:
    """Start nx-27017 with its data under *folder*, which may hold some; at a free port where none is named.

    Raises:
        ServiceMissing: it is not installed; the text says how to install it.
        ServiceFailed: it did not start.
    """
    port = port or free_port()
    data = folder / "data"
    data.mkdir(exist_ok=True)
    url = f"mongodb://127.0.0.1:{port}/"
    files = [f"--{name}-file={folder / f'nx.{name}'}" for name in ("log", "pid")]
    running = start_process(
        [*ends_with_us(), _program(), f"--data-dir={data}", "--host=127.0.0.1", f"--port={port}", *files],
        url=url,
        log=folder / "nx-27017.log",
        cwd=folder,
        is_ready=lambda: _is_ready(url),
    )
    return MongoServer(url=url, running=running)


def _port_of(url: str) -> int:
    return int(url.rpartition(":")[2].strip("/"))


def _program() -> str:
    beside = Path(sys.executable).with_name("nx-27017")
    found = str(beside) if beside.exists() else shutil.which("nx-27017")
    if found is None:
        raise ServiceMissing("nx-27017 is not installed: pip install nx-27017==0.8.1")
    return found


def _is_ready(url: str) -> bool:
    try:
        with MongoClient[dict[str, Any]](url, serverSelectionTimeoutMS=300, timeoutMS=1000) as client:
            client.admin.command("ping")
    except PyMongoError:
        return False
    return True
