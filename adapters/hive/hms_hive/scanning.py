"""Planning a scan: the files themselves where they mean what Hive would say, else one SELECT of HiveServer2."""

from __future__ import annotations

import time
from collections.abc import Callable

from hms_formats.dialect import TextOptions
from hms_formats.filters import split
from hms_formats.pieces import Piece
from hms_formats.reading import plan_pieces
from hms_hive.config import HiveConfig
from hms_hive.description import format_of
from hms_hive.doors import Door
from hms_hive.failures import altered, gone, no_way
from hms_hive.metastore import Metastore, NoSuchThing
from hms_hive.partitions import kept, value_of
from hms_hive.places import Place, place_of
from hms_hive.storage import LakeFiles, NotDirect, Partition
from hms_hive.tables import HiveTable
from hms_hive.types import hive_type
from hms_registry.domain.crawls import Failure
from hms_registry.domain.datasets import DatasetKind
from hms_registry.errors import ScanFailed
from hms_registry.ports.adapter import Scan, ScanRequest

_MOST_PARTITIONS = 100_000
"""Of more, Hive knows better which to read."""


class Reading:
    """Plans scans of one source."""

    def __init__(self, config: HiveConfig, door: Door, metastore: Metastore | None) -> None:
        self._config = config
        self._door = door
        self._metastore = metastore
        self._files = LakeFiles(config.lake, source=config.source)

    def plan(self, request: ScanRequest) -> Scan:
        """Plan a scan.

        Raises:
            ScanFailed: it is gone, was altered, or can only be read through a HiveServer2 that is not stated.
            SourceUnreachable, CredentialsRejected, LocationOutsideSource
        """
        address, until = request.ref.address, time.monotonic() + request.deadline_s
        table = next(self._door.find(address.schema, [address.table], until=until), None)
        if table is None:
            raise gone(str(address))
        if isinstance(table, Failure):
            raise ScanFailed(f"{address}: {table.reason}", hint=f"crawl {address.source} again")
        if request.ref.locator and request.ref.locator != table.shape:
            raise altered(str(address), is_told_by_listing=self._door.tells_all)
        try:
            return self._direct(table, request, until=until)
        except NotDirect as why:
            if self._config.server is None:
                raise no_way(str(address), str(why)) from None
        from hms_hive.selecting import plan_select

        return plan_select(self._config, table, request)

    def _direct(self, table: HiveTable, request: ScanRequest, *, until: float) -> Scan:
        """Plan the reading of its files.

        Raises:
            NotDirect: they may mean something else to Hive.
        """
        place = self._place(table, request)
        if table.keys:
            pieces = self._partitioned(table, request, until=until)
        else:
            pieces = self._files.pieces(place, partition=())
        return plan_pieces(pieces, request, options=TextOptions(), has_one_schema=False)

    def _place(self, table: HiveTable, request: ScanRequest) -> Place:
        types = {field.name: field.type for field in (*table.columns, *table.keys)}
        place = place_of(table.location)
        reasons: dict[str, Callable[[], bool]] = {
            "it is a view": lambda: table.dataset_kind is DatasetKind.VIEW,
            "its rows are not files": lambda: bool(table.storage) or "table_type" in table.parameters,
            "its files are not Parquet": lambda: format_of(table) != "parquet",
            "it is transactional": lambda: table.parameters.get("transactional", "").lower() == "true",
            "its columns are found by their place": lambda: "parquet.column.index.access" in table.parameters,
            "it does not lie in a place of the option read_from": lambda: place is None or not self._files.holds(place),
            "its files hold a column in a way that depends on their writer": lambda: (
                not all(hive_type(types[name]).is_direct for name in request.columns if name in types)
            ),
            "its partitions are known to the metastore alone": lambda: bool(table.keys) and self._metastore is None,
            "it has too many partitions": lambda: (table.partitions or 0) > _MOST_PARTITIONS,
        }
        for why, holds in reasons.items():
            if holds():
                raise NotDirect(why)
        assert place is not None
        return place

    def _partitioned(self, table: HiveTable, request: ScanRequest, *, until: float) -> list[Piece]:
        assert self._metastore is not None
        exact, _ = split(request.predicate, request.schema)
        keys = [key.name for key in table.keys]
        pieces: list[Piece] = []
        try:
            names = kept(self._metastore.partition_names(table, until=until), table, exact, request.schema)
            for location, form, *values in self._metastore.partition_places(table, names, until=until):
                if form != table.input_format:
                    raise NotDirect("one of its partitions has another format")
                partition = tuple((key, value_of(value)) for key, value in zip(keys, values, strict=True))
                pieces += self._pieces(location, partition)
        except NoSuchThing:
            raise gone(str(request.ref.address)) from None
        return pieces

    def _pieces(self, location: str, partition: Partition) -> list[Piece]:
        place = place_of(location)
        if place is None or not self._files.holds(place):
            raise NotDirect("one of its partitions does not lie in a place of the option read_from")
        return self._files.pieces(place, partition=partition)
