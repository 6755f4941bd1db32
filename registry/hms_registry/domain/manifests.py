"""Manifests: what a person states of a dataset. It overrides what was guessed, and survives every crawl."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

from hms_registry.domain.columns import PrivacyTier, StorageTier


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestColumn:
    """What is stated of one column; None or empty = nothing stated. *trino_type* is canonical."""

    name: str
    trino_type: str | None = None
    description: str | None = None
    unit: str | None = None
    scale: Decimal | None = None
    tags: frozenset[str] | None = None
    privacy_tier: PrivacyTier | None = None
    is_declassified: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What is stated of one dataset; None = nothing stated, and what the crawl saw stands.

    Attributes:
        name: a title for people and search; the address stays what the store says.
        source: the location as written, e.g. `s3://raw-bucket/lock_passages_2024.csv` or a path.
        is_declassified: a steward states that the labels of its origins do not follow it here.
        is_ingested: whoever may write to the registry stated it; it stands against what lies beside the data, which
            whoever may write to the store stated.
        definition: kept by the catalogue, never written by a person: the locator of the view as it was declassified.
            A view that is defined anew is another, which nobody declassified.
        is_missing: kept by the catalogue likewise: it lay beside the data, and the last whole look did not find it.
    """

    name: str
    source: str
    owner: str | None = None
    license: str | None = None
    description: str | None = None
    tags: frozenset[str] | None = None
    storage_tier: StorageTier | None = None
    privacy_tier: PrivacyTier | None = None
    is_declassified: bool = False
    columns: tuple[ManifestColumn, ...] = field(default=())
    is_ingested: bool = False
    definition: str = ""
    is_missing: bool = False

    @property
    def declassifies(self) -> bool:
        """True if it says of the dataset or of a column that its origins' labels do not follow."""
        return self.is_declassified or any(column.is_declassified for column in self.columns)

    def without_declassifying(self) -> Manifest:
        """Return it without what only a steward may say."""
        columns = tuple(replace(column, is_declassified=False) for column in self.columns)
        return replace(self, is_declassified=False, columns=columns)
