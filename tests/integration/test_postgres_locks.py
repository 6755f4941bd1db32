"""Somebody alters a table: a crawl waits for no lock of theirs, holds none they wait for, and says what it lacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Thread

import psycopg
import pyarrow as pa
import pytest

from hms_registry.domain.crawls import CrawlState
from hms_registry.domain.datasets import DatasetRef
from hms_registry.errors import ScanFailed, SourceError
from hms_registry.ports.adapter import ScanRequest, Scope
from postgres_crawling import adapter_of, registry
from services.postgres import Database, PostgresServer
from serving import eventually

LOCK = "LOCK TABLE public.t0 IN ACCESS EXCLUSIVE MODE"
HELD = """
SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_stat_activity a ON a.pid = l.pid
WHERE a.application_name = 'hms-dta' AND c.relnamespace = 'public'::regnamespace
"""


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[Database]:
    """Two tables and a view over each."""
    database = postgres_server.emptied("locks")
    database.execute(
        "CREATE TABLE t0 (id int)",
        "CREATE TABLE t1 (id int)",
        "CREATE VIEW v0 AS SELECT id FROM t0",
        "CREATE VIEW v1 AS SELECT id FROM t1",
    )
    yield database


@contextmanager
def altering(database: Database) -> Iterator[psycopg.Connection]:
    """Somebody holds the lock of an ALTER TABLE on `t0` in a transaction that lasts."""
    with database.connect() as session, session.transaction():
        session.execute(LOCK)
        yield session


@contextmanager
def waiting_to_alter(database: Database) -> Iterator[None]:
    """Somebody waits for that lock behind a reader: who comes now would wait behind both."""

    def alter() -> None:
        with database.connect() as session, session.transaction():
            session.execute(LOCK)

    with database.connect() as reader, reader.transaction():
        reader.execute("SELECT FROM t0")
        thread = Thread(target=alter)
        thread.start()
        eventually(lambda: database.rows("SELECT 1 FROM pg_locks WHERE NOT granted") != [], seconds=20)
        try:
            yield
        finally:
            reader.execute("ROLLBACK")
            thread.join()


@pytest.mark.parametrize("somebody", [altering, waiting_to_alter])
def test_a_crawl_goes_round_what_somebody_alters(database: Database, somebody: object) -> None:
    """Every table is registered; of the views, the one over it has no edges yet, and the next crawl brings them."""
    assert callable(somebody)
    with registry() as crawled:
        with somebody(database):
            during = crawled.crawl(database.url)
            edges = [len(crawled.edges("public", view)) for view in ("v0", "v1")]
        after = crawled.crawl(database.url)

        assert (during.state, during.balance.new, edges) == (CrawlState.PARTIAL, 4, [0, 1])
        assert [(each.subject, each.reason) for each in during.failures] == [
            ("the views of src", "source src: somebody alters what 1 of its views read: src.public.v0")
        ]
        assert after.is_ok
        assert len(crawled.edges("public", "v0")) == 1


def test_a_crawl_holds_no_lock_on_what_it_looked_into(database: Database) -> None:
    """Its session is in one transaction to the end, and whoever wants to alter a table of a view need not wait."""
    with closing(adapter_of(database.url)) as adapter:
        adapter.stamp(scope := Scope())
        refs = [item for item in adapter.discover(scope) if isinstance(item, DatasetRef)]
        assert len(list(adapter.describe(refs))) == 4
        assert len(list(adapter.definitions(refs))) == 2

        ((transactions,),) = database.rows(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hms-dta' AND xact_start IS NOT NULL"
        )
        held = database.rows(HELD)

    assert (transactions, held) == (1, [(0,)])


def test_a_lock_that_comes_while_views_are_asked_for_costs_those_views_only(database: Database) -> None:
    """The lock is waited for as long as lock_timeout says; the transaction and its snapshot go on."""
    from hms_postgres import adapter as module

    with closing(adapter_of(database.url)) as adapter:
        adapter.stamp(scope := Scope())
        refs = [item for item in adapter.discover(scope) if isinstance(item, DatasetRef)]
        assert adapter._look is not None
        adapter._look.session.rows("SET lock_timeout = '100ms'")
        with pytest.MonkeyPatch.context() as patch, altering(database):
            patch.setattr(module, "VIEWS", module.VIEWS.replace("AccessExclusiveLock", "none"))  # nobody is seen
            with pytest.raises(SourceError, match="somebody alters what 4 of its views read"):
                list(adapter.definitions(refs))
            assert len(list(adapter.describe(refs))) == 4

        assert len(list(adapter.definitions(refs))) == 2


def test_a_scan_of_what_somebody_alters_says_so(database: Database) -> None:
    """It waits for the lock a while, half of its own time at most, and not as long as the lock is held."""
    with closing(adapter_of(database.url)) as adapter:
        (ref,) = [i for i in adapter.discover(Scope()) if isinstance(i, DatasetRef) and i.address.table == "t0"]
        schema = pa.schema({"id": pa.int32()})
        scan = adapter.scan(ScanRequest(ref=ref, columns=("id",), schema=schema, deadline_s=1.0))
        with altering(database), pytest.raises(ScanFailed) as caught:
            scan.open_reader().read_all()

    assert (caught.value.message, caught.value.hint) == (
        "src.public.t0 is locked: somebody alters it", "ask again when that has ended"
    )  # fmt: skip
