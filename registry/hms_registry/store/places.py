"""One thing under several names: datasets that lie at one place are linked, in the unit that brings one there.

So no crawl has to come after another, and none that is killed leaves a moment in which the labels of the one do not
follow to the other. Of each source a dataset is linked to the first one at the deepest place at or around its own: as
many edges as there are sources that look at it, however many datasets there are. `docs/decisions/0013` says why.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import chain
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Row, select

from hms_registry.domain.datasets import DatasetId, DatasetKind
from hms_registry.domain.edges import Edge, EdgeKind
from hms_registry.domain.places import Place
from hms_registry.ports.edges import EdgeSet
from hms_registry.store import tables
from hms_registry.store.classes import load_labels
from hms_registry.store.session import Session

ORIGIN: Final = "place"
"""The origin of edges that follow from where datasets lie."""

_table = tables.datasets
_SELECT = select(*(_table.c[name] for name in ("id", "number", "source", "place", "store", "class_id"))).where(
    _table.c.state.not_in(tables.ABSENT)
)
_FILES: Final = frozenset({DatasetKind.FILE.value, DatasetKind.FOLDER.value})


def link_places(
    session: Session, paths: Iterable[str], *, fresh: Collection[str] = (), moved: Collection[str] = ()
) -> int:
    """Make the edges right of what came to these places or left them, and of all that lies there and below. Two
    statements where nothing does; returns how many rows were written.

    Args:
        fresh: the ids of what came and is new, so that it has no edges.
        moved: the ids of what came or left and was there before.
    """
    from hms_registry.store.edges import SqlEdges

    there = session.dialect.at_or_below(set(paths))
    rows = session.read(_SELECT.join(there, there.c.id == _table.c.id)).all()
    linked: dict[str, list[Edge]] = {row.id: [] for row in rows}
    around = [Place(row.place).around for row in rows]
    wanted = set(chain.from_iterable(around))
    beside = session.read(_SELECT.where(session.dialect.among(_table.c.place, wanted))).all() if wanted else []
    folders = {path for _, *paths in around for path in paths}
    taken = {row.place for row in beside}
    if len(taken) < len(beside) or not folders.isdisjoint(taken):  # else each has its place to itself, as most have
        surroundings = _Surroundings(session, beside)
        linked = {row.id: [_edge(row.id, each.id) for each in surroundings.of(row)] for row in rows}
    sets = [
        EdgeSet(downstream=DatasetId(each), origin=ORIGIN, edges=edges)
        for each in {*moved, *linked}
        if (edges := linked.get(each, [])) or each not in fresh
    ]
    return SqlEdges(session).replace_all(sets) if sets else 0


class _Surroundings:
    """What lies at places and around them.

    A source that lists files has each of them in one dataset only, that of the nearest folder: what lies at one place
    or within another in the same source is then not the same data.
    """

    def __init__(self, session: Session, rows: Iterable[Row[Any]]) -> None:
        self._session = session
        self._class_ids = {row.class_id for row in rows}
        self._firsts: dict[str, dict[tuple[str, str], Row[Any]]] = {}
        for row in sorted(rows, key=attrgetter("number")):
            self._firsts.setdefault(row.place, {}).setdefault((row.source, row.store), row)

    def of(self, row: Row[Any]) -> list[Row[Any]]:
        """Return of each source the first dataset at the deepest place at or around that of *row*."""
        found: dict[str, Row[Any]] = {}
        for path in Place(row.place).around:
            for (source, store), other in self._firsts.get(path, {}).items():
                is_before = path != row.place or other.number < row.number
                is_one_store = store == row.store or not (store and row.store)
                if source not in found and is_before and is_one_store and not self._are_apart(row, other):
                    found[source] = other
        return [*found.values()]

    def _are_apart(self, row: Row[Any], other: Row[Any]) -> bool:
        return row.source == other.source and self._is_listed(row) and self._is_listed(other)

    def _is_listed(self, row: Row[Any]) -> bool:
        return load_labels(self._session, self._class_ids, ()).datasets[row.class_id].kind in _FILES


def _edge(downstream: DatasetId, upstream: DatasetId) -> Edge:
    return Edge(upstream=upstream, downstream=downstream, kind=EdgeKind.SAME_DATA, origin=ORIGIN)
