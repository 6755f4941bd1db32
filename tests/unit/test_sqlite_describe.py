"""SQLite's tables and views are described as they are: types, keys, odd tables, odd files."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hms_registry.domain.crawls import ContainerListed, Failure
from hms_registry.domain.datasets import DatasetKind, ForeignKey
from hms_registry.domain.names import Address
from hms_registry.errors import SettingsInvalid, SourceUnreachable
from hms_registry.ports.adapter import Scope
from hms_sqlite import SqliteAdapter, SqliteConfig
from hms_sqlite.typing_rules import Affinity, affinity
from sqlite_source import Database


def test_declared_types_follow_affinity_and_the_rest_is_guessed(tmp_path: Path) -> None:
    """A declaration that SQLite keeps to is believed; dates, booleans and nothing at all are read off the values."""
    database = Database(
        tmp_path / "t.db",
        """
        CREATE TABLE t (i INT, big BIGINT, s VARCHAR(10), c CLOB, r REAL, f FLOAT, n NUMERIC(10,2), z BLOB, d DATE,
          ts DATETIME, tz TIMESTAMP, b BOOLEAN, j JSON, odd, mixed, never DATE, unix DATETIME);
        INSERT INTO t VALUES (1, 2, 'a', 'b', 1.5, 2.5, 3.25, x'00', '2024-01-06', '2024-01-06 10:00:00',
          '2024-01-06T10:00:00Z', 1, '{}', 5, 5, NULL, 1700000000);
        INSERT INTO t (b, odd, mixed) VALUES (0, 6, 'text');
        """,
    )

    guessed = {column.name for column in database.describe("t").columns if column.is_guessed}

    assert database.types("t") == {
        "i": "bigint",
        "big": "bigint",
        "s": "varchar",
        "c": "varchar",
        "r": "double",
        "f": "double",
        "n": "double",
        "z": "varbinary",
        "d": "date",
        "ts": "timestamp(6)",
        "tz": "timestamp(6) with time zone",
        "b": "boolean",
        "j": "varchar",
        "odd": "bigint",
        "mixed": "varchar",
        "never": "varchar",
        "unix": "bigint",
    }
    assert guessed == {"d", "ts", "tz", "b", "j", "odd", "mixed", "never", "unix"}


@pytest.mark.parametrize(
    ("declared", "wanted"),
    [
        ("INT", Affinity.INTEGER),
        ("CHARINT", Affinity.INTEGER),
        ("FLOATING POINT", Affinity.INTEGER),
        ("NVARCHAR(100)", Affinity.TEXT),
        ("", Affinity.BLOB),
        ("BLOB", Affinity.BLOB),
        ("DOUBLE PRECISION", Affinity.REAL),
        ("STRING", Affinity.NUMERIC),
        ("DECIMAL(10,5)", Affinity.NUMERIC),
        ("DATETIME", Affinity.NUMERIC),
    ],
)
def test_affinity_follows_the_rules_of_sqlite_with_their_surprises(declared: str, wanted: Affinity) -> None:
    """STRING is a number, and FLOATING POINT an integer: https://www.sqlite.org/datatype3.html, section 3.1."""
    assert affinity(declared) is wanted


def test_keys_and_nullability_are_what_sqlite_enforces(tmp_path: Path) -> None:
    """A primary key may hold NULL in an ordinary table, and not in others."""
    database = Database(
        tmp_path / "t.db",
        """
        CREATE TABLE ordinary (a TEXT, b INT, c TEXT NOT NULL, PRIMARY KEY (b, a));
        CREATE TABLE rowid_alias (id INTEGER PRIMARY KEY, a TEXT);
        CREATE TABLE without (a TEXT, b INT, PRIMARY KEY (a)) WITHOUT ROWID;
        CREATE TABLE strict_one (a TEXT PRIMARY KEY, b INT) STRICT;
        """,
    )

    enforced = {
        name: {column.name for column in database.describe(name).columns if not column.is_nullable}
        for name in database.refs()
    }

    assert database.describe("ordinary").primary_key == ("b", "a")
    assert enforced == {"ordinary": {"c"}, "rowid_alias": {"id"}, "without": {"a"}, "strict_one": {"a"}}


