"""What "unchanged" is made of for a SQLite file, and for one table in it."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from hms_registry.domain.datasets import Stamp
from hms_sqlite.config import SqliteConfig
from hms_sqlite.schema import TableInfo
from hms_sqlite.typing_rules import Typed


def file_stamp(config: SqliteConfig, connection: sqlite3.Connection) -> Stamp:
    """Hash schema version, header change counter, size, time and identity of the file, and its WAL's.

    In WAL mode a commit leaves the header as it is until the next checkpoint: then the WAL's size, time and
    salts tell. An empty WAL counts as none, since opening and closing creates and removes it.
    """
    version = connection.execute("PRAGMA schema_version").fetchone()[0]
    with Path(config.path).open("rb") as file:
        head = file.read(100)
        status = os.fstat(file.fileno())
    parts = [version, head[24:28].hex(), status.st_size, status.st_mtime_ns, status.st_dev, status.st_ino]
    parts.extend(_wal(config.path + "-wal"))
    return Stamp(_digest(parts))


def _wal(path: str) -> list[object]:
    try:
        with Path(path).open("rb") as file:
            head = file.read(32)
            status = os.fstat(file.fileno())
    except FileNotFoundError:
        return []
    return [status.st_size, status.st_mtime_ns, head.hex()] if status.st_size else []


def table_stamp(table: TableInfo, types: Sequence[Typed]) -> Stamp:
    """Hash what a description of the table is made of: its SQL, its columns, guessed types and statistics.

    Rows alone do not change it, as long as a sample still has the types it had.
    """
    shape = [tuple(column) for column in table.columns] if table.columns is not None else "unknown"
    sql = table.definition or table.sql
    return Stamp(_digest([table.name, table.kind, sql, shape, [typed.trino for typed in types], table.rows]))


def _digest(parts: Sequence[object]) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
