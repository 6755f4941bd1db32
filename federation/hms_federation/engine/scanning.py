"""Scanning: opens the sources of one query, asks each what the plan says, and hands what they give to the engine."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from threading import Event

import duckdb
import pyarrow as pa

from hms_federation.engine.kept_adapters import KeptAdapters
from hms_federation.engine.key_lists import Keys
from hms_federation.engine.relations import Relation
from hms_federation.plan import Plan, PlannedScan
from hms_registry.domain.predicates import Conjunct
from hms_registry.errors import ScanFailed
from hms_registry.ports.adapter import Adapter, Scan, ScanRequest, Scans

OpenAdapter = Callable[[str], Adapter]
"""From the name of a source to its adapter, as bootstrap configured it."""

BATCH_ROWS = 65_536


class Scanning:
    """The sources of one query. What it opens is let go of with the stack; *is_whole*: set when all was read."""

    def __init__(
        self, open_adapter: OpenAdapter | KeptAdapters, *, stack: ExitStack, stop: Event, timeout_s: float
    ) -> None:
        self.is_whole = False
        self._kept = (
            open_adapter
            if isinstance(open_adapter, KeptAdapters)
            else stack.enter_context(closing(KeptAdapters(open_adapter)))
        )
        self._stack = stack
        self._stop = stop
        self._deadline = time.monotonic() + timeout_s
        self._adapters: dict[str, Adapter] = {}
        self.relations: dict[str, Relation] = {}

    def relate(self, plan: Plan, connection: duckdb.DuckDBPyConnection) -> None:
        """Make every scan of a plan a relation; first those whose keys narrow others.

        Raises:
            HmsError: a source cannot be asked, or not be read for its keys.
        """
        keys = Keys()
        scans = {planned.relation: planned for planned in plan.scans}
        for key_list in plan.key_lists:
            feeder = self._relation(scans[key_list.feeder], keys, connection)
            keys.read(key_list, feeder, connection)
        for planned in plan.scans:
            self._relation(planned, keys, connection)

    def ask(self, planned: PlannedScan, further: tuple[Conjunct, ...] = ()) -> Scan:
        """Plan one scan with its adapter; nothing is read yet."""
        adapter = self._adapters.get(planned.source)
        if adapter is None:
            adapter = self._adapters[planned.source] = self._kept.take(planned.source)
            self._stack.callback(self._let_go_of, planned.source, adapter)
        if not isinstance(adapter, Scans):
            raise ScanFailed(
                f"source {planned.source} cannot be queried: its adapter {adapter.kind} only describes",
                hint="query a source whose adapter can scan",
            )
        request = ScanRequest(
            ref=planned.ref,
            columns=planned.columns,
            schema=planned.schema,
            predicate=(*planned.predicate, *further),
            limit=planned.limit,
            pin=planned.pin,
            batch_rows=BATCH_ROWS,
            cancel=self._stop,
            deadline_s=max(self._deadline - time.monotonic(), 0.001),
        )
        return adapter.scan(request)

    def _let_go_of(self, source: str, adapter: Adapter) -> None:
        self._kept.give_back(source, adapter, is_sound=self.is_whole)

    def _relation(self, planned: PlannedScan, keys: Keys, connection: duckdb.DuckDBPyConnection) -> Relation:
        relation = self.relations.get(planned.relation)
        if relation is None:
            further = keys.of(planned.relation)
            scan = self.ask(planned, further) if further is not None else _nothing(planned)
            relation = self.relations[planned.relation] = Relation(planned, scan, stop=self._stop)
            self._stack.callback(relation.close)
            connection.register(planned.relation, relation)
        return relation


def _nothing(planned: PlannedScan) -> Scan:
    return Scan(open_reader=lambda: pa.RecordBatchReader.from_batches(planned.schema, []))
