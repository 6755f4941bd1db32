"""The embedded engine in this process: what it answers, what it closes, and what its errors say."""

from __future__ import annotations

import gc
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import pyarrow as pa
import pytest

from engine_fakes import CANARY, Store, planned, scanned
from hms_federation.answer import Answer
from hms_federation.engine.limits import Limits
from hms_federation.engine.run import asked, run
from hms_federation.plan import OutputColumn, Plan
from hms_registry.errors import HmsError, QueryFailed, QueryLimitExceeded, ScanFailed, SourceUnreachable

JOIN = "SELECT a.id FROM __scan_1 a JOIN __scan_2 b ON a.id = b.id ORDER BY 1"


def answer(plan: Plan, store: Store, **limits: object) -> Answer:
    return run(plan, open_adapter=store.open, limits=Limits(**limits))  # type: ignore[arg-type]


def rows(found: Answer) -> list[dict[str, object]]:
    with found:
        return pa.Table.from_batches(list(found), schema=found.schema).to_pylist()


def failure(found: Answer) -> HmsError:
    with found, pytest.raises(HmsError) as caught:
        list(found)
    assert not found.is_complete
    return caught.value


def test_a_scan_is_asked_for_exact_columns_and_known_by_lower_case_names() -> None:
    """The source hears byte-exact names; SQL knows lower-case ones."""
    store = Store(batches=1, rows=2)

    found = rows(answer(planned("SELECT id, txt FROM __scan_1", scanned("Id", "txt"), id="bigint", t="varchar"), store))

    assert found == [{"id": 0, "t": f"{CANARY}-0"}, {"id": 1, "t": f"{CANARY}-0"}]
    assert [request.columns for request in store.requests] == [("Id", "txt")]


def test_a_self_join_opens_one_reader_for_each_reference_and_one_adapter() -> None:
    """Two references read twice; their source is opened and closed once."""
    store = Store()
    plan = planned(JOIN, scanned("Id"), scanned("Id", relation="__scan_2"), id="bigint")

    found = rows(answer(plan, store))

    assert len(found) == 30
    assert (store.opened, store.closed, store.adapters_closed) == (2, 2, 1)


def test_a_scan_of_no_columns_counts_rows() -> None:
    """count(*) needs no column of the source."""
    store = Store(batches=4, rows=25)

    found = rows(answer(planned("SELECT count(*) AS n FROM __scan_1", scanned(), n="bigint"), store))

    assert found == [{"n": 100}]


def test_the_answer_has_the_arrow_types_of_its_trino_types() -> None:
    """DuckDB's HUGEINT, DOUBLE and enum are not what the caller was promised."""
    plan = planned(
        "SELECT sum(id) AS s, 1 AS n, 1.5::DECIMAL(4,1) AS d, 'x'::ENUM('x') AS e, NULL AS u, {'a': 1} AS r,"
        " TIMESTAMPTZ '2020-01-01 00:00:00+00' AS z, MAP {'k': [1]} AS m FROM __scan_1",
        scanned("Id"),
        s="decimal(38,0)",
        n="tinyint",
        d="decimal(12,2)",
        e="varchar",
        u="integer",
        r="row(a bigint)",
        z="timestamp(3) with time zone",
        m="map(varchar, array(bigint))",
    )

    with answer(plan, Store()) as found:
        batches = list(found)

    assert found.schema.types == [
        pa.decimal128(38, 0),
        pa.int8(),
        pa.decimal128(12, 2),
        pa.string(),
        pa.int32(),
        pa.struct([("a", pa.int64())]),
        pa.timestamp("us", tz="UTC"),
        pa.map_(pa.string(), pa.list_(pa.int64())),
    ]
    assert [batch.schema for batch in batches] == [found.schema]
    assert batches[0].column(5).to_pylist() == [{"a": 1}]


