"""Scans of SQLite: what is pushed and what not, values that do not fit, time and cancelling."""

from __future__ import annotations

import time
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from threading import Event

import pyarrow as pa
import pytest

from hms_registry.domain.columns import ColumnPath
from hms_registry.domain.predicates import Conjunct, Literal, Operator
from hms_registry.errors import ScanFailed
from hms_registry.ports.adapter import ScanRequest
from sqlite_source import Database

SCRIPT = """
CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT, r REAL, n NUMERIC, d DATE, ts DATETIME, b BOOLEAN, z BLOB, odd);
INSERT INTO t VALUES (1, 'a', 1.5, 2, '2024-01-06', '2024-01-06 10:00:00', 1, x'00ff', 5),
  (2, 'A', NULL, 2.5, '2024-01-13', '2024-01-13T10:00:00.5', 0, NULL, 'five');
"""
SCHEMA: dict[str, pa.DataType] = {
    "id": pa.int64(),
    "s": pa.string(),
    "r": pa.float64(),
    "n": pa.float64(),
    "d": pa.date32(),
    "ts": pa.timestamp("us"),
    "b": pa.bool_(),
    "z": pa.binary(),
    "odd": pa.string(),
}


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """A database with one table of every kind of column."""
    return Database(tmp_path / "t.db", SCRIPT)


def where(column: str, operator: Operator, *values: Literal) -> Conjunct:
    """Make a conjunct."""
    return Conjunct(ColumnPath.of(column), operator, values)


@pytest.mark.parametrize(
    ("conjunct", "pushed"),
    [
        (where("id", Operator.IN, 1, 2), '"id" IN (?, ?)'),
        (where("id", Operator.GE, 2), '"id" >= ?'),
        (where("id", Operator.EQ, 2**63), None),
        (where("id", Operator.EQ, 1.5), None),
        (where("id", Operator.EQ, True), None),
        (where("s", Operator.EQ, "a"), '"s" COLLATE BINARY = ?'),
        (where("s", Operator.NE, "a"), '"s" COLLATE BINARY <> ?'),
        (where("s", Operator.LT, "a"), None),
        (where("s", Operator.EQ, "\ud800"), None),
        (where("s", Operator.IS_NULL), '"s" IS NULL'),
        (where("r", Operator.GT, Decimal("1.5")), '"r" > ?'),
        (where("r", Operator.EQ, float("nan")), None),
        (where("n", Operator.LE, 2), '"n" <= ?'),
        (where("d", Operator.GE, date(2024, 1, 6)), '"d" COLLATE BINARY >= ?'),
        (where("d", Operator.EQ, datetime(2024, 1, 6)), None),
        (where("ts", Operator.EQ, datetime(2024, 1, 6)), None),
        (where("b", Operator.EQ, True), '"b" = ?'),
        (where("b", Operator.EQ, 1), None),
        (where("b", Operator.GT, False), None),
        (where("z", Operator.EQ, b"\x00\xff"), '"z" = ?'),
        (where("z", Operator.LT, b"\x01"), None),
        (where("odd", Operator.EQ, "5"), None),
        (where("id", Operator.IN, *range(10_001)), None),
    ],
    ids=lambda each: str(each)[:40],
)
def test_only_what_sqlite_answers_as_sql_does_is_pushed(
    database: Database, conjunct: Conjunct, pushed: str | None
) -> None:
    """The rest is residual, and then no limit is applied."""
    name = conjunct.column.name

    scan = database.scan("t", {name: SCHEMA[name]}, conjunct, limit=1)

    assert scan.residual == (() if pushed else (conjunct,))
    assert scan.is_limit_applied is bool(pushed)
    assert (f" WHERE {pushed} LIMIT 1" in scan.asked) is bool(pushed)


def test_every_type_is_read_as_registered(database: Database) -> None:
    """Dates and times from their text, booleans from numbers, mixed values as text."""
    rows = database.scan("t", SCHEMA).open_reader().read_all().to_pylist()

    assert rows[0] == {
        "id": 1,
        "s": "a",
        "r": 1.5,
        "n": 2.0,
        "d": date(2024, 1, 6),
        "ts": datetime(2024, 1, 6, 10),
        "b": True,
        "z": b"\x00\xff",
        "odd": "5",
    }
    assert [rows[1][name] for name in ("ts", "odd", "z")] == [datetime(2024, 1, 13, 10, 0, 0, 500_000), "five", None]


