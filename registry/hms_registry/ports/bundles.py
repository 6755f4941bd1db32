"""Published policies, and the classes of labels that they decide about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from hms_registry.domain.labels import ColumnLabels, DatasetLabels


@dataclass(frozen=True, slots=True, kw_only=True)
class Classes:
    """The interned labels: id -> labels (a column class is (labels of its dataset, labels of the column))."""

    datasets: Mapping[int, DatasetLabels]
    columns: Mapping[int, tuple[DatasetLabels, ColumnLabels]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A published policy: the files governance reviewed, as one immutable thing.

    Attributes:
        files: relative POSIX path -> text; `*.polar`, `roles.yml`, `tests/*.yml`.
        digest: SHA-256 over the sorted paths and texts, hex.
        mentions: every string that the files mention.
    """

    files: Mapping[str, str]
    digest: str
    author: str
    mentions: frozenset[str]
    epoch: int = 0
    published_at: datetime | None = None


class Bundles(Protocol):
    """The published policies."""

    def current(self) -> Bundle | None:
        """The one in force."""
        ...

    def in_force(self, *, since: datetime, until: datetime) -> list[Bundle]:
        """Those that were in force at some moment of a span of time, oldest first."""
        ...

    def publish(self, bundle: Bundle) -> None:
        """Put it in force with the commit of this unit, and relabel what it mentions. The same digest again
        writes nothing."""
        ...

    def epoch(self) -> int:
        """The epoch of the bundle in force; 0 if none: one cheap statement."""
        ...

    def classes(self) -> Classes:
        """All interned labels in use."""
        ...