def test_names_of_the_answer_may_repeat() -> None:
    """Two columns of one name are two columns."""
    columns = (OutputColumn(name="x", trino_type="integer"),) * 2
    plan = Plan(sql="SELECT 1 AS x, 2 AS y", governed_sql="", scans=(), columns=columns, governed=())

    with answer(plan, Store()) as found:
        batch = next(found)

    assert batch.schema.names == ["x", "x"]
    assert [column.to_pylist() for column in batch.columns] == [[1], [2]]


def test_an_answer_counts_and_knows_that_it_is_whole() -> None:
    """rows, bytes and is_complete tell what was handed out."""
    with answer(planned("SELECT id FROM __scan_1", scanned("Id"), id="bigint"), Store()) as found:
        assert not found.is_complete
        list(found)

    assert (found.rows, found.is_complete) == (30, True)
    assert 240 <= found.bytes < 300
    assert found.elapsed > 0


@pytest.mark.parametrize("whole", [True, False], ids=["to the end", "first batch only"])
def test_every_reader_and_adapter_is_closed_and_the_temp_directory_removed(
    whole: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the consumer stops early."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = Store(batches=500, rows=1000)
    plan = planned("SELECT id FROM __scan_1", scanned("Id"), id="bigint")

    with answer(plan, store) as found:
        _ = list(found) if whole else next(found)

    assert (store.opened, store.closed, store.adapters_closed) == (1, 1, 1)
    assert list(tmp_path.iterdir()) == []
    assert found.is_complete is whole


def test_an_answer_that_was_never_read_opened_nothing() -> None:
    """Nothing happens before the first batch is asked for."""
    store = Store()

    answer(planned("SELECT id FROM __scan_1", scanned("Id"), id="bigint"), store).close()

    assert (store.requests, store.opened, store.adapters_closed) == ([], 0, 0)


def test_cancelling_ends_a_slow_read_and_closes_its_reader() -> None:
    """Whoever waits no more sets the event; the source is let go of."""
    store, cancel = Store(batches=100_000, pause_s=0.01), Event()
    plan = planned("SELECT count(id) AS n FROM __scan_1", scanned("Id"), n="bigint")
    found = run(plan, open_adapter=store.open, limits=Limits(), cancel=cancel)
    canceller = store.once_read(cancel.set)

    caught = failure(found)

    canceller.join()
    assert (type(caught), caught.message) == (QueryFailed, "the query was cancelled")
    assert (store.opened, store.closed, store.adapters_closed) == (1, 1, 1)


def test_an_answer_can_be_closed_by_another_thread_than_its_reader() -> None:
    """A web server notices the disconnect elsewhere than where it reads."""
    store = Store(batches=100_000, pause_s=0.01)
    found = answer(planned("SELECT count(id) AS n FROM __scan_1", scanned("Id"), n="bigint"), store)
    closer = store.once_read(found.close)

    with pytest.raises(QueryFailed, match=r"^the query was cancelled$"):
        next(found)

    closer.join()
    assert (store.opened, store.closed, store.adapters_closed) == (1, 1, 1)


def test_a_query_ends_at_its_deadline() -> None:
    """A join that never ends is interrupted."""
    plan = planned("SELECT count(*) AS n FROM range(1000000000) a, range(1000000) b", n="bigint")

    caught = failure(answer(plan, Store(), timeout_s=0.3))

    assert type(caught) is QueryLimitExceeded
    assert caught.message == "the query was ended after 0.3 seconds"


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_rows": 29}, "the answer has more than 29 rows"),
        ({"max_bytes": 100}, "the answer is larger than 100 bytes"),
    ],
)
def test_one_row_or_byte_too_many_ends_the_answer(limits: dict[str, int], message: str) -> None:
    """A cut answer never looks whole."""
    plan = planned("SELECT id FROM __scan_1", scanned("Id"), id="bigint")

    caught = failure(answer(plan, Store(), **limits))

    assert (type(caught), caught.message) == (QueryLimitExceeded, message)


