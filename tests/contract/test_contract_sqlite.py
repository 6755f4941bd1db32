"""The SQLite adapter keeps the contract."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from hms_registry.domain.names import always_quoted
from hms_registry.ports.adapter import Adapter
from hms_registry.testing import ODD_NAMES, SAMPLE_ROWS, AdapterContract
from hms_sqlite import SqliteAdapter

_NAMES = (*ODD_NAMES, "line\nbreak", "tab\tstop", "a/b", "\x01", "OTHER", "other2")


def _run(folder: Path, sql: str, *rows: tuple[object, ...]) -> None:
    with closing(sqlite3.connect(folder / "my locks%.db")) as connection, connection:
        if rows:
            connection.executemany(sql, rows)
        else:
            connection.execute(sql)


class TestTable(AdapterContract):
    """A table, with a collation that ignores case."""

    adapter: type[Adapter] = SqliteAdapter
    odd_names = _NAMES

    def make(self, folder: Path) -> None:
        _run(
            folder,
            "CREATE TABLE passages (id INTEGER PRIMARY KEY, vessel TEXT COLLATE NOCASE, tonnage REAL,"
            " passed_on DATE, lock INT)",
        )
        rows = [
            tuple(str(cell) if key == "passed_on" and cell else cell for key, cell in row.items())
            for row in SAMPLE_ROWS
        ]
        _run(folder, "INSERT INTO passages VALUES (?, ?, ?, ?, ?)", *rows)

    def url(self, folder: Path) -> str:
        return f"sqlite:///{folder}/my locks%.db"

    def sample_name(self) -> tuple[str, str]:
        return "public", "passages"

    def add_table(self, folder: Path, name: str) -> str:
        _run(folder, f"CREATE TABLE {always_quoted(name)} (a INTEGER, {always_quoted(name)} TEXT)")
        return name

    def change_schema(self, folder: Path) -> None:
        _run(folder, "ALTER TABLE passages ADD COLUMN captain TEXT")

    def drop(self, folder: Path) -> None:
        _run(folder, "DROP TABLE passages")

    def dead_url(self, folder: Path, canary: str) -> str:
        return f"sqlite:///{folder}/{canary}.db"


class TestWal(TestTable):
    """The same in WAL mode."""

    def make(self, folder: Path) -> None:
        _run(folder, "PRAGMA journal_mode = WAL")
        super().make(folder)


class TestView(TestTable):
    """A view over the table."""

    def make(self, folder: Path) -> None:
        super().make(folder)
        _run(folder, "ALTER TABLE passages RENAME TO kept")
        _run(folder, "CREATE VIEW passages AS SELECT * FROM kept")

    def change_schema(self, folder: Path) -> None:
        _run(folder, "DROP VIEW passages")
        _run(folder, "CREATE VIEW passages AS SELECT *, 1 AS captain FROM kept")

    def drop(self, folder: Path) -> None:
        _run(folder, "DROP VIEW passages")
