"""The servers as fixtures: each starts when a test first asks, and ends with the session, whatever happened."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from services import hive, mongo, postgres, redis, seaweedfs, trino
from services import odd_mongo as odd
from services.hive import HiveMetastore, HiveServer
from services.hive_tables import HiveDatabase
from services.mongo import MongoDatabase, MongoServer
from services.odd_mongo import OddMongo
from services.postgres import Database, PostgresServer
from services.running import Running
from services.seaweedfs import Bucket, SeaweedServer
from services.tcp_proxy import tcp_proxy
from services.trino import Trino

Server = TypeVar("Server")


@contextmanager
def service_folder(name: str) -> Iterator[Path]:
    """Give a server a folder of its own, outside pytest's: it may belong to another account."""
    folder = Path(tempfile.mkdtemp(prefix=f"hms-dta-{name}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Serving(Protocol):
    """A server that was started here."""

    @property
    def running(self) -> Running: ...


def _stop(server: Serving) -> None:
    server.running.stop()


@contextmanager
def started(name: str, start: Callable[[Path], Server], *, stop: Callable[[Server], None]) -> Iterator[Server]:
    """Start a server in a folder of its own, and stop it whatever happens."""
    with service_folder(name) as folder:
        server = start(folder)
        try:
            yield server
        finally:
            stop(server)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL server for the session."""
    with started("postgres", postgres.start, stop=_stop) as server:
        yield server


@pytest.fixture
def postgres_database(postgres_server: PostgresServer) -> Iterator[Database]:
    """A new, empty database."""
    with postgres_server.database() as database:
        yield database


@pytest.fixture(scope="session")
def seaweed_server() -> Iterator[SeaweedServer]:
    """One S3 server for the session."""
    with started("seaweedfs", seaweedfs.start, stop=_stop) as server:
        yield server


@pytest.fixture(scope="session")
def kept_bucket(seaweed_server: SeaweedServer) -> Iterator[Bucket]:
    """A bucket for the session, for tests that keep to a prefix of their own."""
    with seaweed_server.bucket() as made:
        yield made


@pytest.fixture
def bucket(seaweed_server: SeaweedServer) -> Iterator[Bucket]:
    """A new, empty bucket."""
    with seaweed_server.bucket() as made:
        yield made


@pytest.fixture(scope="session")
def mongo_server() -> Iterator[MongoServer]:
    """One server of MongoDB's wire protocol for the session."""
    with started("mongo", mongo.start, stop=MongoServer.stop) as server:
        yield server


@pytest.fixture
def mongo_database(mongo_server: MongoServer) -> Iterator[MongoDatabase]:
    """A new, empty database."""
    with mongo_server.database() as database:
        yield database


@pytest.fixture
def odd_mongo() -> Iterator[OddMongo]:
    """A MongoDB whose documents and answers the test decides, to the byte."""
    with odd.odd_mongo() as server:
        yield server


@pytest.fixture(scope="session")
def hive_metastore(seaweed_server: SeaweedServer) -> Iterator[HiveMetastore]:
    """One Hive metastore for the session."""
    with started("metastore", lambda folder: hive.start_metastore(folder, seaweed_server), stop=_stop) as server:
        yield server


@pytest.fixture
def hive_database(hive_metastore: HiveMetastore) -> Iterator[HiveDatabase]:
    """A new, empty database."""
    with hive_metastore.database() as database:
        yield database


@pytest.fixture(scope="session")
def hive_server(hive_metastore: HiveMetastore) -> Iterator[HiveServer]:
    """One HiveServer2 for the session, over that metastore."""
    with (
        tcp_proxy(hive_metastore.port) as link,
        started("hive", lambda folder: hive.start_server(folder, hive_metastore, link=link), stop=_stop) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Running]:
    """One Redis for the session; who needs it empty empties it."""
    with started("redis", redis.start, stop=lambda server: server.stop()) as server:
        yield server


@pytest.fixture(scope="session")
def governed_trino() -> Iterator[Trino]:
    """One Trino for the session that asks for access where the test at hand has its registry listen."""
    with started("trino", trino.start_governed, stop=Trino.stop) as server:
        yield server


@pytest.fixture(scope="session")
def plain_trino() -> Iterator[Trino]:
    """One Trino for the session that lets everybody do everything: what is true, and what a question costs."""
    with started("plain-trino", lambda folder: trino.start(folder, environ=trino.SECRETS), stop=Trino.stop) as server:
        yield server
