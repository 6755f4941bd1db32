"""HiveServer2 through PyHive: sessions that end in time, statements, and its bulk calls about tables."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TypeAlias

from pyhive import exc, hive
from TCLIService import ttypes

from hms_hive.config import HiveConfig
from hms_hive.failures import DRIVER, Refused, login_failed, unreachable
from hms_hive.transport import TimedSocket, buffered, plain_sasl
from hms_registry.errors import SourceError

ERRORS = (exc.Error, AssertionError, *DRIVER)
"""What PyHive raises, and what is beneath it."""

Row: TypeAlias = tuple[object, ...]
_POLL_S = (0.005, 0.2)
_SETTINGS = {
    # A name or a literal that looks like a variable is what it is.
    "hive.variable.substitute": "false",
    "hive.local.time.zone": "UTC",
}


class ServerSession:
    """One session of HiveServer2. Not thread-safe."""

    def __init__(self, config: HiveConfig, *, until: float) -> None:
        """Connect and log in.

        Raises:
            SourceUnreachable, CredentialsRejected
        """
        assert config.server is not None
        self._config = config
        self._socket = TimedSocket(config.server, connect_s=config.connect_timeout_s)
        self.allow(until)
        transport = buffered(self._socket) if config.auth == "NOSASL" else plain_sasl(self._socket, config)
        try:
            self._connection = hive.Connection(
                thrift_transport=transport, username=config.user, configuration=dict(_SETTINGS)
            )
        except ERRORS as error:
            self._socket.close()
            raise _login(config, error) from error

    def allow(self, until: float) -> None:
        """Set when the next calls must have ended."""
        self._socket.ends_at = min(until, time.monotonic() + self._config.call_timeout_s)

    def rows(self, sql: str, *, until: float) -> list[Row]:
        """Run one statement that answers in few rows.

        Raises:
            SourceUnreachable, CredentialsRejected
            Refused: the server did not do it.
        """
        try:
            self.allow(until)
            cursor = self._connection.cursor()
            cursor.execute(sql)
            found: list[Row] = cursor.fetchall()
            cursor.close()
        except ERRORS as error:
            raise self._translated(error) from error
        return found

    def columns(self, database: str, table: str = "", *, until: float) -> Iterator[Row]:
        """Yield a row for each column of each table of a database: one call and its pages."""
        wanted = ttypes.TGetColumnsReq(
            sessionHandle=self._connection.sessionHandle,
            schemaName=_pattern(database),
            tableName=_pattern(table) or "%",
            columnName="%",
        )
        yield from self._bulk(self._connection.client.GetColumns, wanted, until=until)

    def tables(self, database: str, table: str = "", *, until: float) -> Iterator[Row]:
        """Yield a row for each table and view of a database."""
        wanted = ttypes.TGetTablesReq(
            sessionHandle=self._connection.sessionHandle,
            schemaName=_pattern(database),
            tableName=_pattern(table) or "%",
        )
        yield from self._bulk(self._connection.client.GetTables, wanted, until=until)

    def schemas(self, *, until: float) -> Iterator[Row]:
        """Yield a row for each database."""
        wanted = ttypes.TGetSchemasReq(sessionHandle=self._connection.sessionHandle, schemaName="%")
        yield from self._bulk(self._connection.client.GetSchemas, wanted, until=until)

    def stream(self, sql: str, *, page: int, until: float) -> Statement:
        """Begin a statement of which many rows are read."""
        return Statement(self, self._connection.cursor(arraysize=page), sql, until=until)

    def close(self) -> None:
        """Hang up. Idempotent."""
        self._socket.ends_at = time.monotonic() + 1.0
        with suppress(*ERRORS):
            self._connection.close()
        self._socket.close()

    def _bulk(self, call: object, wanted: object, *, until: float) -> Iterator[Row]:
        """Make one of the calls about tables, and fetch what it answers."""
        try:
            self.allow(until)
            cursor = self._connection.cursor(arraysize=10_000)
            answer = call(wanted)  # type: ignore[operator] # a method of a class without types
            hive._check_status(answer)
            # PyHive has a cursor for statements only; what these calls answer is fetched the same way.
            cursor._operationHandle, cursor._state = answer.operationHandle, cursor._STATE_RUNNING
            while page := cursor.fetchmany(10_000):
                yield from page
                self.allow(until)
            cursor.close()
        except ERRORS as error:
            raise self._translated(error) from error

    def _translated(self, error: BaseException) -> SourceError | Refused:
        if isinstance(error, exc.Error):
            return Refused(str(error))
        return unreachable(self._config, error, server="HiveServer2")


class Statement:
    """A statement under way; ended by the server when it is closed."""

    def __init__(self, session: ServerSession, cursor: hive.Cursor, sql: str, *, until: float) -> None:
        self._session = session
        self._cursor = cursor
        self._sql = sql
        self._until = until

    def start(self) -> None:
        """Send it; it runs there."""
        self._call_ends()
        self._cursor.execute(self._sql, async_=True)

    def is_done(self) -> bool:
        """Ask whether it has ended.

        Raises:
            Refused: it failed.
        """
        self._call_ends()
        told = self._cursor.poll(get_progress_update=False)
        if told.operationState == ttypes.TOperationState.FINISHED_STATE:
            return True
        if told.operationState in (
            ttypes.TOperationState.INITIALIZED_STATE,
            ttypes.TOperationState.PENDING_STATE,
            ttypes.TOperationState.RUNNING_STATE,
        ):
            return False
        raise Refused(str(told.errorMessage))

    def page(self, count: int) -> Sequence[Row]:
        """Return the next rows; none at its end."""
        self._call_ends()
        rows: Sequence[Row] = self._cursor.fetchmany(count)
        return rows

    def close(self) -> None:
        """End it on the server, and hang up."""
        self._session.allow(time.monotonic() + 1.0)
        with suppress(*ERRORS):
            self._cursor.cancel()
        self._session.close()

    def _call_ends(self) -> None:
        self._session.allow(self._until)


def _pattern(name: str) -> str:
    """Write a name as a pattern that matches it alone: `_` and `%` mean more there."""
    return name.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")


def _login(config: HiveConfig, error: BaseException) -> SourceError:
    text = str(error)
    if "authenticat" in text.lower() or "Bad status: 3" in text or "Bad status: 4" in text:
        return login_failed(config)
    return unreachable(config, Refused(text) if isinstance(error, exc.Error) else error, server="HiveServer2")
