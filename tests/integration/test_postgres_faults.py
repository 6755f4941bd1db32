"""What goes wrong on the way to a server costs a crawl or a query, and never a dataset or a secret."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from urllib.parse import quote

import psycopg
import pyarrow as pa
import pytest

from hms_registry.domain.crawls import CrawlState, Failure
from hms_registry.domain.datasets import DatasetRef, DatasetState, DescribedDataset
from hms_registry.errors import CredentialsRejected, HmsError, ScanFailed
from hms_registry.ports.adapter import ScanRequest, Scope
from postgres_crawling import Registry, adapter_of, registry
from services.postgres import PASSWORD, Database, PostgresServer
from services.running import free_port
from services.tcp_proxy import Fault, silent_server, tcp_proxy

TABLES = 12


def _build(database: Database) -> None:
    for at in range(TABLES):
        database.execute(f"CREATE TABLE t{at} (id int PRIMARY KEY, n text)", f"COMMENT ON TABLE t{at} IS 'no {at}'")
    database.execute("ALTER TABLE t1 ADD FOREIGN KEY (id) REFERENCES t0", "CREATE VIEW v AS SELECT id FROM t0")


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[Database]:
    """Twelve tables and a view."""
    with postgres_server.database(template=postgres_server.template("faults", _build)) as made:
        yield made


def _states(crawled: Registry) -> set[DatasetState]:
    return {dataset.state for dataset in crawled.datasets().values()}


def _secret_free(error: BaseException | str) -> bool:
    """Say whether neither text nor hint of an error, or of a report, tells a secret."""
    told = f"{error}{getattr(error, 'hint', '')}{error!r}"
    return PASSWORD not in told and quote(PASSWORD, safe="") not in told


def _unreachable_urls(database: Database) -> dict[str, Callable[[ExitStack], str]]:
    def through(fault: Fault) -> Callable[[ExitStack], str]:
        def url(stack: ExitStack) -> str:
            proxy = stack.enter_context(tcp_proxy(database.port))
            proxy.fault = fault
            return database.url_of("postgres", port=proxy.port)

        return url

    return {
        "refused": lambda _: database.url_of("postgres", port=free_port()),
        "no such host": lambda _: database.url.replace("127.0.0.1", "no-such-host.invalid"),
        "no TLS": lambda _: database.url + "?sslmode=require",
        "no such database": lambda _: database.url + "_",
        "hangs after accept": lambda stack: database.url_of("postgres", port=stack.enter_context(silent_server())),
        "one byte a second": through(Fault(bytes_a_second=1)),
        "hangs after log-in": through(Fault(hang_after=1500)),
        "breaks after log-in": through(Fault(cut_after=1500)),
    }


_WAYS = (
    "refused", "no such host", "no TLS", "no such database", "hangs after accept", "one byte a second",
    "hangs after log-in", "breaks after log-in",
)  # fmt: skip


@pytest.mark.parametrize("way", _WAYS)
def test_a_server_that_cannot_be_reached_costs_no_dataset(database: Database, way: str) -> None:
    """The crawl fails within its bounds, says so without a secret, and everything stays as it was, stale."""
    with registry() as crawled, ExitStack() as stack:
        crawled.crawl(database.url)
        url = _unreachable_urls(database)[way](stack)
        started = time.monotonic()

        report = crawled.crawl(url, statement_timeout_s="2")

        assert time.monotonic() - started < 20
        assert report.state is CrawlState.FAILED
        assert report.error.startswith("source src: ")
        assert report.hint
        assert _secret_free(str(report.as_dict()))
        assert _states(crawled) == {DatasetState.PRESENT}
        assert len(crawled.datasets()) == TABLES + 1
        with crawled.catalogue.unit() as uow:
            assert uow.sources.get("src").is_stale


def test_a_wrong_password_is_a_rejected_credential(database: Database) -> None:
    """So is a role that is not there; neither is told."""
    for url in (database.url.replace(quote(PASSWORD, safe=""), "canary-1"), database.url_of("canary_role")):
        with closing(adapter_of(url)) as adapter, pytest.raises(CredentialsRejected) as caught:
            adapter.check()

        assert caught.value.message == "source src: its server does not let this account in"
        assert "canary" not in caught.value.message + caught.value.hint


def test_a_connection_cut_at_any_byte_costs_no_dataset(database: Database) -> None:
    """Wherever the server's answers end, nothing is taken for gone, and the next crawl completes."""
    with registry() as probe, tcp_proxy(database.port) as proxy:
        probe.crawl(database.url_of("postgres", port=proxy.port))
        whole = proxy.passed

    outcomes = set()
    with registry() as crawled, tcp_proxy(database.port) as proxy:
        crawled.crawl(database.url)
        for at, cut_after in enumerate(range(0, whole, max(1, whole // 40))):
            database.execute(f"COMMENT ON TABLE t{at % TABLES} IS 'run {at}'")
            proxy.fault = Fault(cut_after=cut_after)

            report = crawled.crawl(database.url_of("postgres", port=proxy.port))

            outcomes.add(report.state)
            assert report.balance.is_balanced
            assert report.balance.gone == report.balance.suspect == 0
            assert _states(crawled) == {DatasetState.PRESENT}
            assert len(crawled.datasets()) == TABLES + 1
        last = crawled.crawl(database.url)

    assert outcomes <= {CrawlState.FAILED, CrawlState.PARTIAL, CrawlState.COMPLETE}
    assert CrawlState.FAILED in outcomes
    assert last.is_ok


def test_a_dropped_table_is_gone_and_a_cut_crawl_does_not_say_so(database: Database) -> None:
    """Absence is believed at once from a whole snapshot, and never from a broken one."""
    with registry() as crawled, tcp_proxy(database.port) as proxy:
        crawled.crawl(database.url)
        database.execute("DROP TABLE t5")
        proxy.fault = Fault(cut_after=1500)  # before the listing has ended

        crawled.crawl(database.url_of("postgres", port=proxy.port))
        assert "public.t5" in crawled.datasets()

        report = crawled.crawl(database.url)

    assert (report.state, report.balance.gone) == (CrawlState.COMPLETE, 1)


def test_a_crawl_sees_one_state_while_tables_come_and_go(database: Database) -> None:
    """Tables dropped, renamed, retyped and made all the while: no exception, and each run balances."""
    is_over = threading.Event()

    def churn() -> None:
        with database.connect() as session:
            at = 0
            while not is_over.is_set():
                at += 1
                for statement in (
                    f"CREATE TABLE coming_{at} (id int, m numeric(6,2))",
                    f"CREATE VIEW seeing_{at} AS SELECT id FROM coming_{at}",
                    f"ALTER TABLE coming_{at} ALTER COLUMN m TYPE text",
                    f"ALTER TABLE coming_{at} RENAME TO going_{at}",
                    f"DROP VIEW seeing_{at}",
                    f"DROP TABLE going_{at}",
                ):
                    session.execute(statement.encode())

    thread = threading.Thread(target=churn)
    with registry() as crawled:
        thread.start()
        try:
            reports = [crawled.crawl(database.url) for _ in range(12)]
        finally:
            is_over.set()
            thread.join()
        last = crawled.crawl(database.url)
        left = set(crawled.datasets())

    assert all(report.balance.is_balanced for report in reports)
    assert {report.state for report in reports} <= {CrawlState.COMPLETE, CrawlState.PARTIAL, CrawlState.UNCHANGED}
    assert {failure.reason for report in reports for failure in report.failures} <= {
        "source src: it changed while it was crawled", "it changed while it was crawled"
    }  # fmt: skip
    assert last.is_ok
    assert left == {*(f"public.t{at}" for at in range(TABLES)), "public.v"}


def test_a_crawl_describes_what_its_snapshot_holds(database: Database) -> None:
    """What is dropped and altered after the stamp is described as it was at the stamp."""
    with closing(adapter_of(database.url)) as adapter:
        scope = Scope()
        adapter.stamp(scope)
        database.execute("DROP TABLE t1", "ALTER TABLE t2 RENAME COLUMN n TO m", "CREATE TABLE late (a int)")

        refs = [item for item in adapter.discover(scope) if isinstance(item, DatasetRef)]
        described = list(adapter.describe(refs))

    assert [result for result in described if isinstance(result, Failure)] == []
    tables = {result.ref.address.table: result for result in described if isinstance(result, DescribedDataset)}
    assert "late" not in tables
    assert "t1" in tables
    assert [column.name for column in tables["t2"].columns] == ["id", "n"]


def test_a_listing_has_no_pages_and_no_doubles(database: Database) -> None:
    """One statement lists everything once, in one order."""
    with closing(adapter_of(database.url)) as adapter:
        first = [item.address for item in adapter.discover(Scope()) if isinstance(item, DatasetRef)]
        second = [item.address for item in adapter.discover(Scope()) if isinstance(item, DatasetRef)]

    assert first == second == sorted(set(first))


def _big(database: Database, url: str) -> tuple[ScanRequest, str]:
    database.execute("CREATE TABLE big AS SELECT n, repeat('x', 200) AS s FROM generate_series(1, 100000) n")
    with closing(adapter_of(database.url)) as adapter:
        (ref,) = [
            item for item in adapter.discover(Scope()) if isinstance(item, DatasetRef) and item.address.table == "big"
        ]
    schema = pa.schema({"n": pa.int32(), "s": pa.string()})
    return ScanRequest(ref=ref, columns=("n", "s"), schema=schema, deadline_s=3.0), url


def test_a_source_that_dies_in_the_middle_fails_the_scan(database: Database) -> None:
    """A broken connection is an error that names the source, never an end of the rows."""
    with tcp_proxy(database.port) as proxy:
        request, url = _big(database, database.url_of("postgres", port=proxy.port))
        with closing(adapter_of(url)) as adapter:
            proxy.fault = Fault(cut_after=1_000_000)
            with pytest.raises(ScanFailed) as caught:
                adapter.scan(request).open_reader().read_all()

    assert caught.value.message == "src.public.big: its server broke while it was read"
    assert _secret_free(caught.value)


def test_a_network_that_hangs_in_the_middle_ends_at_the_deadline(database: Database) -> None:
    """Nothing comes and nothing is closed: the reader is told in time all the same."""
    with tcp_proxy(database.port) as proxy:
        request, url = _big(database, database.url_of("postgres", port=proxy.port))
        adapter = adapter_of(url)
        proxy.fault = Fault(hang_after=1_000_000)
        started = time.monotonic()
        with pytest.raises(ScanFailed) as caught:
            adapter.scan(request).open_reader().read_all()
        adapter.close()

    assert caught.value.message == "src.public.big was not read in time"
    assert time.monotonic() - started < 20


def test_a_backend_that_an_operator_ends_fails_the_scan(database: Database) -> None:
    """pg_terminate_backend in the middle is an error, never a short answer."""
    request, url = _big(database, database.url)
    with closing(adapter_of(url)) as adapter:
        reader = adapter.scan(request).open_reader()
        reader.read_next_batch()
        database.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hms-dta'")

        with pytest.raises(ScanFailed):
            reader.read_all()


def test_a_kept_connection_that_broke_meanwhile_is_replaced(database: Database) -> None:
    """One query leaves its connection to the next, which has every row even if the server was restarted in between."""
    request, url = _big(database, database.url)
    ours = "FROM pg_stat_activity WHERE application_name = 'hms-dta'"
    with closing(adapter_of(url)) as adapter:
        first = adapter.scan(request).open_reader().read_all()
        assert adapter.rest()
        (before,) = database.rows(f"SELECT pid {ours}")
        second = adapter.scan(request).open_reader().read_all()
        assert database.rows(f"SELECT pid {ours}") == [before]

        database.rows(f"SELECT pg_terminate_backend(pid, 5000) {ours}")
        third = adapter.scan(request).open_reader().read_all()

    assert first.num_rows == second.num_rows == third.num_rows > 0


def test_every_error_class_of_the_driver_becomes_ours() -> None:
    """No psycopg error, whatever its state, leaves the seam as anything but a SourceError without its text."""
    from hms_postgres.failures import connect_failed, crawl_failed, scan_failed

    config = adapter_of("postgresql://u:p@127.0.0.1/db")._config
    classes = {
        each for each in vars(psycopg.errors).values() if isinstance(each, type) and issubclass(each, psycopg.Error)
    }
    for kind in classes:
        error = kind("canary text of the driver")
        for ours in (connect_failed(config, error), crawl_failed(config, error), scan_failed("src.s.t", error)):
            assert isinstance(ours, HmsError)
            assert "canary" not in ours.message + ours.hint
            assert ours.hint
    assert len(classes) > 200
