"""SQLite: everything that is true of it alone. https://www.sqlite.org/wal.html"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Self
from urllib.parse import quote

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    Table,
    Text,
    create_engine,
    func,
    select,
    text,
    type_coerce,
)
from sqlalchemy.pool import QueuePool, StaticPool

from hms_registry.errors import CatalogueCorrupt, CatalogueError, CatalogueUnavailable, SettingsInvalid
from hms_registry.store import sqlite_searching as searching
from hms_registry.store.dialect import Purpose
from hms_registry.store.match import Match

BUSY_S = 10.0

_MOST_VALUES = 32_000
"""Values a statement: SQLite takes 32,766 at most, https://www.sqlite.org/limits.html#max_variable_number"""

# After what begins with a path, and before all else: a path has digits of sixteen and slashes.
_AT_OR_BELOW = """
SELECT DISTINCT d.id
FROM json_each(:paths) AS p CROSS JOIN datasets AS d ON d.place >= p.value AND d.place < p.value || 'g'"""
_BY_CODE: dict[int, tuple[type[CatalogueError], str, str]] = {
    sqlite3.SQLITE_BUSY: (CatalogueUnavailable, "is locked by another process", "wait until that is done, or end it"),
    sqlite3.SQLITE_LOCKED: (CatalogueUnavailable, "is locked by another unit", "wait until that is done"),
    sqlite3.SQLITE_FULL: (CatalogueUnavailable, "cannot grow: its disk is full", "free some space on its disk"),
    sqlite3.SQLITE_READONLY: (CatalogueUnavailable, "cannot be written", "check the rights on the file and its folder"),
    sqlite3.SQLITE_PERM: (CatalogueUnavailable, "may not be opened", "check the rights on the file and its folder"),
    sqlite3.SQLITE_AUTH: (CatalogueUnavailable, "may not be opened", "check the rights on the file and its folder"),
    sqlite3.SQLITE_CANTOPEN: (
        CatalogueUnavailable,
        "cannot be opened: it is not there, or may not be",
        "check the path, and the rights on the file and its folder",
    ),
    sqlite3.SQLITE_IOERR: (
        CatalogueUnavailable,
        "cannot be read or written: its disk fails, or is full",
        "check its disk",
    ),
    sqlite3.SQLITE_CORRUPT: (
        CatalogueCorrupt,
        "is damaged",
        "restore it from a backup, or move it away and crawl again",
    ),
    sqlite3.SQLITE_NOTADB: (
        CatalogueCorrupt,
        "is not an SQLite database",
        "restore it from a backup, or move it away and crawl again",
    ),
}