def test_foreign_keys_name_their_target_as_it_is_spelled(tmp_path: Path) -> None:
    """Composite, implicit, of another case, of itself; one to a table that is not there refers to nothing."""
    database = Database(
        tmp_path / "t.db",
        """
        CREATE TABLE Parent (X INT, y INT, PRIMARY KEY (X, y));
        CREATE TABLE child (a INT, b INT, me INTEGER PRIMARY KEY, up INT REFERENCES child, gone INT REFERENCES nope (x),
          FOREIGN KEY (a, b) REFERENCES parent (x, Y));
        CREATE TABLE implied (a INT, b INT, FOREIGN KEY (a, b) REFERENCES PARENT);
        """,
    )
    parent = Address("cdc", "public", "Parent")

    assert set(database.describe("child").foreign_keys) == {
        ForeignKey(columns=("a", "b"), target=parent, target_columns=("X", "y")),
        ForeignKey(columns=("up",), target=Address("cdc", "public", "child"), target_columns=("me",)),
    }
    assert database.describe("implied").foreign_keys == (
        ForeignKey(columns=("a", "b"), target=parent, target_columns=("X", "y")),
    )


def test_internal_and_shadow_tables_are_left_out_and_generated_columns_are_not(tmp_path: Path) -> None:
    """A virtual table is one table; its hidden columns are not shown."""
    database = Database(
        tmp_path / "t.db",
        """
        CREATE VIRTUAL TABLE notes USING fts5 (body);
        CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a INT, twice INT AS (a * 2) STORED);
        INSERT INTO t (a) VALUES (2);
        ANALYZE;
        """,
    )

    assert sorted(database.refs()) == ["notes", "t"]
    assert [column.name for column in database.describe("notes").columns] == ["body"]
    assert [column.name for column in database.describe("t").columns] == ["id", "a", "twice"]


def test_a_row_count_is_what_analyze_left_and_never_counted(tmp_path: Path) -> None:
    """An estimate says that it is one."""
    database = Database(tmp_path / "t.db", "CREATE TABLE t (a INT); CREATE TABLE u (a INT);")
    database.run("INSERT INTO t VALUES (?)", *[(at,) for at in range(50)])

    assert database.describe("t").observation.row_count is None
    database.run("ANALYZE")
    assert (database.describe("t").observation.row_count, database.describe("t").observation.is_estimate) == (50, True)
    assert database.describe("u").observation.row_count is None


def test_a_broken_view_is_one_failure(tmp_path: Path) -> None:
    """Every other table is described; the broken one says why it is not."""
    database = Database(
        tmp_path / "t.db",
        "CREATE TABLE t (a INT); CREATE VIEW good AS SELECT a, a + 1 AS b FROM t;"
        "CREATE VIEW bad AS SELECT * FROM nope;",
    )

    results = database.describe_all()

    failed = [each.reason for each in results.values() if isinstance(each, Failure)]
    assert failed == ["SQLite cannot read its columns: it refers to a table, function or module that is not there"]
    assert database.describe("good").ref.kind is DatasetKind.VIEW


def test_a_view_that_never_ends_costs_a_bounded_look(tmp_path: Path) -> None:
    """What it holds stays unknown, the same at each look, and the tables after it are listed."""
    database = Database(
        tmp_path / "t.db",
        "CREATE VIEW a AS WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c WHERE n < 0;"
        "CREATE TABLE t (d DATE); INSERT INTO t VALUES ('2024-01-06');",
    )

    assert database.types("a") == {"n": "varchar"}
    assert database.types("t") == {"d": "date"}
    assert database.refs() == database.refs()


def test_views_supply_their_sql(tmp_path: Path) -> None:
    """Tables have none."""
    database = Database(tmp_path / "t.db", "CREATE TABLE t (a INT); CREATE VIEW v AS SELECT a FROM t;")

    (definition,) = database.adapter.definitions(list(database.refs().values()))

    assert (definition.view.table, definition.sql) == ("v", "CREATE VIEW v AS SELECT a FROM t")
    assert (definition.dialect, definition.search_path) == ("sqlite", ("public",))


