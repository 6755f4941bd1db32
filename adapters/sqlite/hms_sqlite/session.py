"""One read-only connection, and the seam where SQLite's errors become ours."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from hms_registry.errors import CredentialsRejected, ScanFailed, SourceUnreachable
from hms_sqlite.config import SqliteConfig

_STEPS = 20_000
_SAMPLE_CALLS = 500  # ten million steps, about a second
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_HEADER = b"SQLite format 3\0"


def check_file(config: SqliteConfig) -> os.stat_result:
    """Look at the file without opening a connection.

    Raises:
        SourceUnreachable: it is not there, or no SQLite database.
        CredentialsRejected: this account may not read it.
    """
    hint = "mend its url in sources.yml"
    try:
        path = Path(config.path)
        if not path.is_file():
            fact = "is a folder" if path.is_dir() else "is not there"
            raise SourceUnreachable(f"source {config.source}: its database file {fact}", hint=hint)
        with path.open("rb") as file:
            head = file.read(len(_HEADER))
            status = os.fstat(file.fileno())
    except PermissionError as exc:
        raise CredentialsRejected(
            f"source {config.source}: this account may not read the database file", hint="give it read access"
        ) from exc
    except OSError as exc:
        raise SourceUnreachable(
            f"source {config.source}: the database file cannot be read: {exc.strerror}", hint=hint
        ) from exc
    if head not in (_HEADER, b""):
        raise SourceUnreachable(f"source {config.source}: its file is not a SQLite database", hint=hint)
    return status


def connect(config: SqliteConfig) -> sqlite3.Connection:
    """Open the database read-only; it is never created.

    Raises:
        SourceUnreachable, CredentialsRejected: as `check_file`.
    """
    check_file(config)
    try:
        return _open(config, "mode=ro")
    except sqlite3.OperationalError as exc:
        # A database in WAL mode on read-only storage opens only as immutable, which is true where no WAL is left.
        if _code(exc) == sqlite3.SQLITE_CANTOPEN and not Path(config.path + "-wal").exists():
            with unreachable(config):
                return _open(config, "mode=ro&immutable=1")
        raise SourceUnreachable(f"source {config.source}: {_fact(exc)}", hint=_hint(exc)) from exc
    except sqlite3.Error as exc:
        raise SourceUnreachable(f"source {config.source}: {_fact(exc)}", hint=_hint(exc)) from exc


def _open(config: SqliteConfig, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(config.path)}?{mode}",
        uri=True,
        timeout=config.busy_timeout_s,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")  # a view may not call what has side effects
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A connection inside one read transaction, stopped when its time is up."""

    connection: sqlite3.Connection
    ends_at: float

    @contextmanager
    def sampling(self) -> Iterator[None]:
        """Bound what runs inside by its work, not its time: a guess must not depend on how busy the machine is."""
        left = iter(range(_SAMPLE_CALLS))
        self.connection.set_progress_handler(lambda: next(left, None) is None, _STEPS)
        try:
            yield
        finally:
            stop_after(self.connection, self.ends_at - time.monotonic())


@contextmanager
def snapshot(config: SqliteConfig, *, deadline_s: float) -> Iterator[Snapshot]:
    """Open a snapshot; what fails inside is translated.

    Raises:
        SourceUnreachable, CredentialsRejected: as `check_file`.
    """
    ends_at = time.monotonic() + deadline_s
    with closing(connect(config)) as connection, unreachable(config):
        stop_after(connection, deadline_s)
        connection.execute("BEGIN")
        yield Snapshot(connection, ends_at)


def stop_after(
    connection: sqlite3.Connection, deadline_s: float, is_cancelled: Callable[[], bool] = lambda: False
) -> None:
    """Interrupt whatever runs on *connection* once the time is up or nobody waits."""
    ends_at = time.monotonic() + deadline_s
    connection.set_progress_handler(lambda: time.monotonic() > ends_at or is_cancelled(), _STEPS)


@contextmanager
def unreachable(config: SqliteConfig) -> Iterator[None]:
    """Translate errors of a crawl."""
    try:
        yield
    except sqlite3.Error as exc:
        raise SourceUnreachable(f"source {config.source}: {_fact(exc)}", hint=_hint(exc)) from exc


@contextmanager
def scan_failed(what: str) -> Iterator[None]:
    """Translate errors of a scan; SQLite's own texts may quote values, so they are not passed on."""
    try:
        yield
    except sqlite3.Error as exc:
        raise ScanFailed(f"{what}: {_fact(exc)}", hint=_hint(exc)) from exc


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


_FACTS = {
    sqlite3.SQLITE_BUSY: "the database is locked by another process",
    sqlite3.SQLITE_LOCKED: "the database is locked by another process",
    sqlite3.SQLITE_NOTADB: "its file is not a SQLite database",
    sqlite3.SQLITE_CORRUPT: "the database file is damaged",
    sqlite3.SQLITE_INTERRUPT: "it was stopped: the time was up, or nobody waits for it any more",
}


def _fact(error: sqlite3.Error) -> str:
    known = _FACTS.get(_code(error))
    if known is not None:
        return known
    if "UTF-8" in str(error):
        return "it holds text that is not UTF-8"
    if str(error).startswith(("no such table", "no such column", "no such module")):
        return "it refers to a table, column or module that is not there any more"
    return f"the database could not be read ({getattr(error, 'sqlite_errorname', type(error).__name__)})"


def _hint(error: sqlite3.Error) -> str:
    code = _code(error)
    if code in _BUSY:
        return "try again, or raise the source's option busy_timeout_s"
    if code == sqlite3.SQLITE_INTERRUPT:
        return "ask for less, or raise the deadline"
    return "check the file with `sqlite3 FILE 'PRAGMA integrity_check'`, then crawl again"
