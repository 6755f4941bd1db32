"""Decisions: what one principal may do with one dataset, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum


class Mask(IntEnum):
    """How a column is shown. Ordered: of two that apply, the greater (stricter) wins."""

    NONE = 0
    PARTIAL = 1
    YEAR_OF_DATE = 2
    LINK = 3
    REDACT = 4
    NULL = 5
    DENY = 6

    def __str__(self) -> str:
        return self.name.lower().replace("_", "-")


class Edit(StrEnum):
    """What somebody may do to what the catalogue says of a dataset; policies call each by these words."""

    DESCRIBE = "describe"
    TAG = "tag"
    OWN = "own"
    DEPRECATE = "deprecate"
    DECLASSIFY = "declassify"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Where in the policy files a decision comes from."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one principal may do with one dataset. The empty decision denies everything.

    Attributes:
        may_find: its metadata may be shown; if not, it answers as absent everywhere.
        may_read: its rows may be read, under *row_filters* and *masks*.
        row_filters: Trino boolean expressions over the raw columns; a row is shown where all are true.
        masks: by byte-exact column name, for each column of the dataset that has one; DENY = the column
            answers as absent everywhere.
        reason: one sentence for the person who was denied, or empty.
    """

    may_find: bool = False
    may_read: bool = False
    row_filters: tuple[str, ...] = ()
    masks: Mapping[str, Mask] = field(default_factory=dict)
    reason: str = ""

    def mask(self, column: str) -> Mask:
        """Return the mask of a column, by byte-exact name."""
        return self.masks.get(column, Mask.NONE)

    @property
    def told_filters(self) -> tuple[str, ...]:
        """The row filters as the person may be told them."""
        return tellable(self.row_filters, denied=[name for name, mask in self.masks.items() if mask is Mask.DENY])


WITHHELD = "a condition holds that names what you may not see"


def tellable(row_filters: Iterable[str], *, denied: Iterable[str]) -> tuple[str, ...]:
    """Return row filters with those withheld that may name a denied column.

    They are not parsed: one that only seems to name it is withheld as well.
    """
    names = [name.replace('"', '""').casefold() for name in denied]
    return tuple(WITHHELD if any(name in text.casefold() for name in names) else text for text in row_filters)


DENIED = Decision(reason="no policy allows it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a decision is what it is: the rules that spoke, in order of weight."""

    decision: Decision
    sentences: tuple[str, ...]
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visibility:
    """What one principal may find, as sets that the store filters by in SQL.

    Attributes:
        dataset_classes: ids of dataset classes that may be found.
        column_classes: ids of column classes that are not denied.
    """

    dataset_classes: frozenset[int] = frozenset()
    column_classes: frozenset[int] = frozenset()
