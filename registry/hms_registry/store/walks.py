"""Walks for the port: over the graph index where it has this transaction's epoch, over edges read by SQL where not."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt
from sqlalchemy import func, select

from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.decisions import Visibility
from hms_registry.domain.edges import Edge, EdgeKind
from hms_registry.domain.walks import Direction, Reach, Reached, Step, Tally, Walk
from hms_registry.store import tables
from hms_registry.store.classes import load_labels
from hms_registry.store.codec import exact, is_bindable, parse_exact, time_text
from hms_registry.store.graph.arrays import BITS, KINDS, TURNED, Ints, Way
from hms_registry.store.graph.index import GraphIndex
from hms_registry.store.graph.loading import arrays_of
from hms_registry.store.graph.snapshot import Met, Snapshot
from hms_registry.store.graph.walking import UNNAMED, bits_of, column_levels, kind_between, levels, path
from hms_registry.store.lineage import closure
from hms_registry.store.session import Session


class SqlWalks:
    """Implements `Walks`."""

    def __init__(self, session: Session, index: GraphIndex) -> None:
        self._session = session
        self._index = index

    def epoch_at(self, at: datetime) -> int:
        """The epoch that held at a time; 0 = before the first that is known."""
        table = tables.epochs
        found = self._session.read(select(func.max(table.c.value)).where(table.c.at <= time_text(at)))
        return int(found.scalar() or 0)

    def reach(self, walk: Walk, *, visible: Visibility, first: int, offset: int = 0) -> Reach:
        """What is met, nearest first, a page of it."""
        found = self._found(walk)
        if found is None:
            return Reach(page=(), total=0, restricted=0)
        shown = np.flatnonzero(found.is_shown(visible))
        page = tuple(map(found.reached, shown[offset : offset + first].tolist()))
        return Reach(page=page, total=len(shown), restricted=len(found.numbers) - len(shown))

    def tally(self, walk: Walk, *, visible: Visibility) -> Tally:
        """What is met, counted by labels."""
        found = self._found(walk)
        if found is None:
            return Tally(labels={}, restricted=0, depth=0)
        is_shown = found.is_shown(visible)
        classes, counts = np.unique(found.classes[is_shown], return_counts=True)
        labels = load_labels(self._session, classes.tolist(), ()).datasets
        return Tally(
            labels={labels[each]: count for each, count in zip(classes.tolist(), counts.tolist(), strict=True)},
            restricted=int((~is_shown).sum()),
            depth=int(found.depths[is_shown].max(initial=0)),
        )

    def path(self, walk: Walk, *, end: DatasetId) -> tuple[Step, ...] | None:
        """A shortest path to *end*, up before down where both are as long; None = there is none."""
        graph, bits = self._graph(walk), bits_of(walk.kinds)
        start, target = graph.number_of(walk.start), graph.number_of(end)
        if start is None or target is None:
            return None
        paths = []
        for way in _ways(walk.direction):
            nodes = path(graph, start, target, way=way, bits=bits, depth=walk.depth)
            if nodes is not None:
                paths.append((way, nodes))
        if not paths:
            return None
        way, nodes = min(paths, key=lambda each: len(each[1]))
        steps = [Step(dataset_id=walk.start, kind=None)]
        for near, far in pairwise(nodes):
            kind = kind_between(graph, near, far, way=way, bits=bits)
            steps.append(Step(dataset_id=DatasetId(graph.id_of(far)), kind=kind))
        return tuple(steps)

    def edges(self, walk: Walk) -> list[Edge]:
        """The edges that are walked over, by their ends; columns are not followed. `both` is one after the other."""
        graph, bits = self._graph(walk), bits_of(walk.kinds)
        start = graph.number_of(walk.start)
        if start is None:
            return []
        found: dict[Edge, None] = {}
        for way in _ways(walk.direction):
            depth = walk.depth
            met = levels(graph, start, way=way, bits=bits, depth=depth)
            for node in [start, *met.numbers.tolist()]:
                if depth is None or met.seen[node] <= depth:
                    found |= dict.fromkeys(_edges_from(graph, node, way, bits))
        return [*found]

    def _found(self, walk: Walk) -> _Found | None:
        graph, bits = self._graph(walk), bits_of(walk.kinds)
        start = graph.number_of(walk.start)
        if start is None:
            return None
        if walk.column is None:
            met = {way: levels(graph, start, way=way, bits=bits, depth=walk.depth) for way in _ways(walk.direction)}
            return _Found.of(graph, {way: (each.numbers, each.depths) for way, each in met.items()})
        columns, ends = {}, {}
        for way in _ways(walk.direction):
            of_way = column_levels(graph, start, exact(walk.column), way=way, bits=bits, depth=walk.depth)
            of_way.pop(start)
            numbers = np.array(sorted(of_way), dtype=np.int32)
            depths = np.array([min(of_way[each].values()) for each in numbers.tolist()], dtype=np.int32)
            columns[way], ends[way] = of_way, (numbers, depths)
        names = {way: {node: sorted(each) for node, each in of_way.items()} for way, of_way in columns.items()}
        return _Found.of(graph, ends, columns=names, asked=walk.column)

    @cached_property
    def _current(self) -> Snapshot | None:
        """What others wrote as well; a unit that writes sees what no snapshot has, so it reads for itself."""
        return None if self._session.writes else self._index.snapshot(self._session)

    def _graph(self, walk: Walk) -> Snapshot:
        if walk.as_of is None and self._current is not None:
            return self._current
        edges: dict[Edge, None] = {}
        if is_bindable(walk.start):
            for way in _ways(walk.direction):
                read = closure(self._session, walk.start, direction=way, as_of=walk.as_of, kinds=walk.kinds)
                edges |= dict.fromkeys(read)
        return Snapshot(arrays_of(self._session, edges, start=walk.start), walk.as_of or 0, "")


@dataclass(frozen=True, slots=True)
class _Found:
    """What was met in one or both directions, by depth and number."""

    graph: Snapshot
    numbers: Ints
    depths: Ints
    classes: Ints
    ways: dict[Way, Ints]
    columns: dict[Way, dict[int, list[int]]] | None
    asked: str

    @classmethod
    def of(
        cls,
        graph: Snapshot,
        ends: dict[Way, tuple[Ints, Ints]],
        *,
        columns: dict[Way, dict[int, list[int]]] | None = None,
        asked: str = "",
    ) -> _Found:
        numbers, depths = _merged(list(ends.values()))
        ways = {way: np.sort(each) for way, (each, _) in ends.items()}
        return cls(graph, numbers, depths, graph.classes_of(numbers), ways, columns, asked)

    def is_shown(self, visible: Visibility) -> npt.NDArray[np.bool_]:
        """Say of each whether it may be found."""
        classes = np.fromiter(visible.dataset_classes, dtype=np.int32, count=len(visible.dataset_classes))
        may_find = np.zeros(max(int(self.classes.max(initial=0)), int(classes.max(initial=0))) + 1, dtype=np.bool_)
        may_find[classes] = True
        return may_find[self.classes]

    def reached(self, at: int) -> Reached:
        """Return one."""
        number = int(self.numbers[at])
        met = set() if self.columns is None else {c for way in self.columns.values() for c in way.get(number, ())}
        named = met - {0}
        return Reached(
            dataset_id=DatasetId(self.graph.id_of(number)),
            depth=int(self.depths[at]),
            is_upstream=self._is_met("up", number),
            is_downstream=self._is_met("down", number),
            columns=tuple(sorted(self.asked if c == UNNAMED else parse_exact(self.graph.name(c)) for c in named)),
            is_whole=self.columns is None or 0 in met,
        )

    def _is_met(self, way: Way, number: int) -> bool:
        met = self.ways.get(way)
        if met is None:
            return False
        at = int(np.searchsorted(met, number))
        return at < len(met) and int(met[at]) == number


def _merged(ends: list[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
    """Return what was met in either direction once, by its least depth."""
    numbers, depths = (np.concatenate([each[at] for each in ends]) for at in (0, 1))
    order = np.lexsort((numbers, depths))
    numbers, depths = numbers[order], depths[order]
    if len(ends) == 1:
        return numbers, depths
    firsts = np.sort(np.unique(numbers, return_index=True)[1])
    return numbers[firsts], depths[firsts]


def _edges_from(graph: Snapshot, node: int, way: Way, bits: int) -> list[Edge]:
    far, near_column, far_column, code = graph.columns(node, way)
    mine = np.flatnonzero((BITS[code] & bits) > 0)
    rows = zip(*(each[mine].tolist() for each in (far, near_column, far_column, code)), strict=True)
    return [_edge(graph, node, Met(*row), way=way) for row in sorted(rows)]


def _edge(graph: Snapshot, near: int, met: Met, *, way: Way) -> Edge:
    ends = ((near, met.near_column), (met.far, met.far_column))
    # A walk up comes from the downstream end, unless the edge is met the other way round.
    downstream, upstream = ends if (way == "up") != (met.code == TURNED) else ends[::-1]
    return Edge(
        upstream=DatasetId(graph.id_of(upstream[0])),
        downstream=DatasetId(graph.id_of(downstream[0])),
        kind=EdgeKind(KINDS[met.code]),
        upstream_column=_name(graph, upstream[1]),
        downstream_column=_name(graph, downstream[1]),
    )


def _name(graph: Snapshot, column: int) -> str | None:
    return parse_exact(graph.name(column)) if column else None


def _ways(direction: Direction) -> Collection[Literal["up", "down"]]:
    return ("up", "down") if direction == "both" else (direction,)
