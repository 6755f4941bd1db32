"""Versions of SQLite tables: what changes a schema makes exactly one, and nothing else makes any."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from hms_sqlite import SqliteAdapter, SqliteConfig
from sqlite_source import Database
from truth import Change, assert_versions

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

CHANGES = (
    # rows
    ("INSERT INTO a VALUES (3, 'z', 0, '2024-01-20')", ""),
    ("UPDATE a SET tons = 9", ""),
    ("DELETE FROM a WHERE id = 1", ""),
    ("DELETE FROM b", ""),
    ("INSERT INTO a VALUES (4, 'w', 0, 'soon')", "a"),  # a date that is none
    # what no reader of a table meets
    ("VACUUM", ""),
    ("ANALYZE", ""),
    ("PRAGMA user_version = 7", ""),
    ("CREATE INDEX j ON b (a_id)", ""),
    ("DROP INDEX i", ""),
    ("CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END", ""),
    ("DROP TRIGGER t", ""),
    # columns
    ("ALTER TABLE a ADD COLUMN m INTEGER", "a"),
    ("ALTER TABLE a RENAME COLUMN tons TO kilotons", "a"),
    ("ALTER TABLE a DROP COLUMN m", "a"),
    ("ALTER TABLE b ADD COLUMN m INTEGER NOT NULL DEFAULT 0", "b v"),  # v is all of b
    ("ALTER TABLE c ADD COLUMN g AS (x + 1) VIRTUAL", "c"),
    # tables
    ("CREATE TABLE d (id INTEGER)", "d"),
    ("ALTER TABLE d RENAME TO dd", "dd"),
    ("DROP TABLE dd", ""),
    ("CREATE TABLE dd (id INTEGER)", ""),  # it is back as it was
    ("DROP TABLE c; CREATE TABLE c (x TEXT, y TEXT)", "c"),
    ("DROP TABLE c; CREATE TABLE c (x TEXT, y TEXT, PRIMARY KEY (y))", "c"),
    ("DROP TABLE c; CREATE TABLE c (x TEXT NOT NULL, y TEXT, PRIMARY KEY (y))", "c"),
    ("DROP TABLE c; CREATE TABLE c (x TEXT NOT NULL, y TEXT, PRIMARY KEY (y))", ""),
    ("DROP TABLE b; CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INTEGER, m INTEGER NOT NULL DEFAULT 0)", "b"),
    # views
    ("CREATE VIEW w AS SELECT 1 AS one", "w"),
    ("DROP VIEW v; CREATE VIEW v AS SELECT id FROM b", "v"),
    ("DROP VIEW v; CREATE VIEW v AS SELECT id FROM b WHERE id > 0", ""),
    ("DROP VIEW w", ""),
)


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_each_statement_makes_one_version_or_none(tmp_path: Path, mode: str) -> None:
    """Crawled after each, whichever way the database keeps its journal."""
    database = Database(tmp_path / "t.db", f"PRAGMA journal_mode = {mode};" + SCRIPT)
    config = SqliteConfig.from_url(source="truth", url=f"sqlite:///{database.path}", options={})
    changes = [Change(partial(database.run, sql), sql, versions) for sql, versions in CHANGES]

    assert_versions(changes, kind="sqlite", open_adapter=lambda: SqliteAdapter(config))
