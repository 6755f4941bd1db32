"""Several processes on one catalogue: commit order is epoch order, leases hold, no event is lost or told twice, and a
writer that dies leaves all or nothing."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from catalogues import Catalogues, truncate
from hms_registry.domain.crawls import Balance, Crawl, CrawlState
from hms_registry.errors import CrawlInProgress
from hms_registry.ports.catalogue import Catalogue
from hms_registry.ports.records import Event
from hms_registry.store import open_catalogue
from services.postgres import Database, PostgresServer
from serving import eventually
from store_samples import LAKE, described, put, register

AT = datetime(2026, 1, 2, tzinfo=UTC)
WRITER = Path(__file__).with_name("catalogue_writer.py")
WRITERS, COMMITS = 3, 8


@pytest.fixture(scope="module")
def kept(postgres_server: PostgresServer) -> Iterator[Database]:
    """One database for this module."""
    with postgres_server.database() as made:
        yield made


@pytest.fixture
def database(kept: Database) -> Database:
    """An empty catalogue."""
    truncate(kept)
    return kept


@contextmanager
def writer(url: str, name: str, count: int) -> Iterator[subprocess.Popen[str]]:
    """A process that writes; it is gone at the end."""
    process = subprocess.Popen(
        [sys.executable, str(WRITER), url, name, str(count)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": ":".join(path for path in sys.path if path)},
    )  # fmt: skip
    with process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def let_commit(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def follow(catalogue: Catalogue, events: list[Event]) -> None:
    """Read on from the last event, a page at a time."""
    while True:
        with catalogue.unit() as uow:
            page = uow.outbox.since(events[-1].epoch if events else 0, limit=2)
        events += page
        if not page:
            return


@pytest.mark.slow
def test_processes_that_write_at_once_take_turns_and_a_follower_misses_nothing(
    catalogues: Catalogues, tmp_path: Path
) -> None:
    """Each commit has an epoch of its own, in the order in which they become visible; who follows the outbox while
    they commit reads each event once, in order."""
    url = catalogues.url(tmp_path)
    with closing(open_catalogue(url)) as catalogue, ExitStack() as stack:
        put(catalogue, LAKE)
        followed: list[Event] = []
        running = [stack.enter_context(writer(url, f"w{at}", COMMITS)) for at in range(WRITERS)]
        while any(each.poll() is None for each in running):
            follow(catalogue, followed)
        told = [[int(line) for line in (each.stdout or ())] for each in running]
        follow(catalogue, followed)

        assert [each.returncode for each in running] == [0] * WRITERS
        assert all(epochs == sorted(epochs) for epochs in told)
        assert sorted(itertools.chain(*told)) == list(range(2, 2 + WRITERS * COMMITS))
        with catalogue.unit() as uow:
            assert followed == uow.outbox.since(0)
            assert len(followed) == len(list(uow.datasets.iter()))


def waiting(database: Database) -> int:
    """How many sessions wait for a lock."""
    rows = database.rows("SELECT count(*) FROM pg_locks WHERE NOT granted")
    assert isinstance(rows[0][0], int)
    return rows[0][0]


def test_who_waited_for_its_turn_sees_what_the_last_one_wrote(database: Database) -> None:
    """The snapshot is taken after the turn, not while waiting for it."""
    catalogue = open_catalogue(database.url)
    seen: list[tuple[int, int, int]] = []

    def wait_and_look(at: int) -> None:
        with catalogue.unit(writes=True) as uow:
            before = uow.epoch()
            known = len(uow.registrations.known("lake"))
            uow.registrations.register([described(f"t{at}")])
            seen.append((before, known, uow.commit()))

    threads = [threading.Thread(target=wait_and_look, args=(at,)) for at in range(3)]
    with catalogue.unit(writes=True) as first:
        first.sources.put(LAKE)
        first.registrations.register([described("first")])
        for each in threads:
            each.start()
        eventually(lambda: waiting(database) == len(threads), seconds=30)
        first.commit()
    for each in threads:
        each.join()

    assert seen == [(1, 1, 2), (2, 2, 3), (3, 3, 4)]
    catalogue.close()


def test_readers_pass_while_one_writes_and_others_wait(database: Database) -> None:
    """A reader neither waits nor sees what is not committed, however long the queue of writers is."""
    catalogue = open_catalogue(database.url)
    put(catalogue, LAKE)
    thread = threading.Thread(target=lambda: register(catalogue, described("b")))

    with catalogue.unit(writes=True) as uow:
        uow.registrations.register([described("a")])
        thread.start()
        eventually(lambda: waiting(database) == 1, seconds=30)
        with catalogue.unit() as reader:
            assert list(reader.datasets.iter()) == []
            assert reader.epoch() == 1
        uow.commit()
    thread.join()

    with catalogue.unit() as reader:
        assert [each.address.table for each in reader.datasets.iter()] == ["a", "b"]
    catalogue.close()


@pytest.mark.slow
def test_a_reader_keeps_its_snapshot_whatever_is_committed_between_its_steps(
    catalogues: Catalogues, tmp_path: Path
) -> None:
    """Two commits fall between the four looks of a reader in every way: all its looks agree with its first."""
    with catalogues.empty(tmp_path) as catalogue:
        put(catalogue, LAKE)
        for number, gaps in enumerate(itertools.combinations_with_replacement(range(5), 2)):
            with catalogue.unit() as reader:
                looks = []
                for step in range(5):
                    for at, gap in enumerate(gaps):
                        if gap == step:
                            register(catalogue, described(f"t{number}_{at}"))
                    if step < 4:
                        looks.append((reader.epoch(), len(reader.registrations.known("lake"))))
            assert len(set(looks)) == 1, gaps
            assert looks[0] == (1 + number * 2 + gaps.count(0), number * 2 + gaps.count(0))


class Run:
    """One run of a crawl: takes the lease, writes, finishes; each step is a unit."""

    def __init__(self, catalogue: Catalogue, name: str, *, now: datetime) -> None:
        self.catalogue = catalogue
        self.name = name
        self.now = now
        self.crawl: Crawl | None = None

    def take(self, step: int) -> None:
        """Raises: CrawlInProgress."""
        with self.catalogue.unit(writes=True) as uow:
            if step == 0:
                self.crawl = uow.crawls.start("lake", now=self.now, lease_s=60)
            elif self.crawl is not None and step < 2:
                uow.registrations.register([described(f"{self.name}{step}")])
                uow.crawls.renew(self.crawl, now=self.now, lease_s=60)
            elif self.crawl is not None:
                end, balance = CrawlState.COMPLETE, Balance(listed=0)
                uow.crawls.finish(self.crawl, state=end, balance=balance, failures=[], now=self.now)
            uow.commit()


@pytest.mark.slow
def test_a_run_that_lost_its_lease_writes_nothing_more_in_any_order(catalogues: Catalogues, tmp_path: Path) -> None:
    """Every way in which the steps of two runs can fall, the second an hour later: whoever has not the lease writes
    nothing, and a lease that ran out is taken over. No token is given twice."""
    with catalogues.empty(tmp_path) as catalogue:
        put(catalogue, LAKE)
        for number, places in enumerate(itertools.combinations(range(6), 3)):
            day = AT + timedelta(days=number)
            first, second = (
                Run(catalogue, f"a{number}_", now=day),
                Run(catalogue, f"b{number}_", now=day.replace(hour=1)),
            )
            steps = {first: 0, second: 0}
            holder: Run | None = None
            expected = set()
            for place in range(6):
                run = first if place in places else second
                step, steps[run] = steps[run], steps[run] + 1
                may = holder is run if step else holder is None or run is second
                if may:
                    run.take(step)
                    holder = None if step == 2 else run
                    expected |= {f"{run.name}{step}"} if step == 1 else set()
                elif step == 0 or run.crawl is not None:
                    with pytest.raises(CrawlInProgress):
                        run.take(step)
            with catalogue.unit() as uow:
                names = {each.address.table for each in uow.datasets.iter()}
                leases = [each.lease for each in uow.crawls.latest(source="lake", limit=1_000)]
            assert {each for each in names if each[1:].startswith(f"{number}_")} == expected, places
            assert len(set(leases)) == len(leases)


@contextmanager
def slow_commits(database: Database) -> Iterator[None]:
    """Make each commit wait inside the server until an advisory lock is free."""
    database.execute(
        """CREATE FUNCTION wait_in_commit() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END $$""",
        """CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON epoch DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION wait_in_commit()""",
    )
    with database.connect() as holder:
        holder.execute("SELECT pg_advisory_lock(7)")
        try:
            yield
        finally:
            holder.execute("SELECT pg_advisory_unlock(7)")
            database.execute("DROP FUNCTION wait_in_commit CASCADE")


def _kill_process(process: subprocess.Popen[str], _database: Database) -> None:
    process.send_signal(signal.SIGKILL)


def _terminate_session(_process: subprocess.Popen[str], database: Database) -> None:
    database.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'hms-dta'"
    )


@pytest.mark.parametrize("kill", [_kill_process, _terminate_session])
def test_a_writer_that_dies_before_its_commit_leaves_nothing(
    database: Database, kill: Callable[[subprocess.Popen[str], Database], None]
) -> None:
    """The process or its session is killed: nothing of its unit is there, and the turn is free at once."""
    with closing(open_catalogue(database.url)) as catalogue:
        put(catalogue, LAKE)
        with writer(database.url, "doomed", 0) as process:
            assert line_of(process) == "ready"
            kill(process, database)
            let_commit(process)
            process.wait()

        register(catalogue, described("next"))
        assert whole(catalogue) == {"next"}


@pytest.mark.parametrize("kill", [_kill_process, _terminate_session])
def test_a_writer_that_dies_in_its_commit_leaves_all_or_nothing(
    database: Database, kill: Callable[[subprocess.Popen[str], Database], None]
) -> None:
    """Killed while the server commits: the unit is there whole, as nobody stopped the server, or not at all."""
    with closing(open_catalogue(database.url)) as catalogue:
        put(catalogue, LAKE)
        with slow_commits(database), writer(database.url, "doomed", 0) as process:
            assert line_of(process) == "ready"
            let_commit(process)
            eventually(lambda: waiting(database) == 1, seconds=30)
            kill(process, database)
            process.wait()

        register(catalogue, described("next"))
        assert whole(catalogue) == ({"next", "doomed"} if kill is _kill_process else {"next"})


def whole(catalogue: Catalogue) -> set[str]:
    """The datasets that are there, each with all that belongs to it."""
    with catalogue.unit() as uow:
        found = list(uow.datasets.iter())
        assert [len(uow.datasets.versions(each.id)) for each in found] == [1] * len(found)
        assert [each.epoch for each in uow.outbox.since(0)] == list(range(2, 2 + len(found)))
        assert uow.epoch() == 1 + len(found)
    return {each.address.table for each in found}
