"""Edges: what comes from what, what refers to what, and what is one thing under two names."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hms_registry.domain.datasets import DatasetId


class EdgeKind(StrEnum):
    """Lineage walks `derives`, and passes over `same_data` to the other names of a thing. `derived` is what a job read
    in an earlier run and not in its last: labels still follow it, since what it wrote then may still be there."""

    DERIVES = "derives"
    DERIVED = "derived"
    REFERENCES = "references"
    SAME_DATA = "same_data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One edge: *downstream* comes from (refers to, is the same as) *upstream*.

    Attributes:
        upstream_column: byte-exact column name; None = the whole dataset (a filter, a join key, or not known).
        origin: who said so: `view`, `foreign_key`, `place` (they lie at one), or `job` (OpenLineage).
    """

    upstream: DatasetId
    downstream: DatasetId
    kind: EdgeKind
    upstream_column: str | None = None
    downstream_column: str | None = None
    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEdge:
    """An edge with the epochs between which it held; *last_epoch* None = it holds now."""

    edge: Edge
    first_epoch: int
    last_epoch: int | None = None