def test_the_listing_is_one_complete_snapshot(tmp_path: Path) -> None:
    """Absence is believed at once, also in a database without any table."""
    database = Database(tmp_path / "t.db", "CREATE TABLE t (a INT); DROP TABLE t;")

    assert list(database.adapter.discover(Scope())) == [
        ContainerListed(schema="public", is_complete=True, is_snapshot=True),
        ContainerListed(schema="", is_complete=True, is_snapshot=True),
    ]


def test_a_listing_holds_no_lock(tmp_path: Path) -> None:
    """A writer can commit while a crawl is half way through the refs."""
    database = Database(tmp_path / "t.db", "CREATE TABLE t (a INT); CREATE TABLE u (a INT);")
    listing = iter(database.adapter.discover(Scope()))
    next(listing)

    with closing(sqlite3.connect(database.path, timeout=0)) as writer, writer:
        writer.execute("INSERT INTO t VALUES (1)")

    assert len(list(listing)) == 3


@pytest.mark.parametrize(
    "content", [b"not a database at all, but long enough to be one", b"SQLite format 3\0" + b"\xff" * 500]
)
def test_what_is_no_database_is_unreachable(tmp_path: Path, content: bytes) -> None:
    """The error says so, and nothing is written."""
    (tmp_path / "t.db").write_bytes(content)
    adapter = SqliteAdapter(SqliteConfig.from_url(source="cdc", url=str(tmp_path / "t.db"), options={}))

    with pytest.raises(SourceUnreachable, match=r"not a SQLite database|damaged"):
        adapter.check()
    assert (tmp_path / "t.db").read_bytes() == content


def test_a_file_that_is_not_there_is_not_created(tmp_path: Path) -> None:
    """Nor is a folder taken for one."""
    for url in (f"sqlite:///{tmp_path}/none.db", f"sqlite:///{tmp_path}"):
        with pytest.raises(SourceUnreachable):
            SqliteAdapter(SqliteConfig.from_url(source="cdc", url=url, options={})).check()

    assert os.listdir(tmp_path) == []  # noqa: PTH208 # also hidden ones


def test_a_locked_database_is_unreachable_within_the_stated_time(tmp_path: Path) -> None:
    """A writer that holds it exclusively is waited for as long as the option says."""
    database = Database(tmp_path / "t.db", "CREATE TABLE t (a INT)", busy_timeout_s="0.1")
    with closing(sqlite3.connect(database.path, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")

        with pytest.raises(SourceUnreachable) as caught:
            database.adapter.check()

    assert caught.value.message == "source cdc: the database is locked by another process"
    assert caught.value.hint == "try again, or raise the source's option busy_timeout_s"


def test_nothing_can_be_written_through_the_adapter(tmp_path: Path) -> None:
    """The file's bytes are the same after everything was asked."""
    database = Database(tmp_path / "t.db", "CREATE TABLE t (a INT); INSERT INTO t VALUES (1);")
    before = database.path.read_bytes()

    database.describe_all()
    database.adapter.stamp(Scope())

    assert database.path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["t.db"]


def test_a_location_is_found_again(tmp_path: Path) -> None:
    """What `describe` writes, `locate` reads."""
    database = Database(tmp_path / "my data.db", 'CREATE TABLE "odd #%" (a INT)')

    location = database.describe("odd #%").location

    assert database.adapter.locate(location) == database.refs()["odd #%"]
    assert database.adapter.locate("sqlite:////elsewhere.db#t") is None
    assert database.adapter.locate("s3://bucket/t") is None


@pytest.mark.parametrize(
    ("url", "options", "fact"),
    [
        ("postgresql://u:canary@h/db", {}, "source cdc: its URL names no SQLite file"),
        ("sqlite://", {}, "source cdc: its URL names no SQLite file"),
        ("a.db", {"timeout": "5"}, "source cdc: 'timeout' is no option of sqlite"),
        ("a.db", {"busy_timeout_s": "soon"}, "source cdc: busy_timeout_s is not 0 to 600 seconds"),
    ],
)
def test_wrong_settings_are_told(url: str, options: dict[str, str], fact: str) -> None:
    """The whole message, which repeats no URL."""
    with pytest.raises(SettingsInvalid) as caught:
        SqliteConfig.from_url(source="cdc", url=url, options=options)

    assert caught.value.message == fact
