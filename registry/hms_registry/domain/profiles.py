"""Profiles: what a store tells of the values of a dataset. Its values are data, whoever looks at them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hms_registry.domain.columns import ColumnPath
from hms_registry.domain.datasets import DatasetId, Stamp
from hms_registry.domain.names import Address

MAX_COLUMNS = 2000
MAX_TOP = 10
MAX_TEXT = 100
MAX_NOTE = 200
"""What is kept of a profile: columns, frequent values of one, and characters of a value and of the note."""


class Method(StrEnum):
    """How far the figures of a profile may be relied on.

    EXACT: of all rows. ESTIMATE: of the store's own statistics, which may be older than its rows. SAMPLE: of some
    rows alone.
    """

    EXACT = "exact"
    ESTIMATE = "estimate"
    SAMPLE = "sample"


@dataclass(frozen=True, slots=True, kw_only=True)
class TopValue:
    """A value that many rows have. *share* is the part of the rows looked at that have it, from 0 to 1."""

    value: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """What is known of the values of one column; what the store does not tell is None, or empty.

    Attributes:
        nulls: rows without a value.
        distinct: different values, without NULL.
        minimum, maximum: as text, in the order of the column's type.
        top: the most frequent values, most frequent first.
    """

    path: ColumnPath
    nulls: int | None = None
    distinct: int | None = None
    minimum: str | None = None
    maximum: str | None = None
    top: tuple[TopValue, ...] = ()

    @property
    def holds_values(self) -> bool:
        """True if something of it is a value of the data."""
        return self.minimum is not None or self.maximum is not None or bool(self.top)

    def without_values(self) -> ColumnProfile:
        """Return its counts alone."""
        return ColumnProfile(path=self.path, nulls=self.nulls, distinct=self.distinct)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a store tells of one dataset.

    Attributes:
        rows: how many the figures are of: all of them, or those of the sample; None = not known.
        columns: those that something is known of.
        note: a sentence for a person, which names no column and holds no value, e.g. why there is nothing.
        measured_at: when the store counted, UTC; None = when it was asked.
    """

    address: Address
    method: Method
    rows: int | None = None
    columns: tuple[ColumnProfile, ...] = ()
    note: str = ""
    measured_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptProfile:
    """A profile as the catalogue keeps it, with what it is of: of anything else it tells nothing.

    Attributes:
        stamp: of the dataset, as it was when it was profiled.
        content_stamp: likewise, see `DatasetRef`.
        version: the schema version that its columns are of.
        at: when the crawl asked for it, UTC.
    """

    dataset_id: DatasetId
    profile: Profile
    stamp: Stamp | None
    content_stamp: Stamp | None
    version: int
    at: datetime
