"""What comes from what, as the catalogue keeps it, and walks over it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from hms_registry.domain.datasets import (
    DatasetId,
)
from hms_registry.domain.decisions import Visibility
from hms_registry.domain.edges import Edge, EdgeKind, RecordedEdge
from hms_registry.domain.walks import Reach, Step, Tally, Walk


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSet:
    """All edges into one dataset that one origin states.

    Attributes:
        has_unknown: by that origin, it comes from something that could not be resolved as well.
    """

    downstream: DatasetId
    origin: str
    edges: Sequence[Edge]
    has_unknown: bool = False


class Edges(Protocol):
    """Edges with their epochs."""

    def replace(self, downstream: DatasetId, *, origin: str, edges: Sequence[Edge], has_unknown: bool = False) -> int:
        """As `replace_all`, of one set."""
        ...

    def replace_all(self, sets: Sequence[EdgeSet]) -> int:
        """Make each set the current edges of its downstream and origin: ends those not in it, adds the new.
        Labels follow once, at the end. Returns the number of rows written. Raises: DatasetNotFound."""
        ...

    def around(self, dataset_id: DatasetId, *, kind: EdgeKind | None = None) -> list[RecordedEdge]:
        """Current edges in and out of one dataset."""
        ...

    def dependents(
        self, source: str, *, origin: str, moved: Collection[DatasetId], arrived: Collection[DatasetId]
    ) -> set[DatasetId]:
        """Datasets of a source whose edges of one origin may have to be stated anew: they come from one of *moved*,
        from one with the name of one that *arrived*, whatever case it is spelled in, or from something unknown."""
        ...

    def closure(
        self, dataset_id: DatasetId, *, direction: Literal["up", "down"], as_of: int | None = None
    ) -> list[Edge]:
        """All `derives` edges reachable, and the `same_data` edges between what they reach: one thing under two names
        comes from the same. Whole, without a depth cap; cycles end. *as_of*: an epoch."""
        ...


class Walks(Protocol):
    """Walks along edges. What may not be found is walked through, and counted."""

    def epoch_at(self, at: datetime) -> int:
        """The epoch that held at a time; 0 = before the first that is known."""
        ...

    def reach(self, walk: Walk, *, visible: Visibility, first: int, offset: int = 0) -> Reach:
        """What is met, nearest first, a page of it."""
        ...

    def tally(self, walk: Walk, *, visible: Visibility) -> Tally:
        """What is met, counted by labels."""
        ...

    def path(self, walk: Walk, *, end: DatasetId) -> tuple[Step, ...] | None:
        """A shortest path to *end*, the same one each time, whoever asks; None = there is none."""
        ...

    def edges(self, walk: Walk) -> list[Edge]:
        """The edges that are walked over, without their origins; columns are not followed."""
        ...
