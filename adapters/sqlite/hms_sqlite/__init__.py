"""SQLite databases as a source: tables and views where they lie, opened read-only."""

from hms_sqlite.adapter import SqliteAdapter
from hms_sqlite.config import SqliteConfig

__all__ = ["SqliteAdapter", "SqliteConfig"]