def test_exactly_as_many_rows_as_allowed_is_an_answer() -> None:
    """The limit is what may be had, not what may not."""
    plan = planned("SELECT id FROM __scan_1", scanned("Id"), id="bigint")

    assert len(rows(answer(plan, Store(), max_rows=30))) == 30


def test_the_error_that_a_reader_raised_is_the_one_that_arrives() -> None:
    """Type, message and hint are the adapter's own."""
    store = Store(breaks_at=1, breaks_with=SourceUnreachable("source lake does not answer", hint="is it up?"))

    caught = failure(answer(planned("SELECT sum(id) AS s FROM __scan_1", scanned("Id"), s="bigint"), store))

    assert type(caught) is SourceUnreachable
    assert (caught.message, caught.hint) == ("source lake does not answer", "is it up?")


@pytest.mark.parametrize("at", [0, 2])
def test_what_else_a_reader_raises_names_the_source_and_nothing_more(at: int) -> None:
    """A driver's text may hold anything: values, paths, secrets."""
    store = Store(breaks_at=at, breaks_with=RuntimeError(f"{CANARY} at /etc/lake"))

    caught = failure(answer(planned("SELECT id FROM __scan_1", scanned("Id"), id="bigint"), store))

    assert type(caught) is ScanFailed
    assert caught.message == "source lake broke while lake.public.t was read"
    assert caught.hint == "ask again; if it stays so, check the source"
    assert caught.__suppress_context__


def test_one_of_two_sources_dying_in_a_join_is_an_error_that_names_it() -> None:
    """No partial rows are presented as complete."""
    stores = {"lake": Store(batches=50), "cdc": Store(batches=50, breaks_at=40, breaks_with=OSError(CANARY))}
    plan = planned(JOIN, scanned("Id"), scanned("Id", relation="__scan_2", source="cdc"), id="bigint")

    caught = failure(run(plan, open_adapter=stores.__getitem__, limits=Limits()))

    assert caught.message == "source cdc broke while cdc.public.t was read"
    assert [(store.opened - store.closed, store.adapters_closed) for store in stores.values()] == [(0, 1)] * 2


def test_a_reader_of_another_schema_is_refused_before_its_rows_are_taken_for_something_else() -> None:
    """DuckDB trusts the announced schema with raw memory."""

    @dataclass
    class Drifted(Store):
        def _reader(self, request: object) -> pa.RecordBatchReader:  # type: ignore[override]
            self.opened += 1
            return pa.table({"Id": ["x"]}).to_reader()

    caught = failure(answer(planned("SELECT id FROM __scan_1", scanned("Id"), id="bigint"), Drifted()))

    assert (type(caught), caught.message) == (ScanFailed, "lake.public.t is not what was registered any more")
    assert caught.hint == "crawl lake again"


def test_a_batch_of_another_schema_than_its_reader_is_refused() -> None:
    """pyarrow does not compare them."""

    @dataclass
    class Liar(Store):
        def _reader(self, request: object) -> pa.RecordBatchReader:  # type: ignore[override]
            batch = pa.record_batch({"Id": ["x"]})
            return pa.RecordBatchReader.from_batches(pa.schema([("Id", pa.int64())]), iter([batch]))

    caught = failure(answer(planned("SELECT id FROM __scan_1", scanned("Id"), id="bigint"), Liar()))

    assert caught.message == "lake.public.t is not what was registered any more"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("CAST(txt AS INTEGER)", "a value does not fit the type it is cast to"),
        ("CAST(txt AS DATE)", "a value does not fit the type it is cast to"),
        ("CAST(txt || '-01-01' AS TIMESTAMP)", "a value does not fit the type it is cast to"),
        ("id // 0", "division by zero"),
        ("CASE WHEN id > 3 THEN error('Division by zero') END", "division by zero"),
        ("9223372036854775807 + id", "a number is out of range for its type"),
        ("CAST(id + 1000 AS TINYINT)", "a value does not fit the type it is cast to"),
        ("(SELECT txt FROM __scan_1)", "a scalar subquery returned more than one row"),
        ("error(txt)", "a function was given a value that it does not take"),
        ("regexp_matches(txt, '(' || txt)", "a function was given a value that it does not take"),
        ("strptime(txt, '%Y')", "a function was given a value that it does not take"),
        ("json_extract(txt, '$.a')", "a function was given a value that it does not take"),
        ("nope(txt)", "the engine does not take the query as it was rewritten"),
        ("nope", "the engine does not take the query as it was rewritten"),
        ("txt FROM read_text('/etc/passwd'), __scan_1 --", "the engine does not take the query as it was rewritten"),
    ],
)
@pytest.mark.parametrize("batches", [1, 400], ids=["at once", "in the stream"])
def test_the_engines_errors_are_told_without_values(expression: str, message: str, batches: int) -> None:
    """Its own texts hold the data: every one is replaced by a fixed sentence."""
    plan = planned(f"SELECT {expression} AS x FROM __scan_1", scanned("Id", "txt"), x="varchar")

    caught = failure(answer(plan, Store(batches=batches, rows=500)))

    assert (type(caught), caught.message) == (QueryFailed, message)
    assert CANARY not in caught.message + caught.hint


