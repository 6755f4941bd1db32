"""A server that is killed in the middle of a crawl loses no dataset: mended by the first crawl after it is back."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from pymetastore.hive_metastore.ttypes import NoSuchObjectException

import hms_crawler.run
from breaking_adapter import Breaking
from catalogue_contents import contents
from hms_crawler import Report, crawl_all
from hms_registry.domain.crawls import CrawlState
from hms_registry.domain.datasets import DatasetState
from hms_registry.domain.sources import Source
from hms_registry.ports.catalogue import Catalogue
from hms_registry.services.adapters import load_adapter
from hms_registry.store import open_catalogue
from services import hive, postgres, seaweedfs
from services.fixtures import service_folder
from services.hive import HiveMetastore
from services.hive_tables import HiveDatabase, open_client
from services.postgres import Database
from services.running import Running
from services.seaweedfs import SeaweedServer
from serving import descendants

TABLES = 4

pytestmark = pytest.mark.slow


@dataclass
class Store:
    """A server of this test's own with a few tables, and how to reach it just now."""

    kind: str
    start: Callable[[], tuple[Running, str, dict[str, str]]]
    fill: Callable[[str, int], object]

    def __post_init__(self) -> None:
        self.running, self.url, self.options = self.start()

    def kill(self) -> None:
        """End the server and all its processes at once, as a machine that fails does."""
        for pid in [*descendants(self.running.pid), self.running.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.running.stop()

    def restart(self) -> None:
        self.running, self.url, self.options = self.start()

    def crawl(self, catalogue: Catalogue, *, killed_after: int | None = None) -> Report:
        """Crawl one dataset at a time."""
        adapter = load_adapter(self.kind)
        real = adapter(adapter.config.from_url(source="shop", url=self.url, options=self.options))
        opened = real if killed_after is None else Breaking(real, killed_after, self.kill)
        (report,) = crawl_all(
            [Source(name="shop", kind=self.kind, url=f"{self.kind}:")],
            open_adapter=lambda _: opened,  # type: ignore[arg-type,return-value] # an adapter in all but its config
            catalogue=catalogue,
            clock=lambda: datetime.now(UTC),
        )
        return report


@pytest.fixture
def postgres_store() -> Iterator[Store]:
    """A PostgreSQL server."""
    with service_folder("killed-postgres") as folder:

        def start() -> tuple[Running, str, dict[str, str]]:
            server = postgres.start(folder)
            return server.running, Database(name="postgres", port=server.port).url, {}

        def fill(url: str, columns: int) -> None:
            database = Database(name="postgres", port=int(url.rpartition(":")[2].partition("/")[0]))
            names = ", ".join(f"{name} int" for name in "abc"[:columns])
            database.execute(*(f"DROP TABLE IF EXISTS t{at}; CREATE TABLE t{at} ({names})" for at in range(TABLES)))

        store = Store("postgres", start, fill)
        try:
            yield store
        finally:
            store.running.stop()


@pytest.fixture
def s3_store() -> Iterator[Store]:
    """An S3 server."""
    with service_folder("killed-s3") as folder:
        server = seaweedfs.start(folder)
        server.client().create_bucket(Bucket="bucket-1")
        first = [server]

        def start() -> tuple[Running, str, dict[str, str]]:
            server = first.pop() if first else seaweedfs.start(folder)
            options = {"endpoint": server.endpoint, "access_key": "admin", "secret_key": seaweedfs.SECRET}
            return server.running, "s3://bucket-1", options

        def fill(_url: str, columns: int) -> None:
            with closing(seaweedfs.client_of(store.options["endpoint"])) as client:
                for at in range(TABLES):
                    body = ",".join("abc"[:columns]) + "\n" + ",".join("123"[:columns]) + "\n"
                    client.put_object(Bucket="bucket-1", Key=f"s/t{at}.csv", Body=body.encode())

        store = Store("s3", start, fill)
        try:
            yield store
        finally:
            with suppress(ProcessLookupError):
                store.running.stop()


def _fill_hive(database: HiveDatabase, columns: int) -> None:
    """Make the tables by the metastore's own calls, whichever way they are crawled."""
    with closing(open_client(database.port)) as client:
        made = replace(database, client=client)
        for at in range(TABLES):
            with suppress(NoSuchObjectException):
                made.drop(f"t{at}")
            made.add(f"t{at}", dict.fromkeys("abc"[:columns], "int"))


@pytest.fixture
def metastore_store(seaweed_server: SeaweedServer) -> Iterator[Store]:
    """A Hive metastore."""
    with service_folder("killed-metastore") as folder:
        made: list[HiveDatabase] = []

        def start() -> tuple[Running, str, dict[str, str]]:
            server = hive.start_metastore(folder, seaweed_server, port=made[0].port if made else None)
            if not made:
                made.append(server.emptied())
            return server.running, f"{made[0].metastore}/{made[0].name}", {}

        store = Store("hive", start, lambda _url, columns: _fill_hive(made[0], columns))
        try:
            yield store
        finally:
            made[0].client.close()
            store.running.stop()


@pytest.fixture
def hive_store(hive_metastore: HiveMetastore, hive_database: HiveDatabase) -> Iterator[Store]:
    """A HiveServer2, and nothing else to crawl by."""
    with service_folder("killed-hive") as folder:

        def start() -> tuple[Running, str, dict[str, str]]:
            server = hive.start_server(folder, hive_metastore)
            return server.running, f"{server.running.url}/{hive_database.name}", {"connections": "1"}

        store = Store("hive", start, lambda _url, columns: _fill_hive(hive_database, columns))
        try:
            yield store
        finally:
            store.running.stop()


@pytest.mark.parametrize("name", ["postgres_store", "s3_store", "metastore_store", "hive_store"])
def test_a_server_killed_in_the_middle_of_a_crawl_loses_nothing(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report names the source, nothing is gone or doubted, and all is there once the server is."""
    store: Store = request.getfixturevalue(name)
    monkeypatch.setattr(hms_crawler.run, "BATCH", 1)
    with closing(open_catalogue("sqlite://")) as catalogue:
        store.fill(store.url, 2)
        assert store.crawl(catalogue).is_ok
        store.fill(store.url, 3)

        cut = store.crawl(catalogue, killed_after=TABLES // 2)

        with catalogue.unit() as uow:
            states = [known.state for known in uow.registrations.known("shop").values()]
        assert cut.state in (CrawlState.PARTIAL, CrawlState.FAILED) and cut.balance.is_balanced
        assert (cut.balance.gone, cut.balance.suspect) == (0, 0)
        assert states == [DatasetState.PRESENT] * TABLES
        assert any("source shop: " in text for text in (cut.error, *(failure.reason for failure in cut.failures)))
        store.restart()
        assert store.crawl(catalogue).is_ok
        facts, _edges = contents(catalogue)
    assert [len(columns) for _, _, columns, *_ in facts] == [3] * TABLES  # type: ignore[misc] # told as objects
