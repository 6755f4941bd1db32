"""Walks over a snapshot: level by level, without recursion or a cap, each dataset once, so cycles end.

A short level is walked one dataset after another, a wide one as arrays: a chain of 100,000 has as many levels, a star
of a million has two.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np

from hms_registry.domain.edges import EdgeKind
from hms_registry.store.graph.arrays import BITS, CODES, KINDS, TURNED, Ints, Way
from hms_registry.store.graph.snapshot import Snapshot

_SHORT: Final = 400
"""Edges of a level up to which arrays are more work than the level itself."""


@dataclass(frozen=True, slots=True)
class Levels:
    """What was met, by level and number; the start is not part of it.

    Attributes:
        seen: of each dataset its level and one; 0 = it was not met.
    """

    numbers: Ints
    depths: Ints
    seen: Ints


def bits_of(kinds: Collection[EdgeKind]) -> int:
    """Return the kinds as one number."""
    return sum({int(BITS[CODES[kind]]) for kind in kinds})


def levels(graph: Snapshot, start: int, *, way: Way, bits: int, depth: int | None, until: int = -1) -> Levels:
    """Walk from a dataset.

    Args:
        until: end with the level that meets this one.
    """
    seen = np.zeros(graph.size, dtype=np.int32)
    seen[start] = 1
    walk = _Walk(graph, way, bits, seen)
    level: list[int] | Ints = [start]
    met: list[Ints] = []
    few: list[int] = []  # short levels, gathered: an array for each would be most of the work of a chain
    counts: list[int] = []
    left = 1
    while left and (depth is None or len(counts) < depth) and not (until >= 0 and seen[until]):
        mark = len(counts) + 2
        short = walk.short(level) if len(level) <= _SHORT else None
        level = walk.wide(level, mark) if short is None else walk.step(short, mark)
        left = len(level)
        counts.append(left)
        if isinstance(level, list):
            few += level
        else:
            met += [np.array(few, dtype=np.int32), level]
            few = []
    numbers = np.concatenate([*met, np.array(few, dtype=np.int32)])
    depths = np.repeat(np.arange(1, len(counts) + 1, dtype=np.int32), np.array(counts, dtype=np.int64))
    return Levels(numbers, depths, seen)


class _Walk:
    """One walk in one direction."""

    def __init__(self, graph: Snapshot, way: Way, bits: int, seen: Ints) -> None:
        side = graph.arrays.side(way)
        self._graph, self._way, self._bits, self._side = graph, way, bits, side
        self._seen = seen
        # Their memory gives plain integers at half of what an array takes for one.
        self._marks, self._starts = seen.data, side.hop_starts.data
        self._hops, self._kinds = side.hops.data, side.hop_bits.data
        self._touched = graph.written.side(way)

    def short(self, level: list[int] | Ints) -> list[list[int]] | None:
        """Return the neighbours of each; None if they are many."""
        found, left, size = [], _SHORT, self._graph.arrays.size
        for node in level if isinstance(level, list) else level.tolist():
            if node >= size or node in self._touched:
                hops = self._graph.hops(node, self._way, bits=self._bits)
                left -= len(hops)
                if left < 0:
                    return None
                found.append(hops.tolist())
                continue
            first, last = self._starts[node], self._starts[node + 1]
            left -= last - first
            if left < 0:
                return None
            bits = self._bits
            found.append(
                [far for far, kind in zip(self._hops[first:last], self._kinds[first:last], strict=True) if kind & bits]
            )
        return found

    def step(self, found: list[list[int]], mark: int) -> list[int]:
        """Return those that were not met before, by number."""
        marks, fresh = self._marks, []
        for far in found:
            for node in far:
                if not marks[node]:
                    marks[node] = mark
                    fresh.append(node)
        fresh.sort()
        return fresh

    def wide(self, level: list[int] | Ints, mark: int) -> Ints:
        """Do both with arrays."""
        nodes = np.asarray(level, dtype=np.int32)
        touched = self._graph.touched(self._way)
        others = nodes >= self._graph.arrays.size
        if len(touched):
            others |= np.isin(nodes, touched)
        far = [self._graph.hops(node, self._way, bits=self._bits) for node in nodes[others].tolist()]
        far.append(self._gathered(nodes[~others] if others.any() else nodes))
        fresh = np.concatenate(far)
        fresh = np.unique(fresh[self._seen[fresh] == 0])
        self._seen[fresh] = mark
        return fresh

    def _gathered(self, nodes: Ints) -> Ints:
        """Return the neighbours of all of them: their stretches of one array, end to end."""
        side = self._side
        firsts = side.hop_starts[nodes]
        counts = side.hop_starts[nodes + 1] - firsts
        skipped = np.cumsum(counts) - counts
        at = np.repeat(firsts - skipped, counts) + np.arange(int(counts.sum()), dtype=np.int64)
        return side.hops[at][(side.hop_bits[at] & self._bits) > 0]


def path(graph: Snapshot, start: int, end: int, *, way: Way, bits: int, depth: int | None) -> list[int] | None:
    """Return a shortest path, ends included, of several the one with the smallest numbers from the end on."""
    found = levels(graph, start, way=way, bits=bits, depth=depth, until=end)
    if not found.seen[end]:
        return None
    back: Way = "down" if way == "up" else "up"
    nodes = [end]
    while nodes[-1] != start:
        before = graph.hops(nodes[-1], back, bits=bits)
        nodes.append(int(before[found.seen[before] == found.seen[nodes[-1]] - 1].min()))
    return nodes[::-1]


def kind_between(graph: Snapshot, near: int, far: int, *, way: Way, bits: int) -> EdgeKind:
    """Return the kind of an edge that is there, the first of several."""
    ends, _, _, codes = graph.columns(near, way)
    mine = codes[(ends == far) & ((BITS[codes] & bits) > 0)]
    return KINDS[int(mine.min())]


UNNAMED: Final = -1
"""The column that was asked for, where no edge names it: edges of the whole dataset meet it all the same."""

Columns = dict[int, dict[int, int]]
"""By dataset, the columns that were met (0 = the whole) with their depth."""


def column_levels(graph: Snapshot, start: int, column: str, *, way: Way, bits: int, depth: int | None) -> Columns:
    """Walk from a column of a dataset. An edge without a column is of the whole dataset, so it meets every column; over
    `same_data` a column goes on as the one of its name.
    """
    first = graph.name_of(column) or UNNAMED
    met: Columns = {start: {first: 0}}
    level = [(start, first)]
    steps = _Steps(graph, way, bits)
    at = 0
    while level and (depth is None or at < depth):
        at += 1
        following: list[tuple[int, int]] = []
        for node, near in level:
            for far, far_column, code in steps.rows(node, near):
                is_same = code in (CODES[EdgeKind.SAME_DATA], TURNED)
                onward = steps.alike(far, near, column) if is_same and near and not far_column else [far_column]
                for name in onward:
                    known = met.setdefault(far, {})
                    if name not in known:
                        known[name] = at
                        following.append((far, name))
        level = following
    return met


class _Steps:
    """The rows of the datasets that a walk comes by, by the columns that they are met from."""

    def __init__(self, graph: Snapshot, way: Way, bits: int) -> None:
        self._graph, self._way, self._bits = graph, way, bits
        self._known: dict[int, dict[int, list[tuple[int, int, int]]]] = {}

    def rows(self, node: int, column: int) -> list[tuple[int, int, int]]:
        """Return far ends, their columns, and codes: of the whole all rows, of a column its own and the whole's."""
        by_column = self._by_column(node)
        if column == 0:
            return [row for rows in by_column.values() for row in rows]
        return by_column.get(column, []) + by_column.get(0, [])

    def alike(self, node: int, column: int, asked: str) -> list[int]:
        """Return what a column is called in another dataset of the same data: by its name in any case."""
        name = asked if column == UNNAMED else self._graph.name(column)
        named = [each for each in self._by_column(node) if each > 0 and each != column]
        return [column, *(each for each in named if self._graph.name(each).lower() == name.lower())]

    def _by_column(self, node: int) -> dict[int, list[tuple[int, int, int]]]:
        if node not in self._known:
            far, near_column, far_column, code = self._graph.columns(node, self._way)
            mine = (BITS[code] & self._bits) > 0
            found: dict[int, list[tuple[int, int, int]]] = {}
            for near, *row in zip(*(each[mine].tolist() for each in (near_column, far, far_column, code)), strict=True):
                found.setdefault(near, []).append((row[0], row[1], row[2]))
            self._known[node] = found
        return self._known[node]
