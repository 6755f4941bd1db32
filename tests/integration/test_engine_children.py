"""Queries in child processes: what they answer, where they end, and that nothing of them is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event

import pyarrow as pa
import pytest

from engine_fakes import CANARY, Exits, Locked, Opener, Store, planned, scanned
from hms_federation.answer import Answer
from hms_federation.engine.children import Children
from hms_federation.engine.limits import Limits
from hms_federation.engine.run import run
from hms_federation.plan import Plan
from hms_registry.errors import (
    HmsError,
    QueryFailed,
    QueryLimitExceeded,
    ScanFailed,
    SourceUnreachable,
)

IDS = planned("SELECT id FROM __scan_1", scanned("Id"), id="bigint")
BOTH = planned("SELECT id, txt FROM __scan_1", scanned("Id", "txt"), id="bigint", txt="varchar")
ENDLESS = planned("SELECT count(*) AS n FROM range(100000000) a, range(100000000) b", n="bigint")


ZYGOTES: list[int] = []


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    before = set(descendants(os.getpid()))
    with Children(most=4) as found:
        found.start()
        ZYGOTES[:] = set(descendants(os.getpid())) - before
        yield found


def zygote() -> int:
    """The one of the module's children."""
    return ZYGOTES[0]


def opener(**options: object) -> Opener:
    return Opener(options=tuple(options.items()))


def ask(children: Children, plan: Plan, open_adapter: Opener | None = None, **limits: object) -> Answer:
    return children.run(plan, open_adapter=open_adapter or Opener(), limits=Limits(**limits))  # type: ignore[arg-type]


def failure(found: Answer) -> HmsError:
    with found, pytest.raises(HmsError) as caught:
        list(found)
    assert not found.is_complete
    return caught.value


def descendants(pid: int) -> list[int]:
    found = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in map(int, task.read_text().split()):
                found += [child, *descendants(child)]
    return found


def state(pid: int) -> str:
    """`R`, `S`, ..., `Z` for a zombie, or empty: gone."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return ""


def entries(folder: str) -> int:
    return len(list(Path(folder).iterdir()))


def eventually(fact: Callable[[], bool], within_s: float = 20.0) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if fact():
            return True
        time.sleep(0.01)
    return fact()


@pytest.fixture(autouse=True)
def _alone(children: Children) -> None:
    """No query of an earlier test is still on its way out."""
    assert eventually(no_query_runs)


def named(name: str, *, of: int | None = None) -> list[int]:
    """The zygote's children that call themselves so: `query` or `spare`."""
    found = []
    for pid in descendants(of or zygote()):
        with suppress(FileNotFoundError, ProcessLookupError):
            if Path(f"/proc/{pid}/comm").read_text() == f"hms-dta-{name}\n" and state(pid) != "Z":
                found.append(pid)
    return found


def no_query_runs() -> bool:
    """One spare, and nothing else."""
    return descendants(zygote()) == named("spare") and len(named("spare")) == 1


def settled() -> tuple[int, int, int]:
    """Our descriptors and threads, and the zygote's descriptors, once no query runs and they stay as they are: a spare
    may call itself so before the zygote has let go of its end."""
    assert eventually(no_query_runs)
    seen, again = None, counted()
    while seen != again:
        seen = again
        time.sleep(0.2)
        again = counted()
    return again


def counted() -> tuple[int, int, int]:
    return entries("/proc/self/fd"), threading.active_count(), entries(f"/proc/{zygote()}/fd")


def left_behind() -> list[str]:
    return [path.name for path in Path(tempfile.gettempdir()).glob("hms-dta-queries-*/*")]


def test_a_child_answers_as_this_process_would(children: Children) -> None:
    """Same rows, same types, same counts."""
    store = Store(batches=20, rows=5000)

    with ask(children, BOTH, opener(batches=20, rows=5000)) as found:
        theirs = pa.Table.from_batches(list(found), schema=found.schema)
    with run(BOTH, open_adapter=store.open, limits=Limits()) as own:
        ours = pa.Table.from_batches(list(own), schema=own.schema)

    assert theirs.equals(ours)
    assert (found.rows, found.is_complete) == (100_000, True)


def test_an_answer_of_no_rows_is_complete(children: Children) -> None:
    """Nothing found is an answer."""
    with ask(children, IDS, opener(batches=0)) as found:
        assert list(found) == []

    assert found.is_complete


@pytest.mark.parametrize(
    ("raised", "kind", "message"),
    [
        (SourceUnreachable("source lake does not answer", hint="is it up?"), SourceUnreachable, None),
        (RuntimeError(CANARY), ScanFailed, "source lake broke while lake.public.t was read"),
        (MemoryError(CANARY), ScanFailed, "source lake broke while lake.public.t was read"),
    ],
)
def test_errors_cross_as_what_they_are(
    children: Children, raised: Exception, kind: type[HmsError], message: str | None
) -> None:
    """Ours with type, message and hint; others in fixed words."""
    caught = failure(ask(children, IDS, opener(breaks_at=1, breaks_with=raised)))

    assert type(caught) is kind
    assert caught.message == message or str(raised)
    assert CANARY not in caught.message + caught.hint


