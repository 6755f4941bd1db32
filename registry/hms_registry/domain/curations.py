"""Curations: what people state of a dataset at a door of the registry. It stands over manifests and crawls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hms_registry.domain.datasets import DatasetId


@dataclass(frozen=True, slots=True, kw_only=True)
class Deprecation:
    """That a dataset is not to be used any more, and what is to be used in its place.

    Attributes:
        successor: another dataset; None = there is none.
    """

    reason: str
    successor: DatasetId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CuratedColumn:
    """What is stated of one column; None or empty = nothing.

    Attributes:
        path: as printed.
        tags: beside those that it has of its manifest.
    """

    path: str
    description: str | None = None
    tags: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        """True if it states nothing."""
        return self.description is None and not self.tags


@dataclass(frozen=True, slots=True, kw_only=True)
class Curation:
    """What is stated of one dataset; None or empty = nothing stated, and what its manifest or the crawl says stands.

    Attributes:
        revision: counts the edits, so that one who edits can say what they have seen; 0 = never edited.
        tags: beside those of its source and its manifest.
        columns: those of which something is stated, by path.
        by, at: who edited it last, and when.
    """

    revision: int = 0
    description: str | None = None
    owner: str | None = None
    tags: frozenset[str] = frozenset()
    columns: tuple[CuratedColumn, ...] = ()
    deprecation: Deprecation | None = None
    by: str = ""
    at: datetime | None = None

    def column(self, path: str) -> CuratedColumn:
        """Return what is stated of one column."""
        return next((each for each in self.columns if each.path == path), CuratedColumn(path=path))
