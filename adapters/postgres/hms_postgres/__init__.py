"""PostgreSQL databases as a source: crawled by a handful of set-based queries, read where they lie."""

from hms_postgres.adapter import PostgresAdapter
from hms_postgres.config import PostgresConfig

__all__ = ["PostgresAdapter", "PostgresConfig"]
