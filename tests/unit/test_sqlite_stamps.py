"""What changes a stamp of a SQLite file and of its tables, and what does not: the table of changes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from hms_registry.ports.adapter import Scope
from sqlite_source import Database

SCRIPT = """
CREATE TABLE a (id INTEGER PRIMARY KEY, n TEXT, tons REAL, at DATE);
CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INTEGER REFERENCES a (id));
CREATE TABLE c (x, y);
CREATE VIEW v AS SELECT * FROM b;
CREATE INDEX i ON a (n);
INSERT INTO a VALUES (1, 'x', 1.5, '2024-01-06'), (2, 'y', 2.5, '2024-01-13');
INSERT INTO b VALUES (1, 1);
INSERT INTO c VALUES (1, 'p');
"""


@dataclass(frozen=True)
class Change:
    """A change; whose refs change, come or go; whose descriptions have another schema."""

    sql: str
    refs: str = ""
    schemas: str = ""
    is_seen: bool = True


CHANGES = [
    Change("", is_seen=False),
    Change("SELECT * FROM a", is_seen=False),
    # rows
    Change("INSERT INTO a VALUES (3, 'z', 0, '2024-01-20')"),
    Change("UPDATE a SET tons = 9"),
    Change("DELETE FROM a WHERE id = 1"),
    Change("INSERT INTO b VALUES (2, NULL)"),
    Change("INSERT INTO c VALUES (2, 'q')"),
    Change("VACUUM"),
    Change("CREATE INDEX j ON b (a_id)"),
    Change("DROP INDEX i"),
    Change("PRAGMA user_version = 7"),
    Change("CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END"),
    # statistics
    Change("ANALYZE", refs="a b c"),
    # guesses that rows overturn
    Change("INSERT INTO a VALUES (4, 'w', 0, 'soon')", refs="a", schemas="a"),
    Change("INSERT INTO c VALUES ('text', 'q')", refs="c", schemas="c"),
    # columns
    Change("ALTER TABLE a ADD COLUMN m INTEGER", refs="a", schemas="a"),
    Change("ALTER TABLE a RENAME COLUMN tons TO kilotons", refs="a", schemas="a"),
    Change("ALTER TABLE a DROP COLUMN tons", refs="a", schemas="a"),
    Change("ALTER TABLE b ADD COLUMN m INTEGER NOT NULL DEFAULT 0", refs="b v", schemas="b v"),
    Change("ALTER TABLE c ADD COLUMN g AS (x + 1) VIRTUAL", refs="c", schemas="c"),
    # tables
    Change("CREATE TABLE d (id INTEGER)", refs="d", schemas="d"),
    Change("DROP TABLE c", refs="c", schemas="c"),
    Change("ALTER TABLE c RENAME TO cc", refs="c cc", schemas="c cc"),
    Change("DROP TABLE c; CREATE TABLE c (x TEXT, y TEXT)", refs="c", schemas="c"),
    Change("DROP TABLE c; CREATE TABLE c (x, y, PRIMARY KEY (y))", refs="c", schemas="c"),
    Change("DROP TABLE c; CREATE TABLE c (x, y NOT NULL)", refs="c", schemas="c"),
    # views
    Change("CREATE VIEW w AS SELECT 1 AS one", refs="w", schemas="w"),
    Change("DROP VIEW v", refs="v", schemas="v"),
    Change("DROP VIEW v; CREATE VIEW v AS SELECT id FROM b", refs="v", schemas="v"),
    Change("DROP VIEW v; CREATE VIEW v AS SELECT * FROM b WHERE id > 0", refs="v"),
]


def _schemas(database: Database) -> dict[str, object]:
    return {
        name: (each.columns, each.primary_key) if hasattr(each, "columns") else each
        for name, each in database.describe_all().items()
    }


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.sql or "nothing")
def test_a_stamp_changes_exactly_when_it_must(tmp_path: Path, change: Change, mode: str) -> None:
    """The file's stamp tells that something was committed; a table's tells that its description may differ."""
    database = Database(tmp_path / "t.db", f"PRAGMA journal_mode = {mode};" + SCRIPT)
    stamp, refs, schemas = database.adapter.stamp(Scope()), database.refs(), _schemas(database)

    database.run(change.sql)

    after, described = database.refs(), _schemas(database)
    assert (database.adapter.stamp(Scope()) != stamp) is change.is_seen
    assert {name for name in refs | after if refs.get(name) != after.get(name)} == set(change.refs.split())
    assert {name for name in schemas | described if schemas.get(name) != described.get(name)} == set(
        change.schemas.split()
    )


def test_a_commit_in_wal_mode_is_seen_before_any_checkpoint(tmp_path: Path) -> None:
    """While a writer holds the database open, the file's own header stays as it is."""
    database = Database(tmp_path / "t.db", "PRAGMA journal_mode = WAL;" + SCRIPT)
    with closing(sqlite3.connect(database.path)) as writer:
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        seen = [database.adapter.stamp(Scope())]
        for value in range(3):
            writer.execute("UPDATE a SET tons = ?", (value,))
            writer.commit()
            seen.append(database.adapter.stamp(Scope()))

    assert len(set(seen)) == 4


def test_another_file_in_its_place_is_seen(tmp_path: Path) -> None:
    """The same bytes under another identity are another file."""
    database = Database(tmp_path / "t.db", SCRIPT)
    stamp = database.adapter.stamp(Scope())
    copy = tmp_path / "copy.db"
    copy.write_bytes(database.path.read_bytes())

    copy.replace(database.path)

    assert database.adapter.stamp(Scope()) != stamp
