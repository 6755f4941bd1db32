"""The edges at one epoch: arrays of an earlier one, and what was written since, which is little."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from hms_registry.domain.edges import EdgeKind
from hms_registry.store.graph.arrays import BITS, CODES, TURNED, Arrays, Columns, Ints, Row, Way


class Met(NamedTuple):
    """A row as it is met from one of its ends."""

    far: int
    near_column: int
    far_column: int
    code: int


_Deltas = Mapping[int, Mapping[Met, int]]
_NONE: Final[Mapping[Met, int]] = MappingProxyType({})
_TWIN: Final = CODES[EdgeKind.SAME_DATA]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of rows and datasets since the arrays. Never changed: the next epoch's shares what is the same.

    Attributes:
        up, down: by dataset, how many rows there are more or less of each.
        numbers, ids, classes: of datasets that are new or were written.
        names: numbers of column names that the arrays lack.
    """

    up: _Deltas = field(default_factory=dict)
    down: _Deltas = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)
    ids: Mapping[int, str] = field(default_factory=dict)
    classes: Mapping[int, int] = field(default_factory=dict)
    names: Mapping[str, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """About how much there is of it."""
        return sum(map(len, self.down.values())) + len(self.classes)

    def side(self, way: Way) -> _Deltas:
        """Return the deltas as they are met in that direction."""
        return self.up if way == "up" else self.down


@dataclass(frozen=True)
class Snapshot:
    """The edges as a transaction of that epoch sees them.

    Attributes:
        mark: of the epoch, see `Kept`.
    """

    arrays: Arrays
    epoch: int
    mark: str
    written: Written = field(default_factory=Written)

    @cached_property
    def size(self) -> int:
        """The highest number of a dataset, and one."""
        return max(self.arrays.size, max(self.written.classes, default=0) + 1)

    @cached_property
    def names(self) -> dict[int, str]:
        """Column names that the arrays lack, by number."""
        return {number: name for name, number in self.written.names.items()}

    def name(self, number: int) -> str:
        """Return the name of a column."""
        return self.names[number] if number in self.names else self.arrays.name(number)

    def name_of(self, text: str) -> int | None:
        """Find the number of a column's name; None = no edge names it."""
        return self.written.names.get(text) or self.arrays.name_of(text)

    def number_of(self, dataset_id: str) -> int | None:
        """Find a dataset by its id."""
        found = self.written.numbers.get(dataset_id)
        return self.arrays.number_of(dataset_id) if found is None else found

    def id_of(self, number: int) -> str:
        """Return the id of a dataset."""
        written = self.written.ids.get(number)
        return self.arrays.ids[number].decode() if written is None else written

    def classes_of(self, numbers: Ints) -> Ints:
        """Return the class of each."""
        classes = self.written.classes
        if not classes:
            return self.arrays.classes[numbers]
        found = self.arrays.classes[np.minimum(numbers, self.arrays.size - 1)]
        for at in np.flatnonzero(np.isin(numbers, self._written_numbers)).tolist():
            found[at] = classes[int(numbers[at])]
        return found

    @cached_property
    def _written_numbers(self) -> Ints:
        return np.array(sorted(self.written.classes), dtype=np.int32)

    @cached_property
    def _touched(self) -> dict[Way, Ints]:
        ways: tuple[Way, Way] = ("up", "down")
        return {way: np.array(sorted(self.written.side(way)), dtype=np.int32) for way in ways}

    def touched(self, way: Way) -> Ints:
        """Return which datasets have other rows than the arrays say, sorted."""
        return self._touched[way]

    def columns(self, node: int, way: Way) -> tuple[Ints, Ints, Ints, npt.NDArray[np.uint8]]:
        """Return the rows of one dataset: far ends, near and far columns, codes."""
        side = self.arrays.side(way)
        first, last = (side.starts[node], side.starts[node + 1]) if node < self.arrays.size else (0, 0)
        rows = (side.far[first:last], side.near_column[first:last], side.far_column[first:last], side.code[first:last])
        deltas = self.written.side(way).get(node, _NONE)
        if not deltas:
            return rows
        stays = np.ones(len(rows[0]), dtype=np.bool_)
        for met, delta in deltas.items():
            if delta < 0:
                same = np.flatnonzero(np.logical_and.reduce([row == is_ for row, is_ in zip(rows, met, strict=True)]))
                stays[same[:-delta]] = False
        more = [met for met, delta in deltas.items() for _ in range(delta)]
        far, near, other, code = ([met[at] for met in more] for at in range(4))
        return (
            np.concatenate([rows[0][stays], np.array(far, dtype=np.int32)]),
            np.concatenate([rows[1][stays], np.array(near, dtype=np.int32)]),
            np.concatenate([rows[2][stays], np.array(other, dtype=np.int32)]),
            np.concatenate([rows[3][stays], np.array(code, dtype=np.uint8)]),
        )

    def hops(self, node: int, way: Way, *, bits: int) -> Ints:
        """Return the neighbours of one dataset over edges of these kinds; one may be there twice."""
        if node >= self.arrays.size or node in self.written.side(way):
            far, _, _, code = self.columns(node, way)
            return far[(BITS[code] & bits) > 0]
        side = self.arrays.side(way)
        first, last = side.hop_starts[node], side.hop_starts[node + 1]
        return side.hops[first:last][(side.hop_bits[first:last] & bits) > 0]

    def later(
        self,
        *,
        epoch: int,
        mark: str,
        added: Iterable[tuple[int, int, str, str | None, str | None]],
        ended: Iterable[tuple[int, int, str, str | None, str | None]],
        datasets: Iterable[tuple[int, str, int]],
    ) -> Snapshot:
        """Return the snapshot of a later epoch: rows as numbers of both ends, kind and column names; datasets as
        number, id and class."""
        was = self.written
        up, down = dict(was.up), dict(was.down)
        numbers, ids, classes, names = dict(was.numbers), dict(was.ids), dict(was.classes), dict(was.names)
        for number, dataset_id, class_id in datasets:
            numbers[dataset_id], ids[number], classes[number] = number, dataset_id, class_id
        fresh: set[tuple[Way, int]] = set()
        for rows, delta in ((added, 1), (ended, -1)):
            for row in rows:
                known = self._row(row, names)
                for way, near, met in _ends(known):
                    deltas = up if way == "up" else down
                    if (way, near) not in fresh:
                        fresh.add((way, near))
                        deltas[near] = dict(deltas.get(near, _NONE))
                    of_near = deltas[near]
                    assert isinstance(of_near, dict)
                    of_near[met] = of_near.get(met, 0) + delta
        written = Written(up=up, down=down, numbers=numbers, ids=ids, classes=classes, names=names)
        return Snapshot(arrays=self.arrays, epoch=epoch, mark=mark, written=written)

    def _row(self, row: tuple[int, int, str, str | None, str | None], names: dict[str, int]) -> Row:
        upstream, downstream, kind, *texts = row
        columns = []
        for text in texts:
            number = 0 if text is None else self.arrays.name_of(text) or names.get(text)
            if number is None:
                number = names[str(text)] = len(self.arrays.name_starts) + len(names)
            columns.append(number)
        return Row(upstream, downstream, columns[0], columns[1], CODES[EdgeKind(kind)])

    def rows(self) -> Columns:
        """Return every row once."""
        side, deltas = self.arrays.down, self.written.down
        near = np.repeat(np.arange(self.arrays.size, dtype=np.int32), np.diff(side.starts))
        mine = (side.code != TURNED) & ~np.isin(near, self.touched("down"))
        parts = [(near[mine], side.far[mine], side.near_column[mine], side.far_column[mine], side.code[mine])]
        for node in deltas:
            far, near_column, far_column, code = self.columns(node, "down")
            own = code != TURNED
            upstream = np.full(int(own.sum()), node, dtype=np.int32)
            parts.append((upstream, far[own], near_column[own], far_column[own], code[own]))
        upstream, downstream, upstream_column, downstream_column, code = map(np.concatenate, zip(*parts, strict=True))
        return Columns(upstream, downstream, upstream_column, downstream_column, code)

    def compacted(self) -> Snapshot:
        """Return the same, all of it in arrays."""
        numbers = np.union1d(np.flatnonzero(self.arrays.classes), self._written_numbers).astype(np.int32)
        count = len(self.arrays.name_starts) - 1
        names = [self.arrays.name(number) for number in range(1, count + 1)] + list(self.written.names)
        arrays = Arrays.of(
            self.rows(),
            numbers=numbers,
            ids=[self.id_of(number).encode() for number in numbers.tolist()],
            classes=self.classes_of(numbers),
            names=names,
        )
        return Snapshot(arrays=arrays, epoch=self.epoch, mark=self.mark)


def _ends(row: Row) -> list[tuple[Way, int, Met]]:
    """Return how a row is met: from each end, and over `same_data` in both directions."""
    up = Met(row.upstream, row.downstream_column, row.upstream_column, row.code)
    down = Met(row.downstream, row.upstream_column, row.downstream_column, row.code)
    ends: list[tuple[Way, int, Met]] = [("up", row.downstream, up), ("down", row.upstream, down)]
    if row.code == _TWIN:
        ends.append(("up", row.upstream, down._replace(code=TURNED)))
        ends.append(("down", row.downstream, up._replace(code=TURNED)))
    return ends