class Sqlite:
    """A catalogue in one file, or (no *path*) in memory, on one connection that its units take in turn."""

    search_indexes = searching.INDEXES
    elsewhere = "name another file"
    is_embedded = True

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._holder: int | None = None

    @classmethod
    def at(cls, url: str) -> Self:
        """Return the database that *url* names; its file is made if it is not there.

        Raises:
            SettingsInvalid, CatalogueUnavailable
        """
        rest = url.removeprefix("sqlite://")
        if rest and (not rest.startswith("/") or len(rest) == 1 or "\0" in rest):
            raise SettingsInvalid(f"{url!r} names no file", hint="write sqlite:///PATH, or sqlite:// for one in memory")
        made = cls(Path(rest[1:]).absolute() if rest else None)
        if made._path is not None and not made._path.exists():
            made.create()
        return made

    def __str__(self) -> str:
        return f"the catalogue {self._path}" if self._path else "the catalogue in memory"

    def create(self) -> None:
        """Make the folder and the file, and turn its journal into a write-ahead log."""
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise CatalogueUnavailable(
                f"the folder of {self} cannot be made: {exc.strerror}", hint="check the path and its rights"
            ) from exc
        try:
            connection = sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None)
            try:
                _turn_to_wal(connection)
            finally:
                connection.close()
        except sqlite3.Error as exc:
            raise self.error(exc) from exc

    def engine(self) -> Engine:
        """Return an engine on it. Full durability: a whole unit takes about 2 ms, too little for a second mode."""
        if self._path is None:
            return create_engine("sqlite://", creator=lambda: self._connect(":memory:"), poolclass=StaticPool)
        uri = f"file:{quote(str(self._path.absolute()))}?mode=rw"
        return create_engine(
            "sqlite://", creator=lambda: self._connect(uri), poolclass=QueuePool, pool_size=4, max_overflow=60
        )

    def _connect(self, uri: str) -> sqlite3.Connection:
        # isolation_level None: pysqlite begins nothing by itself, `begin` does.
        connection = sqlite3.connect(
            uri, uri=self._path is not None, timeout=BUSY_S, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA trusted_schema = OFF")
        return connection

    def begin(self, connection: Connection, *, purpose: Purpose) -> None:
        """IMMEDIATE for a writer: one that had read first could not go on once somebody else wrote
        (SQLITE_BUSY_SNAPSHOT)."""
        connection.exec_driver_sql("BEGIN" if purpose is Purpose.READ else "BEGIN IMMEDIATE")

    @contextmanager
    def turn(self) -> Iterator[None]:
        """In memory there is one connection, so one unit at a time."""
        if self._path is not None:
            yield
            return
        if self._holder == threading.get_ident():
            raise RuntimeError("a catalogue in memory has one unit at a time: leave the first one before the next")
        if not self._lock.acquire(timeout=BUSY_S):
            raise CatalogueUnavailable(f"{self} is in use by another thread", hint="wait until that is done")
        self._holder = threading.get_ident()
        try:
            yield
        finally:
            self._holder = None
            self._lock.release()

    def error(self, cause: BaseException) -> CatalogueError:
        """Translate by the primary result code: https://www.sqlite.org/rescode.html"""
        code = getattr(cause, "sqlite_errorcode", None)
        kind, fact, hint = _BY_CODE.get(
            -1 if code is None else code & 0xFF,
            (CatalogueCorrupt, "is not as this release left it", "restore it from a backup, or move it away"),
        )
        return kind(f"{self} {fact}", hint=hint)

    def among(self, column: ColumnElement[object], values: Iterable[str] | Iterable[int]) -> ColumnElement[bool]:
        """One JSON parameter, since SQLite bounds the number of variables."""
        listed = func.json_each(json.dumps(sorted(values))).table_valued("value")
        return column.in_(select(listed.c.value))

    def at_or_below(self, paths: Iterable[str]) -> FromClause:
        """The index is asked once for each path."""
        statement = text(_AT_OR_BELOW).bindparams(paths=json.dumps(sorted(paths)))
        return statement.columns(id=Text).subquery("at_or_below")

    def gathered(self, column: ColumnElement[str]) -> ColumnElement[Sequence[str]]:
        """By JSON."""
        return type_coerce(func.json_group_array(column), JSON)

    def fill(
        self, connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[object, ...]]
    ) -> None:
        """Insert many rows a statement: the driver lets other threads run while a statement does, and would have to
        queue for its turn again after every row."""
        named, marks = ", ".join(columns), f"({', '.join('?' * len(columns))})"
        at_once = max(1, _MOST_VALUES // len(columns))
        for start in range(0, len(rows), at_once):
            taken = rows[start : start + at_once]
            # Names of our own tables and columns, never of anybody's data.
            statement = f"INSERT INTO {table.name} ({named}) VALUES {', '.join([marks] * len(taken))}"  # noqa: S608
            connection.exec_driver_sql(statement, tuple(chain.from_iterable(taken)))

    def index(self, connection: Connection, numbers: Sequence[int]) -> None:
        """Read the text of new rows into the indexes."""
        searching.index(connection, numbers)

    def clear_index(self, connection: Connection) -> None:
        """Forget all text, whatever the tables hold."""
        searching.clear(connection)

    def unindex(self, connection: Connection, numbers: Sequence[int]) -> None:
        """Forget the text of rows that are about to go."""
        searching.unindex(connection, numbers)

    def documents(self, match: Match) -> FromClause:
        """By FTS5."""
        return searching.documents(match)

    def resembling(self, folded: str) -> FromClause:
        """By trigrams."""
        return searching.resembling(folded)


def _turn_to_wal(connection: sqlite3.Connection) -> None:
    """Ask until it is so: while another process does the same, SQLite says `locked` without waiting."""
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
