"""The sandbox that a process keeps for its questions."""

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from hms_federation.engine.limits import Limits
from hms_federation.engine.sandbox import Sandbox

ROWS = pa.table({"a": [1]})


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, empty."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_what_one_query_registers_no_other_one_sees() -> None:
    """Neither while it is open nor when it is closed."""
    sandbox = Sandbox(Limits())
    first, second = sandbox.connect(), sandbox.connect()
    first.register("__scan_1", ROWS)

    assert first.sql("SELECT a FROM __scan_1").fetchall() == [(1,)]
    with pytest.raises(duckdb.CatalogException):
        second.sql("SELECT a FROM __scan_1")
    first.close()
    with pytest.raises(duckdb.CatalogException):
        sandbox.connect().sql("SELECT a FROM __scan_1")
    sandbox.close()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "SET threads = 8",
        "SET GLOBAL memory_limit = '100GB'",
        "SET enable_external_access = true",
        "ATTACH '/tmp/x.db' AS x",
        "COPY (SELECT 1) TO '/tmp/x.csv'",
        "INSTALL httpfs",
        "SELECT * FROM ROWS",
    ],
)
def test_a_later_connection_is_as_shut_as_the_first(sql: str) -> None:
    """Its settings are those of the sandbox, and locked."""
    sandbox = Sandbox(Limits())
    sandbox.connect().close()

    with sandbox.connect() as connection, pytest.raises(duckdb.Error):
        connection.execute(sql).fetchall()
    sandbox.close()


def test_every_connection_tells_the_time_in_utc() -> None:
    """Whatever the machine's own zone is."""
    sandbox = Sandbox(Limits())
    sandbox.connect().close()

    assert sandbox.connect().execute("SELECT current_setting('TimeZone')").fetchall() == [("UTC",)]
    sandbox.close()


def test_a_broken_sandbox_is_replaced(temporary: Path) -> None:
    """After a fatal error every statement in it fails; the next question gets another one, and no file stays."""
    sandbox = Sandbox(Limits())
    sandbox.connect().close()
    broken = sandbox._instance
    assert broken is not None
    broken.close()

    assert sandbox.connect().execute("SELECT 1").fetchall() == [(1,)]
    assert len(list(temporary.iterdir())) == 1
    sandbox.close()
    assert list(temporary.iterdir()) == []


def test_closing_twice_is_closing_once(temporary: Path) -> None:
    """Also before anything was asked."""
    sandbox = Sandbox(Limits())

    sandbox.close()
    sandbox.close()

    assert list(temporary.iterdir()) == []
