"""Connections that read rows, kept for the next scan of the same adapter."""

from __future__ import annotations

import threading
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import pyarrow as pa
from adbc_driver_postgresql import dbapi

from hms_postgres.config import PostgresConfig
from hms_postgres.failures import connect_failed
from hms_postgres.session import parameters

if TYPE_CHECKING:
    from hms_postgres.streaming import Stream

_KEPT = 4
_LONGEST_S = 86_400.0

# By default the driver reads all of pg_attribute when it connects (3.3 s at 10,000 tables,
# https://github.com/apache/arrow-adbc/issues/1755). Our select lists ask for built-in types only.
_TYPES = {"adbc.postgresql.type_resolver_mode": "builtin"}


class Connections:
    """Hands out connections, one a stream, and takes back those that were read to their end."""

    def __init__(self, config: PostgresConfig) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._idle: list[dbapi.Connection] = []
        self._streams: set[Stream] = set()
        self._is_closed = False
        weakref.finalize(self, _hang_up_all, self._idle)  # for an adapter that nobody closed

    @property
    def is_idle(self) -> bool:
        """Nothing is being read."""
        with self._lock:
            return not self._streams

    def take(self, stream: Stream) -> tuple[dbapi.Connection, bool]:
        """Give *stream* a connection, and say whether it was used before: then it may have broken meanwhile.

        Raises:
            SourceUnreachable, CredentialsRejected
        """
        with self._lock:
            self._streams.add(stream)
            if self._idle:
                return self._idle.pop(), True
        return self._connect(stream), False

    def replace(self, stream: Stream, broken: dbapi.Connection) -> dbapi.Connection:
        """Give *stream* a new connection for one that broke.

        Raises:
            SourceUnreachable, CredentialsRejected
        """
        _hang_up(broken)
        return self._connect(stream)

    def _connect(self, stream: Stream) -> dbapi.Connection:
        try:
            return dbapi.connect(_uri(self._config), db_kwargs=_TYPES, autocommit=True)
        except (dbapi.Error, OSError) as error:
            with self._lock:
                self._streams.discard(stream)
            raise connect_failed(self._config, error) from None  # its text holds the DSN's parts

    def give_back(self, stream: Stream, connection: dbapi.Connection, *, is_sound: bool) -> None:
        """Take a connection back; one that broke or was cancelled is hung up."""
        with self._lock:
            self._streams.discard(stream)
            if is_sound and not self._is_closed and len(self._idle) < _KEPT:
                self._idle.append(connection)
                return
        _hang_up(connection)

    def close(self) -> None:
        """End every stream, and hang up."""
        with self._lock:
            self._is_closed = True
            streams = list(self._streams)
        for stream in streams:
            stream.close()
        with self._lock:
            _hang_up_all(self._idle)


def _hang_up_all(connections: list[dbapi.Connection]) -> None:
    while connections:
        _hang_up(connections.pop())


def _hang_up(connection: dbapi.Connection) -> None:
    with suppress(dbapi.Error, pa.ArrowException, OSError, RuntimeError):
        connection.close()


def _uri(config: PostgresConfig) -> str:
    wanted = parameters(config, config.reader, statement_timeout_s=_LONGEST_S)
    return "postgresql://?" + urlencode(wanted, quote_via=quote)
