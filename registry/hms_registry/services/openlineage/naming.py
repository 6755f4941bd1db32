"""What a dataset that a job names may be here: its namespace is held against the stores that sources.yml describes.

The names are those of https://openlineage.io/docs/spec/naming. Nothing is asked of a store: an event may name any.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from hms_registry.domain.names import Address, TrinoName, is_held
from hms_registry.domain.places import Place, place_at
from hms_registry.domain.runs import Meaning, OuterName, StatedDataset
from hms_registry.domain.sources import Source
from hms_registry.errors import SettingsInvalid
from hms_registry.services.sources_file import opened_url

_MOST_DOTS: Final = 12
"""In a name: where it may be parted is tried at each."""

_PORTS: Final = {"postgres": 5432, "mongo": 27017, "hive": 10_000}
_SYSTEMS: Final = {
    "postgres": "postgres", "postgresql": "postgres", "mongodb": "mongo", "mongo": "mongo", "hive": "hive",
}  # fmt: skip
_TABLES: Final = frozenset({"hive", "mongo", "postgres", "sqlite"})
_STORES_OF_FILES: Final = {"s3": "s3", "s3a": "s3", "s3n": "s3", "gs": "gs", "hdfs": "hdfs"}
_HERE: Final = frozenset({"127.0.0.1", "::1", "[::1]"})


class _Server(NamedTuple):
    """Where a database answers."""

    system: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class _Store:
    """A source, as jobs may name it; *database* empty = it is not part of their names."""

    source: Source
    servers: frozenset[_Server]
    database: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """Says what names may mean.

    Attributes:
        stated: sources by namespaces that settings.yml says are theirs.
    """

    stores: tuple[_Store, ...] = ()
    stated: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, sources: Iterable[Source], *, folder: Path, environ: Mapping[str, str], stated: Mapping[str, str]
    ) -> Naming:
        """Make it of the sources that are described."""
        return cls(stores=tuple(_store(each, folder=folder, environ=environ) for each in sources), stated=stated)

    def meaning(self, dataset: StatedDataset, *, is_output: bool) -> Meaning:
        """Return what a dataset may be, by its name and its symlinks."""
        names = (dataset.name, *dataset.symlinks)
        found = [each for name in names for each in self._addresses(name)]
        in_sql = [each for name in names for each in self._sql_names(name)]
        places = (_place(name) for name in names)
        tables = [*found, *(Address(each.catalog, each.schema, each.table) for each in in_sql)]
        return Meaning(
            addresses=tuple(dict.fromkeys(found)),
            sql_names=tuple(dict.fromkeys(in_sql)),
            place=next(filter(None, places), None),
            new=tables[0] if is_output and len(set(tables)) == 1 and self._has_tables(tables[0].source) else None,
        )

    def _has_tables(self, name: str) -> bool:
        """Say whether a source calls its tables what SQL calls them: what a job wrote there will be crawled so."""
        return any(store.source.name == name and store.source.kind in _TABLES for store in self.stores)

    def _addresses(self, name: OuterName) -> Iterator[Address]:
        """Yield the byte-exact addresses that a name of a database may be."""
        server = _server_of(name.namespace)
        stated = self.stated.get(name.namespace)
        for store in self.stores:
            if store.source.name == stated or (server is not None and server in store.servers):
                prefix = f"{store.database}."
                rest = name.name.removeprefix(prefix) if store.database else name.name
                if store.source.name == stated or not store.database or name.name.startswith(prefix):
                    yield from _parted(store.source.name, rest)

    def _sql_names(self, name: OuterName) -> Iterator[TrinoName]:
        """Yield the names in SQL that a name of a Trino may be: each of its catalogs is a source of that name."""
        if not name.namespace.lower().startswith("trino://"):
            return
        catalog, _dot, rest = name.name.lower().partition(".")
        if any(store.source.name == catalog for store in self.stores):
            for each in _parted(catalog, rest):
                yield TrinoName(each.source, each.schema, each.table)


def _parted(source: str, rest: str) -> Iterator[Address]:
    """Yield a name in its store, parted in schema and table wherever it has a dot: either may hold one."""
    parts = rest.split(".")
    if len(parts) > _MOST_DOTS:
        return
    for at in range(1, len(parts)):
        schema, table = ".".join(parts[:at]), ".".join(parts[at:])
        if schema and table and is_held(address := Address(source, schema, table)):
            yield address


def _place(name: OuterName) -> Place | None:
    """Return where the bytes of a file or a folder lie; None if the name is not one of those."""
    if name.namespace in ("file", "file:", "file://"):
        return place_at("file:", name.name) if name.name.startswith("/") else None
    scheme, mark, host = name.namespace.partition("://")
    kept = _STORES_OF_FILES.get(scheme.lower())
    return place_at(f"{kept}://{host.rstrip('/')}", name.name) if mark and kept and host else None


def _server_of(namespace: str) -> _Server | None:
    scheme, mark, rest = namespace.partition("://")
    system = _SYSTEMS.get(scheme.lower())
    return _server(system, rest) if mark and system else None


def _server(system: str, text: str) -> _Server | None:
    """Read HOST:PORT, whatever follows it."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return None
    return _Server(system, "localhost" if host in _HERE else host, port or _PORTS[system]) if host else None


def _store(source: Source, *, folder: Path, environ: Mapping[str, str]) -> _Store:
    """Tell where a source answers; one whose settings are not whole is known by its name alone."""
    system = _SYSTEMS.get(source.kind, "")
    try:
        url = opened_url(source, folder=folder, environ=environ) if system else ""
    except SettingsInvalid:
        return _Store(source, frozenset())
    where, _slash, database = url.partition("://")[2].rpartition("@")[2].partition("/")
    servers = [_server(system, each) for each in where.split(",") if system]
    if metastore := source.options.get("metastore", "") if system == "hive" else "":
        servers.append(_server(system, metastore.removeprefix("thrift://")))
    named = unquote(database.partition("?")[0]) if system == "postgres" else ""
    return _Store(source, frozenset(filter(None, servers)), named)
