"""Edges with the epochs between which they held; labels follow them in the same unit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import Row, bindparam, delete, or_, select, update

from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.edges import Edge, EdgeKind, RecordedEdge
from hms_registry.errors import DatasetNotFound
from hms_registry.ports.edges import EdgeSet
from hms_registry.store import tables
from hms_registry.store.codec import exact
from hms_registry.store.lineage import closure, dependents, held, read_edge
from hms_registry.store.refresh import refresh
from hms_registry.store.session import Session

_edges = tables.edges
_unknown = tables.unknown_origins


_Key = tuple[DatasetId, str]
_COLUMNS = (
    "upstream", "downstream", "kind", "upstream_column", "downstream_column", "origin", "first_epoch"
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """What makes one set the current edges. *flips*: whether there is an unknown origin changes."""

    stated: EdgeSet
    added: Sequence[Edge]
    ended: Sequence[Row[Any]]
    moved: Sequence[Edge]
    flips: bool

    @property
    def touched(self) -> set[DatasetId]:
        """Datasets of which something changes."""
        return {self.stated.downstream} | {end for edge in self.moved for end in (edge.upstream, edge.downstream)}

    @property
    def followed(self) -> set[DatasetId]:
        """Datasets whose labels must follow."""
        if not self.flips and all(edge.kind is EdgeKind.REFERENCES for edge in self.moved):
            return set()
        twins = {edge.upstream for edge in self.moved if edge.kind is EdgeKind.SAME_DATA}
        return {self.stated.downstream} | twins


class SqlEdges:
    """Implements `Edges`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def replace(self, downstream: DatasetId, *, origin: str, edges: Sequence[Edge], has_unknown: bool = False) -> int:
        """As `replace_all`, of one set."""
        return self.replace_all([EdgeSet(downstream=downstream, origin=origin, edges=edges, has_unknown=has_unknown)])

    def replace_all(self, sets: Sequence[EdgeSet]) -> int:
        """Make each set the current edges of its downstream and origin; what is equal stays as it is. A fixed number
        of statements; of two sets for the same, the last holds."""
        changes = self._changes({(each.downstream, each.origin): each for each in sets})
        if not changes:
            return 0
        added = [edge for each in changes for edge in each.added]
        self._check({each.stated.downstream for each in changes} | {edge.upstream for edge in added})
        self._end([row for each in changes for row in each.ended])
        self._add(added)
        self._set_unknown([each.stated for each in changes if each.flips])
        self._touch({end for each in changes for end in each.touched})
        if followed := {end for each in changes for end in each.followed}:
            refresh(self._session, sorted(followed))
        return sum(len(each.moved) + each.flips for each in changes)

    def _changes(self, sets: Mapping[_Key, EdgeSet]) -> list[_Change]:
        """Compare what is stated with what is there: two statements."""
        session, among = self._session, self._session.dialect.among
        downstreams, origins = {downstream for downstream, _ in sets}, {origin for _, origin in sets}
        current: dict[_Key, dict[Edge, Row[Any]]] = defaultdict(dict)
        mine = (among(_edges.c.downstream, downstreams), among(_edges.c.origin, origins), held(None))
        for row in session.read(select(_edges).where(*mine)):
            current[DatasetId(row.downstream), row.origin][read_edge(row)] = row
        rows = session.read(select(_unknown).where(among(_unknown.c.dataset_id, downstreams)))
        unknown = {(row.dataset_id, row.origin) for row in rows}
        found = []
        for key, stated in sets.items():
            wanted = {replace(edge, downstream=key[0], origin=key[1]) for edge in stated.edges}
            ended = {edge: row for edge, row in current.get(key, {}).items() if edge not in wanted}
            added = sorted(wanted - current.get(key, {}).keys(), key=_order)
            flips = stated.has_unknown != (key in unknown)
            if added or ended or flips:
                moved = [*added, *ended]
                found.append(_Change(stated=stated, added=added, ended=[*ended.values()], moved=moved, flips=flips))
        return found

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

    def dependents(
        self, source: str, *, origin: str, moved: Collection[DatasetId], arrived: Collection[DatasetId]
    ) -> set[DatasetId]:
        """Datasets of a source whose edges of one origin may have to be stated anew."""
        return dependents(self._session, source, origin=origin, moved=moved, arrived=arrived)

    def closure(
        self, dataset_id: DatasetId, *, direction: Literal["up", "down"], as_of: int | None = None
    ) -> list[Edge]:
        """All `derives` and `same_data` edges reachable, whole; cycles end."""
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
        epoch = self._session.next_epoch
        rows = [
            (
                edge.upstream,
                edge.downstream,
                edge.kind.value,
                None if edge.upstream_column is None else exact(edge.upstream_column),
                None if edge.downstream_column is None else exact(edge.downstream_column),
                edge.origin,
                epoch,
            )
            for edge in edges
        ]
        self._session.fill(_edges, _COLUMNS, rows)

    def _set_unknown(self, flipped: Sequence[EdgeSet]) -> None:
        rows = [(each.downstream, each.origin) for each in flipped if each.has_unknown]
        self._session.fill(_unknown, ("dataset_id", "origin"), rows)
        known = [{"of_id": each.downstream, "of_origin": each.origin} for each in flipped if not each.has_unknown]
        if known:
            mine = (_unknown.c.dataset_id == bindparam("of_id"), _unknown.c.origin == bindparam("of_origin"))
            self._session.write(delete(_unknown).where(*mine), known)

    def _touch(self, ids: Collection[DatasetId]) -> None:
        table = tables.datasets
        rows = self._session.read(select(table.c.source).where(self._session.dialect.among(table.c.id, ids)))
        self._session.touch(row.source for row in rows)


def _order(edge: Edge) -> tuple[str, ...]:
    return (edge.upstream, edge.kind, edge.upstream_column or "", edge.downstream_column or "")