def test_an_adapters_own_kind_of_error_arrives_as_the_nearest_of_the_tree(children: Children) -> None:
    """The parent makes only errors that it knows."""

    caught = failure(ask(children, IDS, opener(breaks_at=0, breaks_with=Locked("lake.db is locked", hint="wait"))))

    assert (type(caught), caught.message, caught.hint) == (ScanFailed, "lake.db is locked", "wait")


def test_an_adapter_that_cannot_even_be_made_is_a_failed_query(children: Children) -> None:
    """What a factory raises besides ours is told in fixed words."""
    caught = failure(ask(children, IDS, opener(no_such_option=CANARY)))

    assert (type(caught), caught.message) == (QueryFailed, "the query broke while it ran")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT len(range(200000000)) AS n",
        "SELECT length(repeat('x', 1000000000) || repeat('y', 1000000000)) AS n",
        "SELECT length(lpad('x', 2000000000, 'y')) AS n",
        "SELECT count(*) AS n FROM range(100000000) a, range(100000000) b",
        "WITH RECURSIVE t AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM t) SELECT count(*) AS n FROM t",
        "SELECT len(list(a.range || b.range)) AS n FROM range(100000) a, range(100000) b",
    ],
    ids=["range", "repeat", "lpad", "cross join", "recursive CTE", "list"],
)
def test_bombs_end_within_their_limits(children: Children, sql: str) -> None:
    """In time, in memory, and with a sentence; and their process is gone."""
    started = time.monotonic()

    caught = failure(ask(children, planned(sql, n="bigint"), timeout_s=1, memory_bytes=256 << 20, spill_bytes=1 << 20))

    assert time.monotonic() - started < 10
    assert type(caught) is QueryLimitExceeded
    assert caught.message in (
        "the query was ended after 1 seconds",
        "the query needs more memory than the 256 MiB it may have",
    )
    assert eventually(no_query_runs)


def test_a_killed_child_is_a_clear_error(children: Children) -> None:
    """kill -9, or the kernel's own when memory is short."""
    found = ask(children, ENDLESS)
    killer = threading.Thread(target=_kill_the_query)
    killer.start()

    caught = failure(found)

    killer.join()
    assert type(caught) is QueryFailed
    assert caught.message == "the query's process ended before the answer was whole"
    assert caught.hint == "it may have run out of memory: ask for fewer columns or groups, or filter earlier"


def _kill_the_query() -> None:
    assert eventually(lambda: named("query") != [], within_s=3)
    os.kill(named("query")[0], signal.SIGKILL)


def test_a_child_killed_in_the_stream_ends_it_in_an_error(children: Children) -> None:
    """The rows that came are not the whole."""
    with ask(children, BOTH, opener(batches=2000, rows=5000)) as found:
        next(found)
        _kill_the_query()
        with pytest.raises(QueryFailed, match="ended before the answer was whole"):
            list(found)

    assert 0 < found.rows < 10_000_000


def test_a_consumer_that_stops_early_lets_go_of_the_source_within_a_second(children: Children, tmp_path: Path) -> None:
    """A client that hung up is no reason to read on; the source is told goodbye."""
    log = tmp_path / "log"

    with ask(children, BOTH, opener(batches=100_000, rows=1000, pause_s=0.001, log=log)) as found:
        next(found)

    assert eventually(no_query_runs)
    assert log.read_text().split("\n")[:3] == ["open", "close", "adapter closed"]


def test_cancelling_ends_the_child_and_closes_its_reader(children: Children, tmp_path: Path) -> None:
    """Also before the first row."""
    log, cancel = tmp_path / "log", Event()
    plan = planned("SELECT count(id) AS n FROM __scan_1", scanned("Id"), n="bigint")
    slow = opener(batches=100_000, pause_s=0.01, log=log)
    found = children.run(plan, open_adapter=slow, limits=Limits(), cancel=cancel)
    canceller = threading.Thread(target=lambda: (eventually(log.exists), cancel.set()))
    canceller.start()
    started = time.monotonic()

    caught = failure(found)
    canceller.join()

    assert (type(caught), caught.message) == (QueryFailed, "the query was cancelled")
    assert time.monotonic() - started < 10
    assert eventually(no_query_runs)
    assert log.read_text().split("\n")[:3] == ["open", "close", "adapter closed"]


