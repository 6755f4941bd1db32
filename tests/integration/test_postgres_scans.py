"""Rows come in exactly their registered types or not at all, and nothing goes on when nobody waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from datetime import time as clock
from decimal import Decimal
from threading import Event

import pyarrow as pa
import pytest

from hms_postgres import PostgresAdapter
from hms_registry.domain.columns import ColumnPath
from hms_registry.domain.datasets import DatasetRef, DescribedDataset
from hms_registry.domain.predicates import Conjunct, Literal, Operator
from hms_registry.errors import HmsError, ScanFailed
from hms_registry.ports.adapter import Scan, ScanRequest, Scope
from hms_registry.services.trino_types import to_arrow
from postgres_crawling import adapter_of
from services.postgres import PASSWORD, Database, PostgresServer
from serving import eventually

# type, SQL value, what arrives, conjuncts that are pushed with the literal that it equals (None: none are)
VALUES: tuple[tuple[str, str, object, Literal | None], ...] = (
    ("boolean", "true", True, True),
    ("smallint", "-32768", -32768, -32768),
    ("bigint", "9223372036854775807", 2**63 - 1, 2**63 - 1),
    ("real", "1.5", 1.5, 1.5),
    ("double precision", "0.1", 0.1, 0.1),
    ("numeric(38,10)", "1234567890123456789012345678.0123456789",
     Decimal("1234567890123456789012345678.0123456789"), Decimal("1234567890123456789012345678.0123456789")),
    ("numeric(3,-2)", "12345", Decimal("12300"), 12300),
    ("numeric", "'NaN'", "NaN", None),
    ("numeric", "1.10", "1.10", None),
    ("text", "'O''Neil \\ \"x\" %'", "O'Neil \\ \"x\" %", "O'Neil \\ \"x\" %"),
    ("text", "''", "", ""),
    ("varchar(3)", "'abc'", "abc", "abc"),
    ("char(5)", "'ab'", "ab", "ab"),
    ("bytea", r"'\x00ff27'", b"\x00\xff'", b"\x00\xff'"),
    ("date", "'0001-01-01'", date(1, 1, 1), date(1, 1, 1)),
    ("date", "'9999-12-31'", date(9999, 12, 31), date(9999, 12, 31)),
    ("time(3)", "'23:59:59.999'", clock(23, 59, 59, 999000), clock(23, 59, 59, 999000)),
    ("timetz", "'12:00+02'", "12:00:00+02", None),
    ("timestamp", "'2024-02-29 12:00:00.000001'", datetime(2024, 2, 29, 12, 0, 0, 1),
     datetime(2024, 2, 29, 12, 0, 0, 1)),
    ("timestamptz", "'2024-10-27 02:30+02'", datetime(2024, 10, 27, 0, 30, tzinfo=UTC),
     datetime(2024, 10, 27, 0, 30, tzinfo=UTC)),
    ("interval", "'1 year 2 days 03:04:05.6'", "1 year 2 days 03:04:05.6", None),
    ("uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
     "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("jsonb", """'{"b": 1, "a": [null]}'""", '{"a": [null], "b": 1}', None),
    ("bit", "B'1'", True, None),
    ("inet", "'10.0.0.1/8'", "10.0.0.1/8", None),
    ("int4range", "'[1,5)'", "[1,5)", None),
    ("oid", "4294967295", 4294967295, None),
    ("integer[]", "'{1,NULL,3}'", [1, None, 3], None),
    ("text[]", "'{}'", [], None),
    ("numeric(6,2)[]", "'{1.5,NULL}'", [Decimal("1.50"), None], None),
    ("uuid[]", "'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'", ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"], None),
    ("mood", "'glad'", "glad", "glad"),
    ("mood[]", "'{glad,NULL}'", ["glad", None], None),
    ("pair", "ROW(1, 'x')", "(1,x)", None),
    ("price", "1.25", Decimal("1.25"), Decimal("1.25")),
)  # fmt: skip

REFUSED = (
    ("numeric(5,2)", "'NaN'"),
    ("date", "'infinity'"),
    ("date", "'-infinity'"),
    ("timestamp", "'infinity'"),
    ("timestamptz", "'-infinity'"),
    ("timestamp", "'294276-12-31'"),
    ("time", "'24:00'"),
    ("date[]", "'{2024-01-01,infinity}'"),
    ("numeric(5,2)[]", "'{NaN}'"),
    ("integer[]", "'{{1,2},{3,4}}'"),
    ("text[]", "'{{secret,2}}'"),
)


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer) -> Iterator[Database]:
    """A table of one column and row for each value."""
    with postgres_server.database() as made:
        made.execute(
            "CREATE TYPE mood AS ENUM ('sad', 'glad')",
            "CREATE TYPE pair AS (a int, b text)",
            "CREATE DOMAIN price AS numeric(9,2)",
            "CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
            "CREATE TABLE blind (name text COLLATE blind)",
            "INSERT INTO blind VALUES ('Oslo'), ('OSLO')",
            "CREATE TABLE long AS SELECT n AS id, repeat('x', 100) AS filler FROM generate_series(1, 200000) n",
            "CREATE VIEW slow AS SELECT pg_sleep(30)::text AS nothing",
        )
        for at, (kind, value, _, _) in enumerate(VALUES):
            made.execute(f"CREATE TABLE v{at} (c {kind})", f"INSERT INTO v{at} VALUES ({value}), (NULL)")
        for at, (kind, value) in enumerate(REFUSED):
            made.execute(f"CREATE TABLE r{at} (c {kind})", f"INSERT INTO r{at} VALUES ({value})")
        yield made


@pytest.fixture
def adapter(database: Database) -> Iterator[PostgresAdapter]:
    """An adapter of it."""
    with closing(adapter_of(database.url)) as opened:
        yield opened


def _request(adapter: PostgresAdapter, table: str, **asked: object) -> ScanRequest:
    """Ask for all columns of a table, as registered."""
    refs = [item for item in adapter.discover(Scope()) if isinstance(item, DatasetRef) and item.address.table == table]
    (described,) = adapter.describe(refs)
    assert isinstance(described, DescribedDataset)
    schema = pa.schema([pa.field(column.name, to_arrow(column.trino_type)) for column in described.columns])
    return ScanRequest(ref=refs[0], columns=tuple(schema.names), schema=schema, **asked)  # type: ignore[arg-type] # fields of the request


def _rows(scan: Scan) -> list[object]:
    return scan.open_reader().read_all().column(0).to_pylist()


def _is(operator: Operator, *values: Literal) -> Conjunct:
    return Conjunct(ColumnPath.of("c"), operator, values)


def _sessions(database: Database) -> int:
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hms-dta' AND state <> 'idle'"
    ((count,),) = database.rows(query)
    assert isinstance(count, int)
    return count


@pytest.mark.parametrize(
    ("at", "value", "literal"),
    [(at, value, literal) for at, (_, _, value, literal) in enumerate(VALUES)],
    ids=[f"{kind} {value}" for kind, value, _, _ in VALUES],
)
def test_a_value_arrives_as_it_is_and_is_found_by_it(
    adapter: PostgresAdapter, at: int, value: object, literal: Literal | None
) -> None:
    """The value and NULL arrive in the registered type; equality is pushed exactly, or left to the engine."""
    request = _request(adapter, f"v{at}")

    assert _rows(adapter.scan(request)) == [value, None]
    for operator, expected in ((Operator.EQ, [value]), (Operator.IN, [value]), (Operator.NE, [])):
        asked = literal if literal is not None else str(value)
        scan = adapter.scan(
            ScanRequest(
                ref=request.ref, columns=request.columns, schema=request.schema, predicate=(_is(operator, asked),)
            )
        )
        if literal is None:
            assert scan.residual == (_is(operator, asked),)
        else:
            assert (scan.residual, _rows(scan)) == ((), expected)


@pytest.mark.parametrize("at", range(len(REFUSED)), ids=[f"{kind} {value}" for kind, value in REFUSED])
def test_a_value_that_its_type_cannot_hold_fails_the_scan(adapter: PostgresAdapter, at: int) -> None:
    """NaN, infinity and arrays of arrays are refused by name of the column, without the value."""
    scan = adapter.scan(_request(adapter, f"r{at}"))

    with pytest.raises(ScanFailed) as caught:
        _rows(scan)

    told = caught.value.message + caught.value.hint
    assert f"src.public.r{at}: a value" in told
    assert "secret" not in told
    assert "hms-nested" not in told


@pytest.mark.parametrize(
    ("table", "conjunct"),
    [
        ("v9", _is(Operator.LT, "z")),
        ("v9", _is(Operator.EQ, "nul\0")),
        ("v9", _is(Operator.EQ, 5)),
        ("v12", _is(Operator.EQ, "ab   ")),
        ("v1", _is(Operator.EQ, "1; DROP TABLE v1")),
        ("v1", _is(Operator.LT, 1.5)),
        ("v4", _is(Operator.EQ, float("nan"))),
        ("v21", _is(Operator.EQ, "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11")),
        ("v33", Conjunct(ColumnPath.of("c"), Operator.IS_NULL)),
        ("v14", _is(Operator.EQ, datetime(2024, 1, 1))),
        ("v18", _is(Operator.EQ, datetime(2024, 1, 1, tzinfo=UTC))),
        ("v9", Conjunct(ColumnPath.of("c", "inner"), Operator.EQ, ("x",))),
    ],
    ids=str,
)
def test_what_the_server_would_answer_otherwise_is_left_to_the_engine(
    adapter: PostgresAdapter, table: str, conjunct: Conjunct
) -> None:
    """String order, foreign types, padding, NaN, other spellings and rows of NULLs are residual, and bar a limit."""
    request = _request(adapter, table, predicate=(conjunct,), limit=1)

    scan = adapter.scan(request)

    assert (scan.residual, scan.is_limit_applied) == ((conjunct,), False)
    assert " WHERE " not in scan.asked
    assert " LIMIT " not in scan.asked


def test_a_collation_that_equates_strings_is_not_asked(adapter: PostgresAdapter) -> None:
    """Under a nondeterministic collation even equality is the engine's."""
    conjunct = Conjunct(ColumnPath.of("name"), Operator.EQ, ("Oslo",))

    scan = adapter.scan(_request(adapter, "blind", predicate=(conjunct,)))

    assert scan.residual == (conjunct,)


