"""Changes of a schema from one version to the next, and how grave they are for who reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hms_registry.domain.datasets import Version
from hms_registry.domain.labels import ColumnLabels


class Grade(StrEnum):
    """Whether what was written against the version before still holds."""

    COMPATIBLE = "compatible"
    BREAKING = "breaking"

    @classmethod
    def of(cls, changes: Iterable[Change]) -> Grade:
        """Return the gravest of them."""
        return cls.BREAKING if any(change.grade is cls.BREAKING for change in changes) else cls.COMPATIBLE


class ChangeKind(StrEnum):
    """What became of which part; docs/history.md says how grave each is."""

    COLUMN_ADDED = "column-added"
    COLUMN_REMOVED = "column-removed"
    TYPE_CHANGED = "type-changed"
    NATIVE_TYPE_CHANGED = "native-type-changed"
    NULLS_ALLOWED = "nulls-allowed"
    NULLS_EXCLUDED = "nulls-excluded"
    PARTITION_KEY_CHANGED = "partition-key-changed"
    ORDER_CHANGED = "order-changed"
    PRIMARY_KEY_CHANGED = "primary-key-changed"
    FOREIGN_KEY_ADDED = "foreign-key-added"
    FOREIGN_KEY_REMOVED = "foreign-key-removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that differs.

    Attributes:
        subject: the column's path, or the columns of the key, as printed.
        before, after: what it was and is, as text; empty where there is nothing.
    """

    kind: ChangeKind
    subject: str
    grade: Grade
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        words = str(self.kind).replace("-", " ")
        if self.before and self.after:
            return f"{words}: {self.subject}: {self.before} -> {self.after}"
        told = self.before or self.after
        return f"{words}: {self.subject}" + (f" ({told})" if told else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All that is kept of how one dataset came to be as it is.

    Attributes:
        versions: oldest first.
        departed: labels that column names had when they were last there, of those that left since; what left
            before labels were kept is not in it.
    """

    versions: tuple[Version, ...]
    departed: Mapping[str, ColumnLabels] = field(default_factory=dict)
