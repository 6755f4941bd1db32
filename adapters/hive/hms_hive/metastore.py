"""The metastore's thrift calls, each with an end, many tables at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from pymetastore.hive_metastore import ThriftHiveMetastore
from pymetastore.hive_metastore.ttypes import (
    ClientCapabilities,
    ClientCapability,
    ColumnStatisticsObj,
    FieldSchema,
    GetTablesRequest,
    GetTablesResult,
    NoSuchObjectException,
    Partition,
    Table,
    TableStatsRequest,
)
from thrift.Thrift import TApplicationException, TException
from thrift.transport.TTransport import TTransportException

from hms_hive.config import HiveConfig
from hms_hive.failures import DRIVER, Refused, unreachable
from hms_hive.tables import Field, HiveTable
from hms_hive.transport import TimedSocket, buffered, protocol_of

R = TypeVar("R")

TABLES_A_CALL = 500
PARTITIONS_A_CALL = 500
_CAN = ClientCapabilities([ClientCapability.INSERT_ONLY_TABLES])
"""Else the metastore refuses a whole batch for one table with this property; we read such tables through Hive alone."""


class NoSuchThing(Exception):
    """The metastore knows no such database or table; never leaves this package."""


class Metastore:
    """One connection, made when it is first needed, and again after it broke. Thread-safe: one call at a time."""

    def __init__(self, config: HiveConfig) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._socket: TimedSocket | None = None
        self._client: ThriftHiveMetastore.Client | None = None

    def databases(self, *, until: float) -> list[str]:
        """Name all databases."""
        found: list[str] = self._ask(lambda client: client.get_all_databases(), until=until)
        return sorted(found)

    def tables(self, database: str, *, until: float) -> list[str]:
        """Name all tables and views of a database.

        Raises:
            NoSuchThing: there is no such database.
        """
        found: list[str] = self._ask(lambda client: client.get_all_tables(database), until=until)
        if not found:  # what is not there has no tables either, says the metastore
            self._ask(lambda client: client.get_database(database), until=until)
        return sorted(found)

    def describe(self, database: str, names: Sequence[str], *, until: float) -> Iterator[HiveTable]:
        """Yield those tables that are there, many in one call."""
        for start in range(0, len(names), TABLES_A_CALL):
            wanted = list(names[start : start + TABLES_A_CALL])
            request = GetTablesRequest(dbName=database, tblNames=wanted, capabilities=_CAN)
            answer = self._ask(partial(_tables_of, asked=request), until=until)
            for table in answer.tables or ():
                yield _table(table)

    def count_partitions(self, table: HiveTable, *, until: float) -> int:
        """Count the partitions; none of them is looked at.

        Raises:
            NoSuchThing: the table is gone.
        """
        count: int = self._ask(
            lambda client: client.get_num_partitions_by_filter(table.database, table.name, ""), until=until
        )
        return count

    def partition_names(self, table: HiveTable, *, until: float) -> list[str]:
        """Name the partitions, `key=value/key=value`, escaped as Hive does.

        Raises:
            NoSuchThing: the table is gone.
        """
        names: list[str] = self._ask(
            lambda client: client.get_partition_names(table.database, table.name, -1), until=until
        )
        return names

    def partition_places(self, table: HiveTable, names: Sequence[str], *, until: float) -> Iterator[tuple[str, ...]]:
        """Yield location, input format and values of those partitions.

        Raises:
            NoSuchThing: the table is gone.
        """
        for start in range(0, len(names), PARTITIONS_A_CALL):
            wanted = list(names[start : start + PARTITIONS_A_CALL])
            for each in self._ask(partial(_partitions_of, table=table, asked=wanted), until=until):
                yield each.sd.location or "", each.sd.inputFormat or "", *each.values

    def statistics(
        self, database: str, table: str, columns: Sequence[str], *, until: float
    ) -> Sequence[ColumnStatisticsObj]:
        """Return what was counted of those columns; nothing of the others, and nothing of a partitioned table.

        Raises:
            NoSuchThing: the table is gone.
        """
        asked = TableStatsRequest(dbName=database, tblName=table, colNames=list(columns))
        answer = self._ask(lambda client: client.get_table_statistics_req(asked), until=until)
        found: Sequence[ColumnStatisticsObj] = answer.tableStats or ()
        return found

    def close(self) -> None:
        """Hang up. Idempotent."""
        with self._lock:
            self._hang_up()

    def _ask(self, call: Callable[[ThriftHiveMetastore.Client], R], *, until: float) -> R:
        """Make one call.

        Raises:
            NoSuchThing: what it is about is not there.
            SourceUnreachable, CredentialsRejected
        """
        with self._lock:
            # No context manager around thrift: its exceptions cannot pass through one of contextlib's.
            try:
                client, timed = self._opened(until)
                timed.ends_at = min(until, time.monotonic() + self._config.call_timeout_s)
                return call(client)
            except NoSuchObjectException as error:
                raise NoSuchThing from error
            except DRIVER as error:
                self._hang_up()
                is_answer = isinstance(error, TException) and not isinstance(
                    error, TTransportException | TApplicationException
                )
                told = Refused(str(getattr(error, "message", ""))) if is_answer else error
                raise unreachable(self._config, told, server="metastore") from error

    def _opened(self, until: float) -> tuple[ThriftHiveMetastore.Client, TimedSocket]:
        if self._client is None or self._socket is None:
            assert self._config.metastore is not None
            timed = TimedSocket(self._config.metastore, connect_s=self._config.connect_timeout_s)
            timed.ends_at = until
            transport = buffered(timed)
            transport.open()
            self._socket, self._client = timed, ThriftHiveMetastore.Client(protocol_of(transport))
        return self._client, self._socket

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = self._client = None


def _tables_of(client: ThriftHiveMetastore.Client, *, asked: GetTablesRequest) -> GetTablesResult:
    return client.get_table_objects_by_name_req(asked)


def _partitions_of(
    client: ThriftHiveMetastore.Client, *, table: HiveTable, asked: Sequence[str]
) -> Sequence[Partition]:
    found: Sequence[Partition] = client.get_partitions_by_names(table.database, table.name, asked)
    return found


def _table(told: Table) -> HiveTable:
    """Read the metastore's object."""
    descriptor = told.sd
    serde = descriptor.serdeInfo if descriptor is not None else None
    return HiveTable(
        database=told.dbName,
        name=told.tableName,
        kind=told.tableType or "",
        columns=_fields(descriptor.cols if descriptor is not None else ()),
        keys=_fields(told.partitionKeys or ()),
        location=(descriptor.location or "") if descriptor is not None else "",
        input_format=(descriptor.inputFormat or "") if descriptor is not None else "",
        serde=(serde.serializationLib or "") if serde is not None else "",
        owner=told.owner or "",
        view=told.viewExpandedText or told.viewOriginalText or "",
        parameters=told.parameters or {},
    )


def _fields(told: Sequence[FieldSchema] | None) -> tuple[Field, ...]:
    return tuple(Field(each.name, each.type, each.comment or "") for each in told or ())
