"""A SQLite database as a source, for the tests of the SQLite adapter."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa

from hms_registry.domain.crawls import Failure
from hms_registry.domain.datasets import DatasetRef, DescribedDataset
from hms_registry.domain.predicates import Conjunct
from hms_registry.ports.adapter import Scan, ScanRequest, Scope
from hms_sqlite import SqliteAdapter, SqliteConfig


class Database:
    """A database file and its adapter."""

    def __init__(self, path: Path, script: str = "", **options: str) -> None:
        self.path = path
        self.run(script)
        url = f"sqlite:///{path}"
        self.adapter = SqliteAdapter(SqliteConfig.from_url(source="cdc", url=url, options=options))

    def run(self, script: str, *rows: tuple[object, ...]) -> None:
        """Run statements, or one of them for each row."""
        with closing(sqlite3.connect(self.path)) as connection, connection:
            if rows:
                connection.executemany(script, rows)
            else:
                connection.executescript(script)

    def refs(self) -> dict[str, DatasetRef]:
        """List the refs by table."""
        return {item.address.table: item for item in self.adapter.discover(Scope()) if isinstance(item, DatasetRef)}

    def describe_all(self) -> dict[str, DescribedDataset | Failure]:
        """Describe everything."""
        result = {}
        for each in self.adapter.describe(list(self.refs().values())):
            address = each.address if isinstance(each, Failure) else each.ref.address
            assert address is not None
            result[address.table] = each
        return result

    def describe(self, table: str) -> DescribedDataset:
        """Describe one table."""
        found = self.describe_all()[table]
        assert isinstance(found, DescribedDataset)
        return found

    def types(self, table: str) -> dict[str, str]:
        """Return the Trino types of a table's columns."""
        return {column.name: column.trino_type for column in self.describe(table).columns}

    def scan(self, table: str, schema: dict[str, pa.DataType], *predicate: Conjunct, limit: int | None = None) -> Scan:
        """Plan a scan."""
        request = ScanRequest(
            ref=self.refs()[table],
            columns=tuple(schema),
            schema=pa.schema(schema),
            predicate=predicate,
            limit=limit,
        )
        return self.adapter.scan(request)