def test_a_reader_that_hangs_ends_at_the_deadline(children: Children) -> None:
    """A source may never answer."""
    started = time.monotonic()

    caught = failure(ask(children, IDS, opener(pause_s=30.0), timeout_s=0.5))

    assert caught.message == "the query was ended after 0.5 seconds"
    assert time.monotonic() - started < 10
    assert eventually(no_query_runs, within_s=10)


def test_a_child_whose_consumer_stalls_ends_at_the_deadline_and_frees_its_place() -> None:
    """A slow client cannot hold a child for ever."""
    with (
        Children(most=1, wait_s=30) as children,
        ask(children, BOTH, opener(batches=5000, rows=5000), timeout_s=6) as a,
    ):
        next(a)
        with ask(children, IDS) as other:
            assert sum(batch.num_rows for batch in other) == 30
        with pytest.raises(QueryLimitExceeded, match=r"^the query was ended after 6 seconds$"):
            list(a)


def test_too_many_rows_end_in_the_child(children: Children) -> None:
    """One more than allowed is an error, not a cut answer."""
    caught = failure(ask(children, IDS, max_rows=29))

    assert caught.message == "the answer has more than 29 rows"
    with ask(children, IDS, max_rows=30) as found:
        assert sum(batch.num_rows for batch in found) == 30


def test_one_query_too_many_waits_and_is_then_told_that_the_registry_is_busy() -> None:
    """A bounded wait, then a plain word."""
    with Children(most=1, wait_s=0.2) as children, ask(children, BOTH, opener(batches=5000, rows=5000)) as first:
        next(first)

        caught = failure(ask(children, IDS))

    assert type(caught) is QueryLimitExceeded
    assert (caught.message, caught.hint) == ("the registry is busy with other queries", "ask again in a moment")


def test_the_parent_does_not_grow_with_the_answer(children: Children) -> None:
    """A million rows of 16 columns pass through."""
    wide = ", ".join(f"id + {at} AS c{at}" for at in range(16))
    plan = planned(f"SELECT {wide} FROM __scan_1", scanned("Id"), **{f"c{at}": "bigint" for at in range(16)})
    million = opener(batches=200, rows=5000)
    with ask(children, plan, million) as warm:
        next(warm)
    before = resident()
    most = 0

    with ask(children, plan, million) as found:
        for _ in found:
            most = max(most, resident())

    assert found.rows == 1_000_000
    assert found.bytes >= 128_000_000
    assert most - before < 48 << 20


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_twenty_queries_leave_no_process_descriptor_thread_or_file(children: Children) -> None:
    """Whether they end well or not."""
    list(ask(children, IDS))
    counts = settled()

    for at in range(20):
        if at % 4 == 3:
            with ask(children, BOTH, opener(batches=5000, rows=5000)) as cut:
                next(cut)
        elif at % 4 == 2:
            failure(ask(children, IDS, opener(breaks_at=1)))
        else:
            list(ask(children, IDS))

    assert settled() == counts
    assert left_behind() == []


def test_what_a_killed_query_spilled_is_removed(children: Children) -> None:
    """A private directory each, gone with its child."""
    plan = planned("SELECT i FROM range(20000000) t(i) ORDER BY hash(i)", i="bigint")
    found = ask(children, plan, memory_bytes=64 << 20, timeout_s=30)
    reader = threading.Thread(target=lambda: failure(found))
    reader.start()

    assert eventually(lambda: left_behind() != [], within_s=10)
    os.kill(named("query")[0], signal.SIGKILL)

    reader.join()
    assert eventually(lambda: left_behind() == [])


def test_the_zygote_has_no_threads_and_knows_no_secret(children: Children) -> None:
    """A process with threads forks badly; arguments and environments can be read by others."""
    secret = "postgresql://u:hunter2@db"
    with ask(children, BOTH, opener(batches=5000, rows=5000, log=Path(secret))) as found, pytest.raises(HmsError):
        next(found)
    with ask(children, BOTH, opener(batches=5000, rows=5000)) as found:
        next(found)
        assert eventually(lambda: len(descendants(zygote())) == 2)
        seen = [zygote(), *descendants(zygote())]
        texts = [Path(f"/proc/{pid}/{name}").read_bytes() for pid in seen for name in ("cmdline", "environ")]

    assert len(seen) == 3
    assert entries(f"/proc/{zygote()}/task") == 1
    assert not any(secret.encode() in text for text in texts)


