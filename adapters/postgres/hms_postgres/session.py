"""One read-only session with the server, inside one snapshot, that ends when its time is up."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import LiteralString

import psycopg

from hms_postgres.config import Account, PostgresConfig
from hms_postgres.failures import CHANGED, LOCKED, connect_failed, crawl_failed
from hms_postgres.queries import READER_SETTING
from hms_registry.errors import SourceUnreachable

Row = tuple[object, ...]

_GRACE_S = 1.0
# The catalogues are in memory; compiling queries over them only costs time, and so does sorting what can be hashed, or
# starting processes that find nothing to do.
_FOR_CATALOGUES = {"random_page_cost": "1.1", "jit": "off", "work_mem": "32MB", "max_parallel_workers_per_gather": "0"}
_KEEPALIVES = {"keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}


class ChangedMeanwhile(Exception):
    """Something was dropped or altered between the snapshot and a system function: look again."""


class Locked(Exception):
    """Somebody holds a lock that a system function asked for, longer than we wait."""


def _options(settings: Mapping[str, str]) -> str:
    """Write settings of a session as libpq's `options`, in which a space would end one."""
    escaped = {name: value.replace("\\", "\\\\").replace(" ", "\\ ") for name, value in settings.items()}
    return " ".join(f"-c {name}={value}" for name, value in escaped.items())


def session_settings(*, statement_timeout_s: float) -> dict[str, str]:
    """Return the settings of every session. The empty search path makes the server spell each name with its schema."""
    return {
        "default_transaction_read_only": "on",
        "statement_timeout": f"{max(1, int(statement_timeout_s * 1000))}",
        "lock_timeout": "5000",
        "idle_in_transaction_session_timeout": "600000",
        "search_path": "",
        "datestyle": "ISO",
        "intervalstyle": "postgres",
        "timezone": "UTC",
    }


def parameters(
    config: PostgresConfig,
    account: Account,
    *,
    statement_timeout_s: float,
    connect_timeout_s: float | None = None,
    further: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return libpq's parameters for a connection."""
    wait = max(2, int(min(config.connect_timeout_s, connect_timeout_s or config.connect_timeout_s)))
    wanted = {
        "host": config.host,
        "port": str(config.port),
        "dbname": config.database,
        "user": account.user,
        "password": account.password,
        "application_name": "hms-dta",
        "connect_timeout": str(wait),
        "client_encoding": "UTF8",
        "options": _options({**session_settings(statement_timeout_s=statement_timeout_s), **(further or {})}),
        "tcp_user_timeout": "30000",
        **_KEEPALIVES,
        **config.ssl,
    }
    return {name: value for name, value in wanted.items() if value}


class Session:
    """A connection in one REPEATABLE READ, READ ONLY transaction. Not shared between threads."""

    def __init__(self, config: PostgresConfig, *, account: Account, deadline_s: float) -> None:
        self.config = config
        self._ends_at = time.monotonic() + deadline_s
        self._was_cut = False
        per_statement = min(config.statement_timeout_s, deadline_s)
        wanted = parameters(
            config,
            account,
            statement_timeout_s=per_statement,
            connect_timeout_s=deadline_s,
            further={**_FOR_CATALOGUES, READER_SETTING: config.reader.user},
        )
        try:
            self._connection = psycopg.connect(autocommit=True, **wanted)  # type: ignore[arg-type] # libpq's own
        except psycopg.Error as error:
            raise connect_failed(config, error) from error

    def extend(self, deadline_s: float) -> None:
        """Give a further call its time."""
        self._ends_at = time.monotonic() + deadline_s

    def begin(self) -> None:
        """Take the snapshot that every query from now on sees."""
        self._run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", ())

    def end(self) -> None:
        """Let the snapshot go."""
        if not self._connection.closed:
            self._run("ROLLBACK", ())

    def rows(self, query: LiteralString, *values: object) -> list[Row]:
        """Return what a query answers.

        Raises:
            ChangedMeanwhile: take a new snapshot and ask again.
            SourceUnreachable: the connection broke, or the time is up.
        """
        return self._run(query, values)

    def rows_unlocked(self, query: LiteralString, *values: object) -> list[Row]:
        """Return what a query answers, and let go at once of what it locked: the transaction may last.

        Raises:
            Locked: somebody else holds what it needs.
            ChangedMeanwhile, SourceUnreachable: as `rows`.
        """
        self._run("SAVEPOINT before", ())
        try:
            return self._run(query, values)
        except SourceUnreachable as error:
            if getattr(error.__cause__, "sqlstate", None) == LOCKED:
                raise Locked from error
            raise
        finally:
            if not self._connection.closed:
                self._run("ROLLBACK TO SAVEPOINT before", ())

    def close(self) -> None:
        """Hang up. Idempotent."""
        self._connection.close()

    def _run(self, query: LiteralString, values: Sequence[object]) -> list[Row]:
        try:
            with self._cut_in_time():
                cursor = self._connection.cursor(binary=True)
                cursor.execute(query, values or None)
                return cursor.fetchall() if cursor.description is not None else []
        except (psycopg.Error, UnicodeDecodeError) as error:
            if getattr(error, "sqlstate", None) in CHANGED:
                raise ChangedMeanwhile from error
            raise crawl_failed(self.config, error, was_cut=self._was_cut) from error

    @contextmanager
    def _cut_in_time(self) -> Iterator[None]:
        """Shut the socket at the deadline: the server's own timeout does not help where the network drips or hangs."""
        left = min(self._ends_at - time.monotonic(), self.config.statement_timeout_s) + _GRACE_S
        if left <= 0:
            self._was_cut = True
            raise psycopg.OperationalError
        descriptor = os.dup(self._connection.fileno())
        watch = threading.Timer(left, self._cut, [descriptor])
        watch.daemon = True
        watch.start()
        try:
            yield
        finally:
            watch.cancel()
            watch.join()
            if not self._was_cut:
                os.close(descriptor)

    def _cut(self, descriptor: int) -> None:
        self._was_cut = True
        with socket.socket(fileno=descriptor) as ours, suppress(OSError):  # it may be gone already
            ours.shutdown(socket.SHUT_RDWR)


@contextmanager
def snapshot(config: PostgresConfig, *, deadline_s: float, account: Account | None = None) -> Iterator[Session]:
    """Yield a session in a snapshot of its own.

    Raises:
        SourceUnreachable, CredentialsRejected
    """
    session = Session(config, account=account or config.crawler, deadline_s=deadline_s)
    try:
        session.begin()
        yield session
    finally:
        session.close()