def test_the_server_is_asked_for_what_is_needed_only(adapter: PostgresAdapter) -> None:
    """Projection, predicate and limit stand in the SELECT, each name quoted, each type stated."""
    predicate = (Conjunct(ColumnPath.of("id"), Operator.IN, (3, 5)),)
    request = _request(adapter, "long", predicate=predicate, limit=1)

    scan = adapter.scan(
        ScanRequest(
            ref=request.ref, columns=("id",), schema=pa.schema({"id": pa.int32()}), predicate=predicate, limit=1
        )
    )

    assert scan.asked == ('SELECT "id"::pg_catalog.int4 AS "id" FROM "public"."long" WHERE "id" IN (3, 5) LIMIT 1')
    assert _rows(scan) in ([3], [5])


def test_a_long_list_of_keys_reaches_the_server(adapter: PostgresAdapter) -> None:
    """A semi-join's ten thousand keys are one IN."""
    wanted = tuple(range(1, 200_001, 20))
    predicate = (Conjunct(ColumnPath.of("id"), Operator.IN, wanted),)

    scan = adapter.scan(_request(adapter, "long", predicate=predicate))

    assert scan.residual == ()
    assert sorted(_rows(scan)) == list(wanted)  # type: ignore[type-var] # ints


@pytest.mark.parametrize("ends", ["closed", "cancelled", "adapter closed"])
@pytest.mark.parametrize("table", ["long", "slow"])
def test_nothing_runs_on_the_server_a_second_after_nobody_waits(
    database: Database, adapter: PostgresAdapter, table: str, ends: str
) -> None:
    """A reader that is closed, a query that is cancelled and an adapter that is closed end their backends."""
    cancel = Event()
    scan = adapter.scan(_request(adapter, table, cancel=cancel, batch_rows=10))
    reader = scan.open_reader()
    if table == "long":
        reader.read_next_batch()
    eventually(lambda: _sessions(database) > 0, seconds=30)

    if ends == "cancelled":
        cancel.set()
        with pytest.raises(ScanFailed):
            reader.read_all()
    elif ends == "closed":
        reader.close()
        del reader
    else:
        adapter.close()

    eventually(lambda: _sessions(database) == 0, seconds=10)


