"""Listing through HiveServer2 alone: two bulk calls a database, and a DESCRIBE for each table that is described."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from hms_hive.config import HiveConfig
from hms_hive.doors import ITS_OWN, Item
from hms_hive.failures import Refused, no_database, unreachable
from hms_hive.predicates import quoted
from hms_hive.server import Row, ServerSession
from hms_hive.server_details import Details, details_of
from hms_hive.tables import Field, HiveTable
from hms_registry.domain.crawls import ContainerListed, Failure
from hms_registry.domain.names import Address
from hms_registry.ports.adapter import Scope

if TYPE_CHECKING:
    from hms_hive.metastore import Metastore

_PLAIN = re.compile(r"\w+\Z", re.ASCII)
_KINDS = {"TABLE": "MANAGED_TABLE", "VIEW": "VIRTUAL_VIEW", "MATERIALIZED_VIEW": "MATERIALIZED_VIEW"}
_SIZED = frozenset({"CHAR", "VARCHAR"})


class ServerDoor:
    """HiveServer2 as what a crawl looks through; sessions are kept until it is closed."""

    def __init__(self, config: HiveConfig) -> None:
        self._config = config
        self._idle: SimpleQueue[ServerSession] = SimpleQueue()

    @property
    def tells_all(self) -> bool:
        """No: locations, keys and the text of views come with a DESCRIBE."""
        return False

    @property
    def metastore(self) -> Metastore | None:
        """There is none."""
        return None

    def check(self, *, until: float) -> None:
        """Log in, and ask for one thing."""
        session = self._session(until)
        try:
            names = {str(row[0]) for row in session.schemas(until=until)}
        except Refused as error:
            raise unreachable(self._config, error, server="HiveServer2") from error
        self._idle.put(session)
        if self._config.database and self._config.database not in names:
            raise no_database(self._config)

    def walk(self, scope: Scope, *, until: float) -> Iterator[Item]:
        """Yield every table with its kind and columns."""
        session = self._session(until)
        try:
            there = sorted({str(row[0]) for row in session.schemas(until=until)} - ITS_OWN)
            if self._config.database and self._config.database not in there:
                raise no_database(self._config)
            wanted = [self._config.database] if self._config.database else there
            for database in wanted:
                if scope.schemas is not None and database not in scope.schemas:
                    continue
                yield from self._tables(session, database, until=until)
                yield ContainerListed(schema=database, is_complete=True)
        except Refused as error:
            raise unreachable(self._config, error, server="HiveServer2") from error
        self._idle.put(session)
        if scope.schemas is None:
            yield ContainerListed(schema="", is_complete=True)

    def find(self, database: str, names: Sequence[str], *, until: float) -> Iterator[HiveTable | Failure]:
        """Yield those tables that are there now, so many described at once as there are connections."""
        session = self._session(until)
        try:
            known = {
                each.name: each
                for each in self._tables(session, database, until=until, only=names[0] if len(names) == 1 else "")
                if isinstance(each, HiveTable)
            }
        except Refused as error:
            raise unreachable(self._config, error, server="HiveServer2") from error
        self._idle.put(session)
        wanted = [known[name] for name in names if name in known]
        with ThreadPoolExecutor(self._config.connections, thread_name_prefix="hms-dta-hive") as pool:
            for found in pool.map(lambda table: self._described(table, until=until), wanted):
                if found is not None:
                    yield found

    def names(self, database: str, *, until: float) -> frozenset[str]:
        """Name the tables that are there now."""
        session = self._session(until)
        try:
            found = frozenset(str(row[2]) for row in session.tables(database, until=until))
        except Refused as error:
            raise unreachable(self._config, error, server="HiveServer2") from error
        self._idle.put(session)
        return found

    def close(self) -> None:
        """Hang up."""
        while True:
            try:
                self._idle.get_nowait().close()
            except Empty:
                return

    def _session(self, until: float) -> ServerSession:
        """Take an idle session, or open one. One that broke is not given back."""
        try:
            return self._idle.get_nowait()
        except Empty:
            return ServerSession(self._config, until=until)

    def _tables(self, session: ServerSession, database: str, *, until: float, only: str = "") -> Iterator[Item]:
        """Join the answers of the two bulk calls.

        Args:
            only: the one table that is wanted, where its name is no pattern that means more.
        """
        pattern = only if _PLAIN.match(only) else ""
        columns: dict[str, dict[int, Field]] = {}
        for row in session.columns(database, pattern, until=until):
            if row[1] == database:
                columns.setdefault(str(row[2]), {})[int(str(row[16]))] = _field(row)
        for row in session.tables(database, pattern, until=until):
            name = str(row[2])
            if row[1] != database:
                continue
            if "." in name:
                # Hive takes it for a database and a table, and answers with the columns of another.
                address = Address(self._config.source, database, name)
                reason = "HiveServer2 cannot speak of a name with a dot: state the option metastore"
                yield Failure(subject=str(address), reason=reason, address=address)
                continue
            told = columns.get(name, {})
            yield HiveTable(
                database=database,
                name=name,
                kind=_KINDS.get(str(row[3]).upper(), str(row[3])),
                columns=tuple(told[at] for at in sorted(told)),
                parameters={"comment": str(row[4])} if row[4] else {},
            )

    def _described(self, table: HiveTable, *, until: float) -> HiveTable | Failure | None:
        session = self._session(until)
        sql = f"DESCRIBE FORMATTED {quoted(table.database)}.{quoted(table.name)}"
        try:
            rows = session.rows(sql, until=until)
        except Refused as error:
            self._idle.put(session)
            if error.is_absence:
                return None
            address = Address(self._config.source, table.database, table.name)
            reason = "this account may not look at it" if error.is_denial else "HiveServer2 cannot describe it"
            return Failure(subject=str(address), reason=reason, address=address)
        self._idle.put(session)
        return _joined(table, details_of(rows))


def _field(row: Row) -> Field:
    """Read a row of GetColumns: its type's parameters are in columns of their own."""
    kind, size, digits = str(row[5]), row[6], row[8]
    if kind in _SIZED and size is not None:
        kind = f"{kind}({size})"
    elif kind == "DECIMAL":
        kind = f"{kind}({size},{digits or 0})"
    return Field(str(row[3]), kind.lower() if kind.isupper() or "(" in kind else kind, str(row[11] or ""))


def _joined(table: HiveTable, told: Details) -> HiveTable:
    keys = tuple(field for field in table.columns if field.name in told.keys)
    return HiveTable(
        database=table.database,
        name=table.name,
        kind=told.facts.get("Table Type", table.kind),
        columns=tuple(field for field in table.columns if field not in keys),
        keys=keys,
        location=told.facts.get("Location", ""),
        input_format=told.facts.get("InputFormat", ""),
        serde=told.facts.get("SerDe Library", ""),
        owner=told.facts.get("Owner", ""),
        view=told.facts.get("Expanded Query", "") or told.facts.get("Original Query", ""),
        parameters={**told.parameters, **table.parameters},
    )
