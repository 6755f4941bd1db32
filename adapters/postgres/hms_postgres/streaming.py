"""One stream of rows: a thread pulls batches off the driver, so that waiting for them always has an end.

The driver can be cancelled from another thread, and nothing else.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import suppress

import pyarrow as pa
from adbc_driver_postgresql import StatementOptions, dbapi

from hms_formats.ahead import Ahead
from hms_formats.stopping import Stop
from hms_postgres.connections import Connections
from hms_postgres.failures import scan_failed
from hms_postgres.seen import Seen, altered, look_at
from hms_registry.domain.datasets import DatasetRef
from hms_registry.domain.names import always_quoted
from hms_registry.errors import HmsError

_AHEAD = 2
_TICK_S = 0.05
_ENDING_S = 2.0
_ROW_BYTES = 64
_LOCK_MS = 5000
# A statement that still computes would not notice that nobody is there any more, not even of a process that was
# killed. Not every server can: Linux's own can (https://www.postgresql.org/docs/current/runtime-config-connection.html).
_SEE_US_LEAVE = (
    "SELECT pg_catalog.set_config('client_connection_check_interval',"
    " CASE WHEN pg_catalog.version() ~ 'linux' THEN '1000' ELSE '0' END, true)"
)
_LEAST_BYTES, _MOST_BYTES = 1 << 16, 1 << 24
_DRIVER = (dbapi.Error, pa.ArrowException, OSError, RuntimeError)


class Stream:
    """Runs one SELECT and yields its batches as they come."""

    def __init__(
        self,
        connections: Connections,
        *,
        sql: str,
        seen: Seen,
        ref: DatasetRef,
        batch_rows: int,
        stop: Stop,
    ) -> None:
        self._connections = connections
        self._sql = sql
        self._seen = seen
        self._ref = ref
        self._what = str(ref.address)
        self._batch_bytes = min(max(batch_rows * _ROW_BYTES, _LEAST_BYTES), _MOST_BYTES)
        self._stop = stop
        self._ahead: Ahead[pa.RecordBatch] = Ahead(self._what, stop=stop, most=_AHEAD)
        self._cursor: dbapi.Cursor | None = None
        self._thread: threading.Thread | None = None
        self._is_read = False

    def start(self) -> None:
        """Connect, and begin to read.

        Raises:
            SourceUnreachable, CredentialsRejected
            ScanFailed: it was cancelled before.
        """
        self._stop.check(self._what)
        connection, is_used = self._connections.take(self)
        self._cursor = connection.cursor()
        pump = threading.Thread(
            target=self._pump, args=[connection, self._cursor, is_used], name="hms-dta-postgres", daemon=True
        )
        self._thread = pump
        pump.start()

    def __iter__(self) -> Generator[pa.RecordBatch, None, None]:
        return iter(self._ahead)

    def close(self) -> None:
        """Cancel what still runs on the server, and let go. Idempotent; a thread that does not end is left behind."""
        is_read = self._is_read  # then all that is left is to say goodbye, so that the connection can be used again
        if not is_read:
            self._ahead.close()
        thread, self._thread = self._thread, None
        if thread is None or thread is threading.current_thread():
            return
        gives_up_at = time.monotonic() + _ENDING_S
        while thread.is_alive() and time.monotonic() < gives_up_at:
            # Again and again: a cancel that comes before the statement does is forgotten.
            with suppress(*_DRIVER):
                if self._cursor is not None and not is_read:
                    self._cursor.adbc_cancel()
            thread.join(_TICK_S)
        self._ahead.close()

    def _pump(self, connection: dbapi.Connection, cursor: dbapi.Cursor, is_used: bool) -> None:  # a thread's
        """Read to the end, and clean up: the only one who touches cursor and connection, but for a cancel."""
        is_sound = False
        try:
            if is_used and not _still_lives(cursor) and not self._ahead.is_closed:
                cursor.close()
                connection = self._connections.replace(self, connection)
                self._cursor = cursor = connection.cursor()
            self._begin(cursor)
            cursor.adbc_statement.set_options(**{StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(self._batch_bytes)})
            if not self._ahead.is_closed:
                cursor.execute(self._sql)
                self._pass_on(cursor)
            if not self._ahead.is_closed:
                cursor.executescript("COMMIT")
                is_sound = True
        except HmsError as error:
            self._ahead.end(error)
        except _DRIVER as error:
            self._ahead.end(scan_failed(self._what, error))
        finally:
            with suppress(*_DRIVER):
                cursor.close()
            self._connections.give_back(self, connection, is_sound=is_sound)

    def _begin(self, cursor: dbapi.Cursor) -> None:
        """Lock what is read, as the SELECT itself will, and see that it is still what the SELECT was written for."""
        schema, table = always_quoted(self._ref.address.schema), always_quoted(self._ref.address.table)
        wait_ms = max(2, int(self._stop.left_s * 1000))
        cursor.executescript(
            f"BEGIN READ ONLY; SET LOCAL statement_timeout = {wait_ms:d};"
            f" SET LOCAL lock_timeout = {min(_LOCK_MS, wait_ms // 2):d}; {_SEE_US_LEAVE};"
            f" SELECT FROM {schema}.{table} WHERE false"
        )

        def rows(query: str, oid: int) -> list[tuple[object, ...]]:
            cursor.execute(query.replace("%s", f"'{{{oid:d}}}'"))
            found: list[tuple[object, ...]] = cursor.fetchall()
            return found

        if look_at(self._ref, rows) != self._seen:
            raise altered(self._ref)

    def _pass_on(self, cursor: dbapi.Cursor) -> None:
        reader = cursor.fetch_record_batch()
        try:
            for batch in reader:
                if not self._ahead.put(batch):
                    return
            self._is_read = True
            self._ahead.end()
        finally:
            with suppress(*_DRIVER):
                reader.close()


def _still_lives(cursor: dbapi.Cursor) -> bool:
    """Ask nothing: a server that was restarted, or a network that forgot us, does not tell before it is asked."""
    try:
        cursor.executescript("SELECT")
    except _DRIVER:
        return False
    return True