def test_a_value_too_large_for_the_answers_type_is_an_error_without_the_value() -> None:
    """The answer's types are kept, never bent."""
    plan = planned("SELECT 1234567 AS x", x="tinyint")

    caught = failure(answer(plan, Store()))

    assert caught.message == "a value of column x does not fit the type of the column"


def test_too_much_memory_is_said_so() -> None:
    """DuckDB's own text holds settings and paths."""
    plan = planned("SELECT string_agg(txt, '') AS x FROM __scan_1", scanned("txt"), x="varchar")

    caught = failure(answer(plan, Store(batches=300, rows=20_000), memory_bytes=16 << 20, spill_bytes=1 << 20))

    assert type(caught) is QueryLimitExceeded
    assert caught.message == "the query needs more memory than the 16 MiB it may have"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM glob('/*')",
        "COPY (SELECT 1) TO '/tmp/hms-dta-copied.csv'",
        "ATTACH '/tmp/hms-dta-attached.db' AS x",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        "SELECT * FROM store",
        "SELECT getenv('HOME')",
    ],
)
def test_the_sandbox_reaches_nothing_but_its_relations(sql: str) -> None:
    """The allow-list comes first; this is what stands behind it."""
    store = Store()  # a Python variable that a replacement scan would find

    caught = failure(answer(planned(sql, x="varchar"), store))

    assert type(caught) is QueryFailed


def test_what_each_source_would_be_asked_is_told_without_reading() -> None:
    """For --explain."""
    store = Store()

    found = asked(planned(JOIN, scanned("Id"), id="bigint"), open_adapter=store.open, limits=Limits())

    assert [scan.asked for _, scan in found] == ["ids ('Id',)"]
    assert (store.opened, store.adapters_closed) == (0, 1)


def test_a_source_that_cannot_scan_is_named() -> None:
    """Some adapters only describe."""

    class Catalogued:
        kind = "paper"

        def close(self) -> None: ...

    plan = planned("SELECT id FROM __scan_1", scanned("Id"), id="bigint")

    caught = failure(run(plan, open_adapter=lambda _: Catalogued(), limits=Limits()))  # type: ignore[arg-type,return-value]

    assert caught.message == "source lake cannot be queried: its adapter paper only describes"


def test_no_thread_is_left_behind() -> None:
    """The watch ends with its query."""
    before = set(threading.enumerate())

    for _ in range(5):
        rows(answer(planned("SELECT id FROM __scan_1", scanned("Id"), id="bigint"), Store()))
    with warnings.catch_warnings():
        gc.collect()

    left = set(threading.enumerate()) - before
    assert [thread.name for thread in left if thread.name.startswith("hms-dta")] == []
    assert len(left) <= 2  # DuckDB's own, seen as dummies
