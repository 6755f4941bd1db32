"""The moment that a catalogue is at: one light statement for each request that may be answered from memory.

It is asked past SQLAlchemy, on a connection of its own that is kept: the statement takes a hundredth of a millisecond
on SQLite, and making a unit for it would take twenty times that.
"""

from __future__ import annotations

import threading
from typing import Any, Final

from sqlalchemy import PoolProxiedConnection

from hms_registry.errors import CatalogueCorrupt
from hms_registry.ports.catalogue import Moment
from hms_registry.store.engine import Opened
from hms_registry.store.revisions import check_current

_MOMENT: Final = """
SELECT mark, value, (SELECT epoch FROM bundles ORDER BY id DESC LIMIT 1), (SELECT version_num FROM alembic_version)
FROM epoch"""


class Moments:
    """Reads the moment. Thread-safe: one question at a time."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._lock = threading.Lock()
        self._kept: PoolProxiedConnection | None = None

    def now(self) -> Moment:
        """Return the moment after every commit that has returned.

        Raises:
            CatalogueUnavailable, CatalogueCorrupt, CatalogueTooNew
        """
        dialect = self._opened.dialect
        with self._lock, dialect.turn():
            row = self._ask()
        if row is None:
            raise CatalogueCorrupt(f"{dialect} has no epoch", hint="restore it from a backup, or move it away")
        mark, epoch, policy_epoch, revision = row
        check_current(revision, dialect)
        return Moment(mark=mark, epoch=epoch, policy_epoch=policy_epoch or 0)

    def close(self) -> None:
        """Let go of the connection. Idempotent."""
        with self._lock:
            self._drop()

    def _ask(self) -> tuple[str, int, int | None, str] | None:
        """Ask on the connection that is kept; where it broke meanwhile, once more on another."""
        error = self._opened.engine.dialect.loaded_dbapi.Error
        is_kept = self._kept is not None
        try:
            return self._asked()
        except error as cause:
            self._drop()
            if not is_kept:
                raise self._opened.dialect.error(cause) from cause
        try:
            return self._asked()
        except error as cause:
            self._drop()
            raise self._opened.dialect.error(cause) from cause

    def _asked(self) -> tuple[str, int, int | None, str] | None:
        if self._kept is None:
            self._kept = self._opened.engine.raw_connection()
        driver: Any = self._kept.driver_connection  # sqlite3 and psycopg have this in common
        row: tuple[str, int, int | None, str] | None = driver.execute(_MOMENT).fetchone()
        return row

    def _drop(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None and self._opened.dialect.is_embedded:
            kept.close()
        elif kept is not None:
            kept.invalidate()
