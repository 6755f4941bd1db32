"""Listing through the metastore: names, then the tables themselves by the batch; none may vanish on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from hms_hive.config import HiveConfig
from hms_hive.doors import ITS_OWN, Item
from hms_hive.failures import no_database
from hms_hive.metastore import TABLES_A_CALL, Metastore, NoSuchThing
from hms_hive.tables import HiveTable
from hms_registry.domain.crawls import ContainerListed, Failure
from hms_registry.domain.names import Address
from hms_registry.ports.adapter import Scope


class MetastoreDoor:
    """The metastore as what a crawl looks through."""

    def __init__(self, config: HiveConfig) -> None:
        self._config = config
        self._metastore = Metastore(config)

    @property
    def tells_all(self) -> bool:
        """Yes."""
        return True

    @property
    def metastore(self) -> Metastore:
        """The connection that scans ask for partitions."""
        return self._metastore

    def check(self, *, until: float) -> None:
        """Ask for one thing."""
        if not self._config.database:
            self._metastore.databases(until=until)
            return
        try:
            self._metastore.tables(self._config.database, until=until)
        except NoSuchThing as error:
            raise no_database(self._config) from error

    def walk(self, scope: Scope, *, until: float) -> Iterator[Item]:
        """Yield every table with all that is told of it, database by database."""
        names, are_all = self._databases(scope, until=until)
        for database in names:
            try:
                yield from self._tables(database, scope, until=until)
            except NoSuchThing as error:
                if self._config.database:
                    raise no_database(self._config) from error
                # It was dropped since it was named, or never was: there is nothing in it.
            yield ContainerListed(schema=database, is_complete=True)
        if are_all:
            yield ContainerListed(schema="", is_complete=True)

    def find(self, database: str, names: Sequence[str], *, until: float) -> Iterator[HiveTable | Failure]:
        """Yield those tables that are there now."""
        for table in self._metastore.describe(database, names, until=until):
            with_count = self._counted(table, until=until)
            if with_count is not None:
                yield with_count

    def names(self, database: str, *, until: float) -> frozenset[str]:
        """Name the tables that are there now."""
        try:
            return frozenset(self._metastore.tables(database, until=until))
        except NoSuchThing:
            return frozenset()

    def close(self) -> None:
        """Hang up."""
        self._metastore.close()

    def _databases(self, scope: Scope, *, until: float) -> tuple[list[str], bool]:
        """Return which databases to look into, and whether these are all that there can be."""
        if self._config.database:
            return [self._config.database], True
        if scope.schemas is not None:
            return sorted(scope.schemas - ITS_OWN), False
        return [name for name in self._metastore.databases(until=until) if name not in ITS_OWN], True

    def _tables(self, database: str, scope: Scope, *, until: float) -> Iterator[Item]:
        names = self._metastore.tables(database, until=until)
        for start in range(0, len(names), TABLES_A_CALL):
            missing = dict.fromkeys(names[start : start + TABLES_A_CALL])
            for table in self._metastore.describe(database, list(missing), until=until):
                if table.name not in missing:
                    continue  # named twice: a table is one
                del missing[table.name]
                if not scope.includes(database, table.name):
                    yield table
                    continue
                counted = self._counted(table, until=until)
                if counted is not None:
                    yield counted
            if missing:
                yield from self._lost(database, list(missing), until=until)

    def _lost(self, database: str, names: list[str], *, until: float) -> Iterator[Failure]:
        """Tell of tables that have a name and did not come: unless they were dropped meanwhile."""
        still = self.names(database, until=until)
        for name in names:
            if name in still:
                address = Address(self._config.source, database, name)
                reason = "its metastore names it and does not show it"
                yield Failure(subject=str(address), reason=reason, address=address)

    def _counted(self, table: HiveTable, *, until: float) -> HiveTable | None:
        if not table.keys or table.storage:
            return table
        try:
            return replace(table, partitions=self._metastore.count_partitions(table, until=until))
        except NoSuchThing:
            return None