@pytest.mark.parametrize(
    ("column", "sql_value"),
    [
        ("id_like", "'canary'"),
        ("id_like", "1.5"),
        ("r", "'canary'"),
        ("d", "'canary'"),
        ("d", "5"),
        ("b", "7"),
        ("s", "x'00'"),
        ("z", "'canary'"),
        ("n", "9007199254740993"),
    ],
)
def test_a_value_that_does_not_fit_fails_with_its_column_and_not_its_value(
    tmp_path: Path, column: str, sql_value: str
) -> None:
    """SQLite stores what it is given; a scan yields what is registered, or fails."""
    database = Database(
        tmp_path / "t.db", "CREATE TABLE t (id_like INT, s TEXT, r REAL, n NUMERIC, d DATE, b BOOLEAN, z BLOB)"
    )
    database.run(f"INSERT INTO t ({column}) VALUES ({sql_value})")
    wanted = {**SCHEMA, "id_like": pa.int64()}[column]

    with pytest.raises(ScanFailed) as caught:
        database.scan("t", {column: wanted}).open_reader().read_all()

    assert caught.value.message == f"cdc.public.t: column {column!r} holds a value that is not of type {wanted}"
    assert "manifest" in caught.value.hint


def test_text_that_is_not_utf8_fails_clearly(database: Database) -> None:
    """Without quoting what it holds."""
    database.run("INSERT INTO t (id, s) VALUES (3, CAST(x'ff' AS TEXT))")

    with pytest.raises(ScanFailed) as caught:
        database.scan("t", {"s": pa.string()}).open_reader().read_all()

    assert caught.value.message == "cdc.public.t: it holds text that is not UTF-8"


@pytest.mark.parametrize("how", ["cancel", "deadline"])
def test_a_scan_that_yields_nothing_for_long_is_interrupted(tmp_path: Path, how: str) -> None:
    """Inside SQLite, between no two rows: a view that never ends."""
    database = Database(
        tmp_path / "t.db",
        "CREATE VIEW v AS WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c WHERE n < 0",
    )
    cancel = Event()
    request = ScanRequest(
        ref=database.refs()["v"],
        columns=("n",),
        schema=pa.schema({"n": pa.int64()}),
        cancel=cancel if how == "cancel" else None,
        deadline_s=60.0 if how == "cancel" else 0.2,
    )
    if how == "cancel":
        cancel.set()
    started = time.monotonic()

    with pytest.raises(ScanFailed, match="stopped"):
        database.adapter.scan(request).open_reader().read_all()

    assert time.monotonic() - started < 15


def test_closing_a_reader_lets_go_of_the_database(database: Database) -> None:
    """A writer needs no patience once the reader is closed half way."""
    database.run("INSERT INTO t (s) VALUES (?)", *[("x" * 1000,) for _ in range(5000)])
    request = ScanRequest(ref=database.refs()["t"], columns=("s",), schema=pa.schema({"s": pa.string()}), batch_rows=10)
    reader = database.adapter.scan(request).open_reader()
    reader.read_next_batch()

    reader.close()
    del reader  # pyarrow closes what is behind a reader with its last reference

    database.run("PRAGMA busy_timeout = 0; DELETE FROM t;")


def test_a_column_that_is_gone_fails_when_it_is_planned(database: Database) -> None:
    """The error says to crawl again."""
    with pytest.raises(ScanFailed) as caught:
        database.scan("t", {"gone": pa.int64()})

    assert caught.value.message == "cdc.public.t has no column 'gone' any more"
    assert caught.value.hint == "crawl cdc again"


def test_as_many_keys_as_a_statement_takes_are_bound(database: Database) -> None:
    """Lists of keys are long; a list that would be too many for the statement is left to the engine."""
    keys = [where("id", Operator.IN, *range(at, at + 10_000)) for at in (-9_998, -5_000, 1, -100)]

    scan = database.scan("t", {"id": pa.int64()}, *keys)

    assert scan.residual == (keys[3],)
    assert scan.open_reader().read_all().to_pydict() == {"id": [1]}
