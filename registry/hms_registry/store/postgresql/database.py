"""A catalogue on a PostgreSQL server, for several processes that share it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Self, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.sql import SQL, Identifier
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    Integer,
    Table,
    Text,
    any_,
    bindparam,
    create_engine,
    func,
    text,
)
from sqlalchemy.dialects.postgresql.base import PGTypeCompiler
from sqlalchemy.pool import QueuePool

from hms_registry.errors import CatalogueError, SettingsInvalid
from hms_registry.store.codec import is_bindable
from hms_registry.store.dialect import Purpose
from hms_registry.store.match import Match
from hms_registry.store.postgresql import failures, searching
from hms_registry.store.postgresql.location import STATEMENT_S, Location

_Result = TypeVar("_Result")
HANG_S = STATEMENT_S + 15.0
_UPGRADE_S: Final = 3_600.0
_OLDEST: Final = 14
_UPGRADE_LOCK: Final = 1_213_026_369
"""Any number that no other program takes a lock by."""

# A turn to write is a lock on the epoch's table: readers pass. LOCK TABLE takes no snapshot, as SELECT
# pg_advisory_xact_lock() would before it waits: what the last writer committed is seen, so commit order is epoch
# order. https://www.postgresql.org/docs/current/sql-lock.html
_BEGIN: Final = {
    Purpose.READ: ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",),
    Purpose.WRITE: (
        "BEGIN ISOLATION LEVEL REPEATABLE READ",
        "LOCK TABLE epoch IN EXCLUSIVE MODE",
    ),
    # There may be no table yet; where there is, the turn to write too, or who waits for it could write into a schema
    # that is not theirs. READ COMMITTED: each statement sees what was committed before it, so what comes after the
    # lock sees what its last holder did.
    Purpose.UPGRADE: (
        "BEGIN ISOLATION LEVEL READ COMMITTED",
        "SET LOCAL statement_timeout = 0",
        "SET LOCAL lock_timeout = '10min'",
        f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK}, hashtext(current_schema()))",
        "DO $$BEGIN IF to_regclass('epoch') IS NOT NULL THEN LOCK TABLE epoch IN EXCLUSIVE MODE; END IF; END$$",
    ),
}

# OFFSET 0 keeps the inner query apart: planned by itself, it has the index for its range; joined, its planner guesses
# that a ninth of all lies there. A path has digits of sixteen and slashes, so 'g' is after what begins with it.
_AT_OR_BELOW: Final = """
SELECT DISTINCT d.id
FROM unnest(:paths) AS p (path)
CROSS JOIN LATERAL (SELECT id FROM datasets WHERE place >= p.path AND place < p.path || 'g' OFFSET 0) AS d"""


class Postgresql:
    """A database of a server, or a schema of it that `search_path` names."""

    search_indexes = searching.INDEXES
    is_embedded = False
    elsewhere = "name another database, or give it a schema of its own: ?options=-csearch_path%3DNAME"

    def __init__(self, location: Location) -> None:
        self._location = location

    @classmethod
    def at(cls, url: str) -> Self:
        """Return the database that *url* names.

        Raises:
            SettingsInvalid
        """
        return cls(Location.parse(url))

    def __str__(self) -> str:
        return f"the catalogue {self._location}"

    def create(self) -> None:
        """It is there, or an administrator makes it: who may make databases may do too much."""

    def engine(self) -> Engine:
        """Return an engine on it. A connection that broke meanwhile is noticed before a unit gets it."""
        engine = create_engine(
            "postgresql+psycopg://",
            creator=self._connect,
            poolclass=QueuePool,
            pool_size=4,
            # A server answers 40 requests at once, each with a unit open, and one of them opens another for all: with
            # fewer, each could hold one and wait for the next.
            max_overflow=46,
            pool_timeout=10,
            pool_pre_ping=True,
            use_native_hstore=False,
        )
        engine.dialect.type_compiler_instance = _Types(engine.dialect)
        return engine

    def _connect(self) -> psycopg.Connection:
        # autocommit: psycopg begins nothing by itself, `begin` does
        connection = _Connection.connect(make_conninfo(**self._location.parameters), autocommit=True)
        encoding = connection.info.parameter_status("server_encoding")
        version = connection.info.server_version // 10_000
        if encoding != "UTF8" or version < _OLDEST:
            connection.close()
            raise SettingsInvalid(
                f"{self} is of PostgreSQL {version} in {encoding}",
                hint=f"name a database in UTF8 on PostgreSQL {_OLDEST} or later",
            )
        return connection

    def begin(self, connection: Connection, *, purpose: Purpose) -> None:
        """Begin, and wait for the turn. An upgrade may take long, and so may waiting for somebody else's."""
        driver = connection.connection.driver_connection
        assert isinstance(driver, _Connection)
        driver.patience_s = _UPGRADE_S if purpose is Purpose.UPGRADE else None
        for statement in _BEGIN[purpose]:
            connection.exec_driver_sql(statement)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Any number of units may be open."""
        yield

    def error(self, cause: BaseException) -> CatalogueError:
        """Translate by SQLSTATE."""
        return failures.translate(str(self), cause)

    def among(self, column: ColumnElement[object], values: Iterable[str] | Iterable[int]) -> ColumnElement[bool]:
        """One array."""
        there = sorted(each for each in values if not isinstance(each, str) or is_bindable(each))
        return column == any_(bindparam(None, there, type_=ARRAY(column.type), unique=True))

    def at_or_below(self, paths: Iterable[str]) -> FromClause:
        """The index is asked once for each path."""
        statement = text(_AT_OR_BELOW).bindparams(bindparam("paths", sorted(paths), type_=ARRAY(Text)))
        return statement.columns(id=Text).subquery("at_or_below")

    def gathered(self, column: ColumnElement[str]) -> ColumnElement[Sequence[str]]:
        """An array."""
        return func.array_agg(column)

    def fill(
        self, connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[object, ...]]
    ) -> None:
        """COPY them."""
        statement = SQL("COPY {} ({}) FROM STDIN").format(
            Identifier(table.name), SQL(", ").join(map(Identifier, columns))
        )
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        try:
            with driver.cursor() as cursor, cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row(row)
        except psycopg.Error as exc:
            if driver.closed:
                connection.invalidate(exc)
            raise self.error(exc) from exc

    def index(self, connection: Connection, numbers: Sequence[int]) -> None:
        """The server does it, as it does all its indexes."""

    def unindex(self, connection: Connection, numbers: Sequence[int]) -> None:
        """The server does it."""

    def clear_index(self, connection: Connection) -> None:
        """The server does it."""

    def documents(self, match: Match) -> FromClause:
        """By tokens, and phrases by the text itself."""
        return searching.documents(match)

    def resembling(self, folded: str) -> FromClause:
        """By pieces of three letters."""
        return searching.resembling(folded)


class _Connection(psycopg.Connection):
    """A connection that does not wait for ever for a server that hangs.

    Attributes:
        patience_s: how long it waits for an answer; None = as long as one statement may take.
    """

    patience_s: float | None = None

    def wait(self, gen: PQGen[_Result], interval: float = 0.1, timeout: float | None = None) -> _Result:
        """Hang up where no answer comes long after the server's own time-outs."""
        try:
            return super().wait(gen, interval, timeout or self.patience_s or HANG_S)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()
            raise


class _Types(PGTypeCompiler):
    """Columns: text compares byte by byte, as in SQLite and whatever the server's locale is; no number runs out."""

    def visit_TEXT(self, type_: Text, **kw: object) -> str:
        return 'TEXT COLLATE "C"' if "type_expression" in kw else str(super().visit_TEXT(type_, **kw))

    def visit_INTEGER(self, type_: Integer, **kw: object) -> str:
        return "BIGINT" if "type_expression" in kw else str(super().visit_INTEGER(type_, **kw))
