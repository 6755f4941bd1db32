"""Compact arrays of edges: for each direction the rows of a dataset lie together, and so do its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from hms_registry.domain.edges import EdgeKind

Way = Literal["up", "down"]
Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Texts = npt.NDArray[np.bytes_]

CODES: Final = {EdgeKind.DERIVES: 0, EdgeKind.REFERENCES: 1, EdgeKind.SAME_DATA: 2, EdgeKind.DERIVED: 4}
KINDS: Final = (EdgeKind.DERIVES, EdgeKind.REFERENCES, EdgeKind.SAME_DATA, EdgeKind.SAME_DATA, EdgeKind.DERIVED)
TURNED: Final = 3
"""The code of a `same_data` edge that is met from its other end: it goes both ways."""
BITS: Final = np.array([1, 2, 4, 4, 8], dtype=np.uint8)


class Row(NamedTuple):
    """An edge as numbers: of datasets, of column names (0 = none), and a code."""

    upstream: int
    downstream: int
    upstream_column: int
    downstream_column: int
    code: int


class Columns(NamedTuple):
    """Many rows, a column each."""

    upstream: Ints
    downstream: Ints
    upstream_column: Ints
    downstream_column: Ints
    code: Bytes


@dataclass(frozen=True, slots=True)
class Side:
    """Edges as they are met in one direction, by the dataset they are met from.

    Attributes:
        starts: the rows of dataset *n* are those from `starts[n]` to `starts[n + 1]`.
        hop_starts, hops, hop_bits: each neighbour once, with the kinds of all edges to it.
    """

    starts: Longs
    far: Ints
    near_column: Ints
    far_column: Ints
    code: Bytes
    hop_starts: Longs
    hops: Ints
    hop_bits: Bytes

    @classmethod
    def of(cls, rows: Columns, *, way: Way, size: int) -> Self:
        """Sort rows by the end that they are met from."""
        near, far, near_column, far_column = (
            (rows.downstream, rows.upstream, rows.downstream_column, rows.upstream_column)
            if way == "up"
            else (rows.upstream, rows.downstream, rows.upstream_column, rows.downstream_column)
        )
        twins = rows.code == CODES[EdgeKind.SAME_DATA]
        code = rows.code
        if twins.any():
            near, far = np.concatenate([near, far[twins]]), np.concatenate([far, near[twins]])
            near_column, far_column = (
                np.concatenate([near_column, far_column[twins]]),
                np.concatenate([far_column, near_column[twins]]),
            )
            code = np.concatenate([code, np.full(int(twins.sum()), TURNED, dtype=np.uint8)])
        pairs = (near.astype(np.int64) << 32) | far
        order = np.argsort(pairs, kind="stable")
        pairs, code = pairs[order], code[order]
        firsts = np.flatnonzero(np.diff(pairs, prepend=-1))
        bits = np.bitwise_or.reduceat(BITS[code], firsts) if len(firsts) else np.zeros(0, dtype=np.uint8)
        return cls(
            starts=_starts(near, size),
            far=far[order],
            near_column=near_column[order],
            far_column=far_column[order],
            code=code,
            hop_starts=_starts((pairs[firsts] >> 32).astype(np.int32), size),
            hops=(pairs[firsts] & 0xFFFFFFFF).astype(np.int32),
            hop_bits=bits,
        )


def _starts(near: Ints, size: int) -> Longs:
    starts = np.zeros(size + 1, dtype=np.int64)
    np.cumsum(np.bincount(near, minlength=size), out=starts[1:])
    return starts


@dataclass(frozen=True, slots=True)
class Arrays:
    """All current edges of a catalogue at one epoch. Datasets go by the catalogue's own numbers.

    Attributes:
        ids, by_id: the id of each dataset, and their order.
        classes: the class of each dataset; 0 = there is none of that number.
        name_starts, names: UTF-8 of the column names, sorted; name *n* + 1 is from `name_starts[n]` on.
    """

    up: Side
    down: Side
    ids: Texts
    by_id: Ints
    classes: Ints
    name_starts: Longs
    names: Bytes

    @classmethod
    def of(cls, rows: Columns, *, numbers: Ints, ids: Sequence[bytes], classes: Ints, names: Sequence[str]) -> Self:
        """Build them.

        Args:
            numbers: of the datasets whose *ids* and *classes* these are.
            names: of columns; rows refer to the first of them as 1.
        """
        size = int(numbers.max()) + 1 if len(numbers) else 1
        by_number = np.zeros(size, dtype=f"S{max(map(len, ids), default=1)}")
        by_number[numbers] = np.array(ids, dtype=by_number.dtype)
        of_number = np.zeros(size, dtype=np.int32)
        of_number[numbers] = classes
        rows, encoded = _sorted_names(rows, [name.encode() for name in names])
        return cls(
            up=Side.of(rows, way="up", size=size),
            down=Side.of(rows, way="down", size=size),
            ids=by_number,
            by_id=np.argsort(by_number, kind="stable").astype(np.int32),
            classes=of_number,
            name_starts=np.cumsum([0, *map(len, encoded)], dtype=np.int64),
            names=np.frombuffer(b"".join(encoded), dtype=np.uint8),
        )

    @property
    def size(self) -> int:
        """The highest number of a dataset, and one."""
        return len(self.classes)

    def side(self, way: Way) -> Side:
        """Return the edges as they are met in that direction."""
        return self.up if way == "up" else self.down

    def number_of(self, dataset_id: str) -> int | None:
        """Find a dataset by its id."""
        wanted = dataset_id.encode(errors="replace")
        at = int(np.searchsorted(self.ids, wanted, sorter=self.by_id)) if wanted else self.size
        number = int(self.by_id[at]) if at < self.size else -1
        return number if number >= 0 and self.ids[number] == wanted else None

    def name(self, number: int) -> str:
        """Return the name of a column."""
        return self.names[self.name_starts[number - 1] : self.name_starts[number]].tobytes().decode()

    def name_of(self, text: str) -> int | None:
        """Find the number of a column's name."""
        low, high = 1, len(self.name_starts)
        while low < high:
            middle = (low + high) // 2
            if self.name(middle).encode() < text.encode():
                low = middle + 1
            else:
                high = middle
        return low if low < len(self.name_starts) and self.name(low) == text else None

    def flat(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return every array by its name, in order."""
        found: dict[str, npt.NDArray[np.generic]] = {}
        for way in ("up", "down"):
            side = self.up if way == "up" else self.down
            found |= {f"{way}.{each.name}": getattr(side, each.name) for each in fields(Side)}
        return found | {each.name: getattr(self, each.name) for each in fields(self) if each.name not in ("up", "down")}

    @classmethod
    def of_flat(cls, arrays: dict[str, npt.NDArray[np.generic]]) -> Self:
        """Read back `flat`.

        Raises:
            KeyError: one is missing.
        """
        sides = {
            way: Side(**{each.name: arrays[f"{way}.{each.name}"] for each in fields(Side)})  # type: ignore[arg-type]
            for way in ("up", "down")
        }
        rest = {each.name: arrays[each.name] for each in fields(cls) if each.name not in sides}
        return cls(**sides, **rest)  # type: ignore[arg-type] # `flat` wrote each with the type of its field


def _sorted_names(rows: Columns, names: list[bytes]) -> tuple[Columns, list[bytes]]:
    """Give the names their places in order, so that one is found without a table of all."""
    order = sorted(range(len(names)), key=names.__getitem__)
    place = np.zeros(len(names) + 1, dtype=np.int32)
    place[np.array(order, dtype=np.int64) + 1] = np.arange(1, len(names) + 1, dtype=np.int32)
    moved = rows._replace(upstream_column=place[rows.upstream_column], downstream_column=place[rows.downstream_column])
    return moved, [names[at] for at in order]
