"""Datasets: what an adapter describes, and what the catalogue keeps of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NewType

from hms_registry.domain.columns import Column, PrivacyTier, StorageTier
from hms_registry.domain.labels import DatasetLabels
from hms_registry.domain.names import Address, TrinoName
from hms_registry.domain.places import Place

if TYPE_CHECKING:
    from hms_registry.domain.curations import Curation

DatasetId = NewType("DatasetId", str)
"""Immutable and opaque: every key, edge and grant holds it; it survives a rename where the store can tell."""

Stamp = NewType("Stamp", str)
"""Opaque. Equal stamps of one thing mean: nothing changed."""


class DatasetKind(StrEnum):
    """What the store calls it."""

    TABLE = "table"
    VIEW = "view"
    FILE = "file"
    FOLDER = "folder"


class DatasetState(StrEnum):
    """What the last crawls saw of it. Whether its source answers is the source's own state."""

    PRESENT = "present"
    SUSPECT = "suspect"
    GONE = "gone"
    STATED = "stated"
    """A job says that it wrote it, and no crawl has met it: lineage knows it, nobody reads it."""

    @property
    def is_there(self) -> bool:
        """True if a crawl met it and did not miss it for good since."""
        return self not in ABSENT


ABSENT: Final = frozenset({DatasetState.GONE, DatasetState.STATED})
"""What cannot be read, searched or listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRef:
    """What a listing tells of one dataset.

    Attributes:
        address: byte-exact.
        stamp: equal to the last one = nothing changed; None = the listing cannot tell.
        locator: the adapter's own handle, opaque to everyone else: describing and scanning need no new listing.
        content_stamp: of what a profile is made of, where *stamp* does not cover it and a crawl profiles.
    """

    address: Address
    kind: DatasetKind = DatasetKind.TABLE
    stamp: Stamp | None = None
    locator: str = ""
    content_stamp: Stamp | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKey:
    """Columns of one dataset that name rows of another, in order."""

    columns: tuple[str, ...]
    target: Address
    target_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What changes without the schema changing: overwritten, never a version.

    Attributes:
        row_count: rows, exact or an estimate (`is_estimate`).
        size_bytes: bytes in the store.
        file_count: objects it is made of.
        modified_at: when the store last wrote it, UTC.
    """

    row_count: int | None = None
    is_estimate: bool = False
    size_bytes: int | None = None
    file_count: int | None = None
    modified_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedDataset:
    """What an adapter says of one dataset: its schema and where it lies.

    Attributes:
        location: URL without secrets, e.g. `file:///lake/locks/passages.csv`.
        place: where its bytes lie, if another source may look at them too: what lies at one place is one thing.
        format: `parquet`, `csv`, `jsonl`, or empty for a table.
        is_readable: False: seen, but the account that would read its rows may not.
        findings: sentences for a person, e.g. "1 of 12 files has another schema: b.csv".
        objects: for files: objects in this dataset, counted in the crawl's balance.
    """

    ref: DatasetRef
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    description: str = ""
    owner: str = ""
    location: str = ""
    place: Place | None = None
    format: str = ""
    is_readable: bool = True
    observation: Observation = field(default_factory=Observation)
    findings: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A registered dataset as it is now: what the adapter described, under what its manifest says.

    Attributes:
        id: immutable and opaque.
        title: a name for people, from its manifest; empty if none.
        version: number of the current schema version, from 1.
        privacy_tier: None where nobody labelled it; policies then read RESTRICTED, or its origins'.
        labels: what policies see: own labels, and those that followed from its origins.
        epoch: of the last write that touched it.
        last_crawled_at: end of the last crawl that saw it, by its source; UTC.
        curation: what people stated of it at a door, which is in the other fields already; None = nobody did.
    """

    id: DatasetId
    address: Address
    trino_name: TrinoName
    kind: DatasetKind
    state: DatasetState
    version: int
    columns: tuple[Column, ...]
    labels: DatasetLabels
    epoch: int
    stamp: Stamp | None = None
    locator: str = ""
    title: str = ""
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    location: str = ""
    format: str = ""
    registry_id: str = ""
    agency: str = ""
    owner: str = ""
    license: str = ""
    description: str = ""
    tags: frozenset[str] = field(default_factory=frozenset)
    storage_tier: StorageTier = StorageTier.HOT
    privacy_tier: PrivacyTier | None = None
    is_readable: bool = True
    observation: Observation = field(default_factory=Observation)
    findings: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    last_crawled_at: datetime | None = None
    curation: Curation | None = None

    def find_column(self, name: str) -> Column | None:
        """Return the column of that byte-exact or lower-case name; None if there is none or several."""
        exact = [column for column in self.columns if column.name == name]
        if len(exact) == 1:
            return exact[0]
        lower = [column for column in self.columns if column.name.lower() == name.lower()]
        return lower[0] if len(lower) == 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """An immutable schema version."""

    dataset_id: DatasetId
    number: int
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    epoch: int
    created_at: datetime
    foreign_keys: tuple[ForeignKey, ...] = ()
