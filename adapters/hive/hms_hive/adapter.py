"""The Hive adapter: listing, describing, lineage of views and scanning of one Hive."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from hms_hive.config import HiveConfig
from hms_hive.description import describe_table
from hms_hive.doors import Door, open_door
from hms_hive.profiling import profile_table
from hms_hive.tables import HiveTable
from hms_hive.trino import trino_catalog
from hms_registry.domain.crawls import Discovery, Failure
from hms_registry.domain.datasets import DatasetKind, DatasetRef, DescribedDataset, Stamp
from hms_registry.domain.names import Address
from hms_registry.domain.profiles import Profile
from hms_registry.errors import SettingsInvalid, SourceError
from hms_registry.ports.adapter import AdapterConfig, Scan, ScanRequest, Scope, ViewDefinition
from hms_registry.ports.profiles import ProfileRequest
from hms_registry.ports.trino import NotFederated, TrinoCatalog

if TYPE_CHECKING:
    from hms_hive.scanning import Reading

_CALL_S = 300.0
_KEPT = 2000
"""Tables that wait to be described; a crawl describes what is new after every 500."""


class HiveAdapter:
    """The databases of one Hive, read-only.

    Listing has to fetch each table anyway, to see whether it changed; what was fetched is kept for `describe`.
    """

    kind: ClassVar[str] = "hive"
    config: ClassVar[type[AdapterConfig]] = HiveConfig

    def __init__(self, config: AdapterConfig) -> None:
        assert isinstance(config, HiveConfig)
        self._config = config
        self._door: Door = open_door(config)
        self._fetched: OrderedDict[Address, HiveTable] = OrderedDict()
        self._views: dict[Address, str] = {}
        self._broken: SourceError | None = None
        self._reading: Reading | None = None

    def check(self) -> None:
        """Connect, and ask for one thing."""
        self._door.check(until=time.monotonic() + _CALL_S)

    def stamp(self, scope: Scope) -> Stamp | None:
        """Say that it cannot tell: what tells of changes expires, needs rights, and misses what others write."""
        self._broken = None
        self._door.check(until=time.monotonic() + scope.deadline_s)
        return None

    def discover(self, scope: Scope) -> Iterator[Discovery]:
        """List database by database."""
        self._broken = None
        self._fetched.clear()
        self._views.clear()
        try:
            for item in self._door.walk(scope, until=time.monotonic() + scope.deadline_s):
                yield self._discovered(item) if isinstance(item, HiveTable) else item
        except SourceError as error:
            # Whoever asks on, batch by batch, is told at once instead of waiting for a dead server each time.
            self._broken = error
            raise

    def describe(self, refs: Sequence[DatasetRef]) -> Iterator[DescribedDataset | Failure]:
        """Describe what is still there: one call a database, and one for what was not fetched before."""
        if self._broken is not None:
            raise self._broken
        until = time.monotonic() + _CALL_S
        by_database: dict[str, dict[str, DatasetRef]] = {}
        for ref in refs:
            by_database.setdefault(ref.address.schema, {})[ref.address.table] = ref
        for database, wanted in by_database.items():
            yield from self._described(database, wanted, until=until)

    def definitions(self, refs: Iterable[DatasetRef]) -> Iterator[ViewDefinition]:
        """Yield the queries of views; Hive spells out every name in them."""
        if self._broken is not None:
            raise self._broken
        until = time.monotonic() + _CALL_S
        unknown: dict[str, dict[str, DatasetRef]] = {}
        for ref in refs:
            sql = self._views.get(ref.address)
            if sql is None:
                unknown.setdefault(ref.address.schema, {})[ref.address.table] = ref
            elif sql:
                yield _definition(ref.address, sql)
        for database, wanted in unknown.items():
            for table in self._door.find(database, list(wanted), until=until):
                if isinstance(table, HiveTable) and table.view:
                    yield _definition(wanted[table.name].address, table.view)

    def profile(self, requests: Sequence[ProfileRequest]) -> Iterator[Profile | Failure]:
        """Tell what the metastore has of their columns: one call a table."""
        if self._broken is not None:
            raise self._broken
        until = time.monotonic() + _CALL_S
        for request in requests:
            yield profile_table(self._door.metastore, request, until=until)

    def scan(self, request: ScanRequest) -> Scan:
        """Plan the reading of files where that gives what Hive would; else one SELECT of HiveServer2."""
        if self._reading is None:
            from hms_hive.scanning import Reading

            self._reading = Reading(self._config, self._door, self._door.metastore)
        return self._reading.plan(request)

    def trino_catalog(self) -> TrinoCatalog | NotFederated:
        """Return the same store as a catalog of Trino."""
        return trino_catalog(self._config)

    def close(self) -> None:
        """Hang up."""
        self._fetched.clear()
        self._broken = None
        self._door.close()

    def _discovered(self, table: HiveTable) -> Discovery:
        try:
            address = Address(self._config.source, table.database, table.name)
        except SettingsInvalid as error:
            return Failure(subject=f"a table of {table.database}", reason=error.message)
        self._keep(address, table)
        tells_all, kind = self._door.tells_all, table.dataset_kind
        can_tell = tells_all or (kind is DatasetKind.TABLE and not self._config.describes_all)
        stamp = table.stamp(endpoint=self._config.lake.endpoint) if can_tell else None
        return DatasetRef(address=address, kind=kind, stamp=stamp, locator=table.shape if tells_all else "")

    def _keep(self, address: Address, table: HiveTable) -> None:
        if not self._door.tells_all:
            return
        if table.dataset_kind is DatasetKind.VIEW:
            self._views[address] = table.view
        self._fetched[address] = table
        if len(self._fetched) > _KEPT:
            self._fetched.popitem(last=False)

    def _described(
        self, database: str, wanted: dict[str, DatasetRef], *, until: float
    ) -> Iterator[DescribedDataset | Failure]:
        found: dict[str, HiveTable | Failure] = {}
        if self._door.tells_all:
            kept = {name: table for name, ref in wanted.items() if (table := self._fetched.pop(ref.address, None))}
            there = self._door.names(database, until=until) if kept else frozenset()
            found |= {name: table for name, table in kept.items() if name in there}
            rest = [name for name in wanted if name not in kept]
        else:
            rest = list(wanted)
        for each in self._door.find(database, rest, until=until) if rest else ():
            found[each.name if isinstance(each, HiveTable) else _subject(each)] = each
        for name, ref in wanted.items():
            result = found.get(name)
            if result is None:
                yield Failure(
                    subject=str(ref.address), reason="it was dropped since it was listed", address=ref.address
                )
            elif isinstance(result, Failure):
                yield result
            else:
                if result.dataset_kind is DatasetKind.VIEW:
                    self._views[ref.address] = result.view
                yield describe_table(self._config, ref, result)


def _subject(failure: Failure) -> str:
    assert failure.address is not None
    return failure.address.table


def _definition(view: Address, sql: str) -> ViewDefinition:
    return ViewDefinition(view=view, sql=sql, dialect="hive", search_path=(view.schema,))
