"""Profiles of SQLite tables: counted in the database, whole where that is small, and in parts where it is not."""

from __future__ import annotations

from pathlib import Path

from hms_registry.domain.crawls import Failure
from hms_registry.domain.datasets import DatasetRef
from hms_registry.domain.profiles import ColumnProfile, Method, Profile, TopValue
from hms_registry.ports.adapter import Scope
from hms_registry.ports.profiles import ProfileRequest
from hms_sqlite.profiling import MAX_ROWS
from sqlite_source import Database


def profile(database: Database, table: str) -> Profile:
    described = database.describe(table)
    names = frozenset(column.name for column in described.columns)
    (found,) = database.adapter.profile([ProfileRequest(ref=described.ref, columns=described.columns, values_of=names)])
    assert isinstance(found, Profile), found
    return found


def columns(found: Profile) -> dict[str, ColumnProfile]:
    return {str(each.path): each for each in found.columns}


def test_a_small_table_is_counted_whole(tmp_path: Path) -> None:
    """Each figure is exact; a value that occurs once is no frequent one, and a truth is told as one."""
    database = Database(
        tmp_path / "x.db",
        "CREATE TABLE t (n INTEGER, name TEXT, ok BOOLEAN, raw BLOB);"
        "INSERT INTO t VALUES (3, 'b', 1, x'00'), (NULL, 'a', 0, NULL), (20, 'b', 1, x'01')",
    )

    found = profile(database, "t")

    assert (found.method, found.rows) == (Method.EXACT, 3)
    told = columns(found)
    assert (told["n"].nulls, told["n"].distinct, told["n"].minimum, told["n"].maximum) == (1, 2, "3", "20")
    assert told["name"].top == (TopValue(value="b", share=2 / 3),)
    assert (told["ok"].minimum, told["ok"].top[0].value) == ("false", "true")
    assert (told["raw"].distinct, told["raw"].holds_values) == (2, False)


def test_a_large_table_is_looked_at_in_parts(tmp_path: Path) -> None:
    """So many rows, told as a sample, from the first to the last; also where a column has the name of the rowid."""
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MAX_ROWS * 3})"
    database = Database(
        tmp_path / "x.db",
        f"CREATE TABLE t (rowid TEXT, i INTEGER); INSERT INTO t {numbers} SELECT 'x', i FROM n;"
        f"CREATE TABLE keyed (i INTEGER PRIMARY KEY) WITHOUT ROWID; INSERT INTO keyed {numbers} SELECT i FROM n",
    )

    found, keyed = profile(database, "t"), profile(database, "keyed")

    assert (found.method, found.rows) == (Method.SAMPLE, MAX_ROWS)
    assert columns(found)["i"].minimum == "1"
    assert int(columns(found)["i"].maximum or 0) > MAX_ROWS * 2
    assert columns(found)["rowid"].top == (TopValue(value="x", share=1.0),)
    assert (keyed.method, keyed.rows) == (Method.SAMPLE, MAX_ROWS)


def test_what_holds_other_than_it_is_registered_as_tells_no_value(tmp_path: Path) -> None:
    """SQLite keeps what it is given: text among numbers has no place in their order."""
    database = Database(tmp_path / "x.db", "CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1), ('canary'), (2)")

    assert columns(profile(database, "t"))["n"] == ColumnProfile(
        path=columns(profile(database, "t"))["n"].path, nulls=0, distinct=3
    )


def test_nothing_is_counted_without_end(tmp_path: Path) -> None:
    """A view is not read, as it may be of any cost. A column that takes too many steps, or breaks, is left out, and
    that is told."""
    slow = "+".join(["a"] * 900)
    database = Database(
        tmp_path / "x.db",
        "CREATE VIEW v AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT i FROM n;"
        f"CREATE TABLE t (a INTEGER, slow INTEGER AS ({slow}), odd TEXT AS (CAST(x'ff' AS TEXT)));"
        f"INSERT INTO t (a) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MAX_ROWS}) "
        "SELECT i FROM n",
    )

    view, table = profile(database, "v"), profile(database, "t")

    assert view.note == "it is no table of its own: nothing is read through it for a profile"
    assert (list(columns(table)), table.note) == (
        ["a"],
        "some of its columns cannot be counted, or not within the bound of a profile",
    )


def test_what_was_dropped_is_a_failure_and_any_write_tells(tmp_path: Path) -> None:
    """No table has a counter of its own: another state of the file is another state of each table's content."""
    database = Database(tmp_path / "x.db", "CREATE TABLE t (n INTEGER); CREATE TABLE u (n INTEGER)")
    wanted = Scope(profiles=True)
    described = database.describe("t")

    def stamps() -> set[object]:
        found = list(database.adapter.discover(wanted))
        return {each.content_stamp for each in found if isinstance(each, DatasetRef)}

    before = stamps()
    database.run("INSERT INTO u VALUES (1); DROP TABLE t")
    request = ProfileRequest(ref=described.ref, columns=described.columns, values_of=frozenset())

    assert [type(each) for each in database.adapter.profile([request])] == [Failure]
    assert (len(before), before & stamps()) == (1, set())
