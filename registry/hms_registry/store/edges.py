"""Edges with the epochs between which they held; labels follow them in the same unit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Literal

from sqlalchemy import Row, delete, insert, or_, select, update

from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.edges import Edge, EdgeKind, RecordedEdge
from hms_registry.errors import DatasetNotFound
from hms_registry.ports.catalogue import EdgeSet
from hms_registry.store import tables
from hms_registry.store.codec import exact
from hms_registry.store.lineage import closure, held, read_edge
from hms_registry.store.refresh import refresh
from hms_registry.store.session import Session

_edges = tables.edges
_unknown = tables.unknown_origins


class SqlEdges:
    """Implements `Edges`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def replace(self, downstream: DatasetId, *, origin: str, edges: Sequence[Edge], has_unknown: bool = False) -> int:
        """As `replace_all`, of one set."""
        return self.replace_all([EdgeSet(downstream=downstream, origin=origin, edges=edges, has_unknown=has_unknown)])

    def replace_all(self, sets: Sequence[EdgeSet]) -> int:
        """Make each set the current edges of its downstream and origin; what is equal stays as it is."""
        written = 0
        followed: set[DatasetId] = set()
        for each in sets:
            count, others = self._replace(each)
            written += count
            followed |= others
        if followed:
            refresh(self._session, sorted(followed))
        return written

    def _replace(self, stated: EdgeSet) -> tuple[int, set[DatasetId]]:
        """Return how many rows that took, and whose labels must follow."""
        downstream, origin = stated.downstream, stated.origin
        wanted = {replace(edge, downstream=downstream, origin=origin) for edge in stated.edges}
        rows = self._session.read(
            select(_edges).where(_edges.c.downstream == downstream, _edges.c.origin == origin, held(None))
        )
        current = {read_edge(row): row for row in rows}
        ended = [row for edge, row in current.items() if edge not in wanted]
        added = sorted(wanted - current.keys(), key=_order)
        moved = [*added, *map(read_edge, ended)]
        touched = {end for edge in moved for end in (edge.upstream, edge.downstream)}
        flips = stated.has_unknown != self._has_unknown(downstream, origin)
        if not touched and not flips:
            return 0, set()
        self._check({downstream} | {edge.upstream for edge in added})
        self._end(ended)
        self._add(added)
        if flips:
            self._set_unknown(downstream, origin, has_unknown=stated.has_unknown)
        self._touch(touched | {downstream})
        followed: set[DatasetId] = set()
        if flips or any(edge.kind is not EdgeKind.REFERENCES for edge in moved):
            followed = {downstream} | {edge.upstream for edge in moved if edge.kind is EdgeKind.SAME_DATA}
        return len(moved) + flips, followed

    def around(self, dataset_id: DatasetId, *, kind: EdgeKind | None = None) -> list[RecordedEdge]:
        """Current edges in and out of one dataset."""
        ends = or_(_edges.c.upstream == dataset_id, _edges.c.downstream == dataset_id)
        statement = select(_edges).where(ends, held(None)).order_by(_edges.c.id)
        if kind is not None:
            statement = statement.where(_edges.c.kind == kind.value)
        return [
            RecordedEdge(edge=read_edge(row), first_epoch=row.first_epoch, last_epoch=row.last_epoch)
            for row in self._session.read(statement)
        ]

    def closure(
        self, dataset_id: DatasetId, *, direction: Literal["up", "down"], as_of: int | None = None
    ) -> list[Edge]:
        """All `derives` edges reachable, whole; cycles end."""
        return closure(self._session, dataset_id, direction=direction, as_of=as_of)

    def _check(self, ids: Collection[DatasetId]) -> None:
        table = tables.datasets
        rows = self._session.read(select(table.c.id).where(self._session.dialect.among(table.c.id, ids)))
        missing = sorted(set(ids) - {row.id for row in rows})
        if missing:
            raise DatasetNotFound(f"no dataset has the id {missing[0]!r}", hint="an edge joins registered datasets")

    def _end(self, rows: Sequence[Row[Any]]) -> None:
        """End edges; one that this same unit added never held, so it leaves no trace."""
        epoch, among = self._session.next_epoch, self._session.dialect.among
        held_before = [row.id for row in rows if row.first_epoch < epoch]
        never_held = [row.id for row in rows if row.first_epoch >= epoch]
        if held_before:
            ended = update(_edges).where(among(_edges.c.id, held_before)).values(last_epoch=epoch - 1)
            self._session.write(ended)
        if never_held:
            self._session.write(delete(_edges).where(among(_edges.c.id, never_held)))

    def _add(self, edges: Sequence[Edge]) -> None:
        rows = [
            {
                "upstream": edge.upstream,
                "downstream": edge.downstream,
                "kind": edge.kind.value,
                "upstream_column": None if edge.upstream_column is None else exact(edge.upstream_column),
                "downstream_column": None if edge.downstream_column is None else exact(edge.downstream_column),
                "origin": edge.origin,
                "first_epoch": self._session.next_epoch,
                "last_epoch": None,
            }
            for edge in edges
        ]
        if rows:
            self._session.write(insert(_edges), rows)

    def _has_unknown(self, dataset_id: DatasetId, origin: str) -> bool:
        statement = select(_unknown).where(_unknown.c.dataset_id == dataset_id, _unknown.c.origin == origin)
        return self._session.read(statement).one_or_none() is not None

    def _set_unknown(self, dataset_id: DatasetId, origin: str, *, has_unknown: bool) -> None:
        if has_unknown:
            self._session.write(insert(_unknown), [{"dataset_id": dataset_id, "origin": origin}])
        else:
            gone = delete(_unknown).where(_unknown.c.dataset_id == dataset_id, _unknown.c.origin == origin)
            self._session.write(gone)

    def _touch(self, ids: Collection[DatasetId]) -> None:
        table = tables.datasets
        rows = self._session.read(select(table.c.source).where(self._session.dialect.among(table.c.id, ids)))
        self._session.touch(row.source for row in rows)


def _order(edge: Edge) -> tuple[str, ...]:
    return (edge.upstream, edge.kind, edge.upstream_column or "", edge.downstream_column or "")
