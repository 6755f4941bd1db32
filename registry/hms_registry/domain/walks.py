"""Walks along edges: what is asked, and what was met on the way, before anybody's rights are looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.edges import EdgeKind
from hms_registry.domain.labels import DatasetLabels

Direction = Literal["up", "down", "both"]

FOLLOWED: Final = frozenset({EdgeKind.DERIVES, EdgeKind.SAME_DATA})
"""What lineage follows unless somebody asks for other kinds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """Where to go. `same_data` edges are passed both ways, whatever the direction.

    Attributes:
        direction: `both` is what is upstream and what is downstream, not what is downstream of what is upstream.
        depth: steps at most; None = to the end.
        column: byte-exact name of a column of *start* to follow; None = the dataset as a whole. An edge that names no
            column is of the whole dataset, so it meets every column.
        as_of: an epoch; None = now.
    """

    start: DatasetId
    direction: Direction = "up"
    depth: int | None = None
    kinds: frozenset[EdgeKind] = FOLLOWED
    column: str | None = None
    as_of: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A dataset that was met.

    Attributes:
        depth: steps from the start, by the shortest way.
        columns: those that were met, where columns were followed.
        is_whole: it was met as a whole: always, where columns were not followed.
    """

    dataset_id: DatasetId
    depth: int
    is_upstream: bool
    is_downstream: bool
    columns: tuple[str, ...] = ()
    is_whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """One page of what was met, nearest first; the start is not part of it.

    Attributes:
        total: how many of what was met may be found.
        restricted: how many may not.
    """

    page: tuple[Reached, ...]
    total: int
    restricted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What was met, counted: no names.

    Attributes:
        labels: how many of what may be found have these labels.
        depth: steps to the furthest of what may be found.
    """

    labels: Mapping[DatasetLabels, int]
    restricted: int
    depth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A dataset on a path, and the kind of the edge that led to it; None at the start."""

    dataset_id: DatasetId
    kind: EdgeKind | None
