"""The SQLite adapter: listing, describing, lineage and scanning of one database file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import ClassVar
from urllib.parse import unquote

from hms_registry.domain.crawls import ContainerListed, Discovery, Failure
from hms_registry.domain.datasets import DatasetRef, DescribedDataset, Stamp
from hms_registry.domain.profiles import Profile
from hms_registry.errors import SettingsInvalid
from hms_registry.ports.adapter import AdapterConfig, Scan, ScanRequest, Scope, ViewDefinition
from hms_registry.ports.profiles import ProfileRequest
from hms_registry.ports.trino import NotFederated
from hms_sqlite.config import SqliteConfig
from hms_sqlite.description import SCHEMA, describe_all, ref_of
from hms_sqlite.profiling import profile_all
from hms_sqlite.reading import plan_scan
from hms_sqlite.schema import read_tables
from hms_sqlite.session import connect, snapshot
from hms_sqlite.stamps import file_stamp

_DESCRIBE_S = 300.0


class SqliteAdapter:
    """One SQLite database, read-only."""

    kind: ClassVar[str] = "sqlite"
    config: ClassVar[type[AdapterConfig]] = SqliteConfig

    def __init__(self, config: AdapterConfig) -> None:
        assert isinstance(config, SqliteConfig)
        self._config = config

    def check(self) -> None:
        """Open it and read its schema."""
        connect(self._config).close()

    def stamp(self, scope: Scope) -> Stamp | None:  # noqa: ARG002 # the port's
        """Tell the state of the file: schema version, change counter, sizes, times, identity."""
        with closing(connect(self._config)) as connection:
            return file_stamp(self._config, connection)

    def discover(self, scope: Scope) -> Iterator[Discovery]:
        """List one transactional snapshot; the read transaction ends before the first ref is out."""
        with snapshot(self._config, deadline_s=scope.deadline_s) as seen:
            refs = [ref_of(self._config, seen, table) for table in read_tables(seen.connection)]
            if scope.profiles:  # no table has a counter of its own changes, only the file has
                content = file_stamp(self._config, seen.connection)
                refs = [replace(ref, content_stamp=content) for ref in refs]
        yield from refs
        yield ContainerListed(schema=SCHEMA, is_complete=True, is_snapshot=True)
        yield ContainerListed(schema="", is_complete=True, is_snapshot=True)

    def describe(self, refs: Sequence[DatasetRef]) -> Iterator[DescribedDataset | Failure]:
        """Describe all of them in one snapshot."""
        with snapshot(self._config, deadline_s=_DESCRIBE_S) as seen:
            described = list(describe_all(self._config, seen, refs))
        yield from described

    def definitions(self, refs: Iterable[DatasetRef]) -> Iterator[ViewDefinition]:
        """Yield the `CREATE VIEW` texts."""
        wanted = {ref.address.table: ref.address for ref in refs}
        with snapshot(self._config, deadline_s=_DESCRIBE_S) as seen:
            found = _views(seen.connection)
        for name, sql in found:
            if name in wanted:
                yield ViewDefinition(view=wanted[name], sql=sql, dialect="sqlite", search_path=(SCHEMA,))

    def profile(self, requests: Sequence[ProfileRequest]) -> Iterator[Profile | Failure]:
        """Count in the database, all of them in one snapshot."""
        with snapshot(self._config, deadline_s=_DESCRIBE_S) as seen:
            profiles = list(profile_all(seen, requests))
        yield from profiles

    def locate(self, location: str) -> DatasetRef | None:
        """Return the table at a location as `describe` writes it: the database's URL, `#` and the table's name."""
        url, mark, table = location.partition("#")
        if not mark or not url.startswith("sqlite:"):
            return None
        try:
            config = SqliteConfig.from_url(source=self._config.source, url=url, options={})
        except SettingsInvalid:
            return None
        if config.path != self._config.path:
            return None
        with snapshot(self._config, deadline_s=_DESCRIBE_S) as seen:
            found = next(read_tables(seen.connection, [unquote(table)]), None)
            return ref_of(self._config, seen, found) if found is not None else None

    def scan(self, request: ScanRequest) -> Scan:
        """Plan one SELECT."""
        return plan_scan(self._config, request)

    def trino_catalog(self) -> NotFederated:
        """Say why there is none."""
        return NotFederated(
            reason="Trino has no connector for SQLite",
            hint="move it to PostgreSQL: names stay, its schema is public here already",
        )

    def close(self) -> None:
        """Every call closes its own connection."""


def _views(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    return connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'view' ORDER BY name").fetchall()