def test_a_scan_ends_at_its_deadline(database: Database, adapter: PostgresAdapter) -> None:
    """A query that sleeps fails in time, and its backend with it."""
    scan = adapter.scan(_request(adapter, "slow", deadline_s=0.5))

    with pytest.raises(ScanFailed, match="was not read in time"):
        _rows(scan)

    eventually(lambda: _sessions(database) == 0, seconds=10)


def test_a_table_without_columns_counts_its_rows(database: Database, adapter: PostgresAdapter) -> None:
    """No columns, and yet rows."""
    database.execute("CREATE TABLE IF NOT EXISTS nothing ()", "INSERT INTO nothing DEFAULT VALUES")

    batches = list(adapter.scan(_request(adapter, "nothing")).open_reader())

    assert [batch.num_rows for batch in batches] == [1]


@pytest.mark.parametrize(
    ("statements", "fact"),
    [
        (("ALTER TABLE moving RENAME COLUMN a TO b",), 'src.public.moving has no column "a" any more'),
        (("ALTER TABLE moving ALTER COLUMN a TYPE bigint USING 9999999999",),
         "src.public.moving: a value of column a is no int32: NaN, infinite or out of range"),
        (("REVOKE ALL ON moving FROM reader",), "src.public.moving: this account may not read it"),
        (("DROP TABLE moving",), "src.public.moving is not there any more"),
        (("DROP TABLE moving", "CREATE TABLE moving (a int)"), "src.public.moving is not there any more"),
    ],
)  # fmt: skip
def test_what_is_not_as_registered_any_more_says_so(
    database: Database, postgres_server: PostgresServer, statements: Sequence[str], fact: str
) -> None:
    """A renamed or retyped column, a lost right and a dropped table each have their sentence."""
    postgres_server.role("reader")
    database.execute(
        "DROP TABLE IF EXISTS moving", "CREATE TABLE moving (a int)", "INSERT INTO moving VALUES (1)",
        "GRANT SELECT ON moving TO reader", "GRANT USAGE ON SCHEMA public TO reader",
    )  # fmt: skip
    with closing(adapter_of(database.url_of("reader"))) as adapter:
        request = _request(adapter, "moving")
        database.execute(*statements)

        with pytest.raises(HmsError) as caught:
            _rows(adapter.scan(request))

    assert caught.value.message == fact
    assert caught.value.hint
    assert PASSWORD not in caught.value.message + caught.value.hint


def test_rows_may_be_read_by_another_account_than_the_crawler(
    database: Database, postgres_server: PostgresServer
) -> None:
    """`scan_user` reads; what it may not read fails, though the crawler could."""
    postgres_server.role("reader")
    database.execute("CREATE TABLE IF NOT EXISTS kept (a int)")

    with closing(adapter_of(database.url, scan_user="reader", scan_password=PASSWORD)) as adapter:
        scan = adapter.scan(_request(adapter, "kept"))
        with pytest.raises(ScanFailed, match="this account may not read it"):
            _rows(scan)
