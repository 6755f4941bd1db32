"""The sandbox: a DuckDB from which nothing but the registered relations can be reached."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Lock

import duckdb

from hms_federation.engine.limits import Limits

# Shuts files, URLs, ATTACH, COPY, extensions, secrets, settings and Python variables; tried on 2.0.0.
_SETTINGS = {
    "enable_external_access": "false",
    "python_enable_replacements": "false",
    "python_scan_all_frames": "false",
    "allow_community_extensions": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_unsigned_extensions": "false",
    "allow_persistent_secrets": "false",
}


def make(limits: Limits, spill_to: Path) -> duckdb.DuckDBPyConnection:
    """Make a sandbox for one query; closing the connection ends it."""
    connection = duckdb.connect(
        ":memory:",
        config={
            **_SETTINGS,
            "memory_limit": f"{limits.memory_bytes}B",
            "temp_directory": str(spill_to),
            "max_temp_directory_size": f"{limits.spill_bytes}B",
            "threads": str(limits.threads),
        },
    )
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    connection.execute("SET lock_configuration = true")
    return connection


class Sandbox:
    """One that a process keeps, since making one takes as long as a small query. Thread-safe.

    Each query has a connection of its own, and what it registers there no other one sees. Memory, spilled bytes and
    threads are those of all its queries together.
    """

    def __init__(self, limits: Limits, *, spill_to: Path | None = None) -> None:
        """Make none yet.

        Args:
            spill_to: a private directory that the caller removes; None = one that is removed here.
        """
        self.limits = limits
        self._spill_to = spill_to
        self._lock = Lock()
        self._stack = ExitStack()
        self._instance: duckdb.DuckDBPyConnection | None = None

    def connect(self) -> duckdb.DuckDBPyConnection:
        """Return a new connection; where an error has broken the sandbox, to a new one."""
        with self._lock:
            if self._instance is None or not _is_whole(self._instance):
                self._stack.close()
                spill_to = self._spill_to or self._stack.enter_context(tempfile.TemporaryDirectory(prefix="hms-dta-"))
                self._instance = self._stack.enter_context(closing(make(self.limits, Path(spill_to))))
            return self._instance.cursor()

    def close(self) -> None:
        """End it. Idempotent; connections that are still open keep what they need."""
        with self._lock:
            self._instance = None
            self._stack.close()


def _is_whole(instance: duckdb.DuckDBPyConnection) -> bool:
    try:
        instance.execute("SELECT 1").fetchall()
    except duckdb.Error:
        return False
    return True