def test_a_query_does_not_inherit_what_the_registry_was_started_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what its libraries need: the catalogue's password is not among it, nor anybody's whom we do not know."""
    secrets = {
        "HMS_DTA_CATALOGUE": "postgresql://hms:hunter2@db",
        "CATALOGUE_PASSWORD": "hunter2",
        "FLU_KEY": "hunter2",
    }
    for name, value in {**secrets, "AWS_CA_BUNDLE": "/ca.pem", "https_proxy": "http://proxy"}.items():
        monkeypatch.setenv(name, value)
    before = set(descendants(os.getpid()))
    with Children() as children, ask(children, BOTH, opener(batches=5000, rows=5000)) as found:
        next(found)
        texts = [Path(f"/proc/{pid}/environ").read_bytes() for pid in set(descendants(os.getpid())) - before]

    assert len(texts) >= 2
    for text in texts:
        assert b"hunter2" not in text
        assert {b"AWS_CA_BUNDLE=/ca.pem", b"https_proxy=http://proxy"} <= set(text.split(b"\0"))


def test_many_threads_ask_at_once(children: Children) -> None:
    """A web server's thread pool."""

    def count(_: int) -> int:
        with ask(children, IDS) as found:
            return sum(batch.num_rows for batch in found)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(count, range(24))) == [30] * 24


def test_a_dead_zygote_is_replaced_by_the_next_query() -> None:
    """It is a process like any other."""
    before = set(descendants(os.getpid()))
    with Children() as children:
        list(ask(children, IDS))
        ours = min(set(descendants(os.getpid())) - before)
        os.kill(ours, signal.SIGKILL)
        assert eventually(lambda: state(ours) == "Z")
        time.sleep(0.05)  # until the parent has heard of it

        with ask(children, IDS) as found:
            assert sum(batch.num_rows for batch in found) == 30


def test_closing_ends_running_queries_and_leaves_no_process_and_no_file() -> None:
    """Also in the middle of an answer."""
    before = set(descendants(os.getpid()))
    children = Children()
    found = ask(children, BOTH, opener(batches=5000, rows=5000))
    next(found)

    children.close()

    assert set(descendants(os.getpid())) - before == set()
    with pytest.raises(QueryFailed):
        list(found)
    found.close()
    children.close()
    assert failure(ask(children, IDS)).message == "the query was cancelled"


def test_a_query_takes_the_spare_and_another_stands_by(children: Children) -> None:
    """A fork, a sandbox and first steps were taken before it came; each child answers one query, and no more."""
    took = []
    for _ in range(3):
        (spare,) = named("spare")
        with ask(children, BOTH, opener(batches=2000, rows=5000)) as found:
            next(found)
            took.append((spare, *named("query")))
        assert eventually(no_query_runs)

    assert [query for _, query in took] == [spare for spare, _ in took]
    assert len({query for _, query in took}) == 3


def test_a_query_that_finds_no_spare_is_answered_all_the_same(children: Children) -> None:
    """It was killed, or another query took it a moment ago."""
    (spare,) = named("spare")
    os.kill(spare, signal.SIGKILL)
    assert eventually(lambda: state(spare) == "")
    for _ in range(2):
        with ask(children, IDS) as found:
            assert sum(batch.num_rows for batch in found) == 30

    assert eventually(no_query_runs)


def test_the_spare_ends_with_a_zygote_that_is_killed() -> None:
    """Also when the query that took its forerunner still runs."""
    before = set(descendants(os.getpid()))
    with Children() as children, ask(children, BOTH, opener(batches=5000, rows=5000)) as found:
        next(found)
        ours = min(set(descendants(os.getpid())) - before)
        assert eventually(lambda: len(named("spare", of=ours)) == 1)
        (spare,) = named("spare", of=ours)

        os.kill(ours, signal.SIGKILL)

        assert eventually(lambda: state(spare) in ("", "Z"))


ORPHAN = """
import sys, time
from engine_fakes import Opener, planned, scanned
from hms_federation.engine.children import Children
from hms_federation.engine.limits import Limits
plan = planned("SELECT id, txt FROM __scan_1", scanned("Id", "txt"), id="bigint", txt="varchar")
answer = Children().run(plan, open_adapter=Opener(options=(("batches", 50000), ("rows", 5000))), limits=Limits())
next(answer)
print("running", flush=True)
time.sleep(60)
"""


def test_a_parent_that_is_killed_leaves_no_process_and_no_file() -> None:
    """Nobody is there to clean up: the zygote does it."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen([sys.executable, "-c", ORPHAN], stdout=subprocess.PIPE, env=env) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"running\n"
        assert eventually(lambda: len(descendants(parent.pid)) == 3)
        theirs = descendants(parent.pid)

        parent.kill()

    assert eventually(lambda: {state(pid) for pid in theirs} <= {"", "Z"})


def test_a_driver_that_takes_its_process_down_takes_no_more_with_it(children: Children) -> None:
    """A crash in a C library is one query's failure."""
    with children.run(IDS, open_adapter=Exits(3), limits=Limits()) as found, pytest.raises(QueryFailed):
        next(found)

    with ask(children, IDS) as again:
        assert sum(batch.num_rows for batch in again) == 30
