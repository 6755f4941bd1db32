"""A search as data: what it is narrowed to, what was found, and how that is spread over sources, owners and tags."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from typing import Final

from hms_registry.domain.columns import PrivacyTier, StorageTier
from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.labels import DatasetLabels

FACET_VALUES: Final = 20
"""Values of one facet that are told, the most frequent first; of the others only how many there are."""


class Rank(StrEnum):
    """Why a hit stands where it does. These are in the order of a page."""

    EXACT = "exact"
    NAME = "name"
    TAG = "tag"
    COLUMN = "column"
    DESCRIPTION = "description"
    ANYWHERE = "anywhere"
    LISTED = "listed"
    DEPRECATED = "deprecated"


class FacetName(Enum):
    """What the datasets of a search can be counted by."""

    SOURCE = "source"
    AGENCY = "agency"
    OWNER = "owner"
    PRIVACY_TIER = "privacy_tier"
    STORAGE_TIER = "storage_tier"
    TAG = "tag"
    COLUMN_TYPE = "column_type"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a search is narrowed to: each field that is not empty must hold, by any one of its values.

    Attributes:
        columns: of one of these names, or paths as printed, regardless of case and accents.
        column_types: types of Trino without their parameters, e.g. `decimal`, `timestamp with time zone`.
        units: UCUM codes.
        is_deprecated: only what is not to be used any more, or only what is; None = both.
        updated_since: only what its store changed then or later, as far as it tells. That is made of values: of what
            somebody may not read whole, nothing passes.
    """

    sources: frozenset[str] = frozenset()
    agencies: frozenset[str] = frozenset()
    owners: frozenset[str] = frozenset()
    privacy_tiers: frozenset[PrivacyTier] = frozenset()
    storage_tiers: frozenset[StorageTier] = frozenset()
    tags: frozenset[str] = frozenset()
    columns: frozenset[str] = frozenset()
    column_types: frozenset[str] = frozenset()
    units: frozenset[str] = frozenset()
    is_deprecated: bool | None = None
    updated_since: datetime | None = None

    def admits(self, labels: DatasetLabels) -> bool:
        """Say whether datasets of these labels pass, whatever their columns are; values compare byte by byte."""
        return (
            (not self.sources or labels.source in self.sources)
            and (not self.agencies or labels.agency in self.agencies)
            and (not self.owners or labels.owner in self.owners)
            and (not self.privacy_tiers or labels.privacy_tier in self.privacy_tiers)
            and (not self.storage_tiers or labels.storage_tier in self.storage_tiers)
            and (not self.tags or not self.tags.isdisjoint(labels.tags))
        )


EVERYTHING: Final = Filter()


@dataclass(frozen=True, slots=True, kw_only=True)
class FacetValue:
    """How many of what was found have one value."""

    value: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """How what was found is spread over one thing.

    Attributes:
        values: the most frequent first, at most FACET_VALUES of them.
        more: how many other values there are.
    """

    name: FacetName
    values: tuple[FacetValue, ...] = ()
    more: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One search result.

    Attributes:
        matched: where the words were found: `name`, `column`, `tag`, `description`.
        rank: why it stands where it does: the worst place of a word, where there are few hits; of many, names come
            before whatever else (`anywhere`). Without words it is `listed`.
    """

    dataset_id: DatasetId
    matched: tuple[str, ...] = ()
    rank: Rank = Rank.LISTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A word that was looked for in place of one that nothing has."""

    written: str
    meant: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some of the hits, best first.

    Attributes:
        total: how many this principal may find.
        total_is_exact: if not, there are more than *total*, and the facets count no more than some of them.
        facets: those that were asked for.
        corrections: what was looked for instead, since nothing has all words as they were written.
    """

    hits: tuple[Hit, ...]
    total: int
    total_is_exact: bool = True
    facets: tuple[Facet, ...] = field(default=())
    corrections: tuple[Correction, ...] = ()
