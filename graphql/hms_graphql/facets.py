"""What a search is narrowed to, and how what was found is spread over the same things."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Final, Self

import strawberry

from hms_graphql.words import PrivacyTier, StorageTier
from hms_registry.domain import search
from hms_registry.domain.search import FacetName

_OF_LABELS: Final = tuple(name for name in FacetName if name is not FacetName.COLUMN_TYPE)


@strawberry.input(description="Each field that is given must hold, by any one of its values.")
class SearchFilter:
    sources: list[str] | None = None
    agencies: list[str] | None = None
    owners: list[str] | None = None
    privacy_tiers: list[PrivacyTier] | None = None
    storage_tiers: list[StorageTier] | None = None
    tags: list[str] | None = None
    columns: list[str] | None = strawberry.field(default=None, description="Names of columns, in any case.")
    column_types: list[str] | None = strawberry.field(default=None, description="Without parameters, e.g. `decimal`.")
    units: list[str] | None = strawberry.field(default=None, description="UCUM codes.")
    is_deprecated: bool | None = strawberry.field(
        default=None, description="Only what is not to be used any more, or only what is; null = both."
    )
    updated_since: datetime | None = strawberry.field(
        default=None,
        description="Only what its store changed then or later, as far as it tells and you may see every row.",
    )

    def facts(self) -> search.Filter:
        """Return it in the registry's own words."""
        return search.Filter(
            sources=frozenset(self.sources or ()),
            agencies=frozenset(self.agencies or ()),
            owners=frozenset(self.owners or ()),
            privacy_tiers=frozenset(self.privacy_tiers or ()),
            storage_tiers=frozenset(self.storage_tiers or ()),
            tags=frozenset(self.tags or ()),
            columns=frozenset(self.columns or ()),
            column_types=frozenset(self.column_types or ()),
            units=frozenset(self.units or ()),
            is_deprecated=self.is_deprecated,
            updated_since=self.updated_since,
        )


@strawberry.type(description="How many of what was found have one value.")
class FacetValue:
    value: str
    count: int


@strawberry.type(description="How what was found is spread over one thing; the most frequent values first.")
class Facet:
    values: list[FacetValue]
    more: int = strawberry.field(description="How many other values there are.")

    @classmethod
    def of(cls, facet: search.Facet) -> Self:
        """Make it of what was counted."""
        return cls(values=[FacetValue(value=each.value, count=each.count) for each in facet.values], more=facet.more)


Count = Callable[[Collection[FacetName]], Sequence[search.Facet]]


@strawberry.type(description="What was found, on other pages too, counted by what you may find.")
class Facets:
    sources: Facet
    agencies: Facet
    owners: Facet
    privacy_tiers: Facet
    storage_tiers: Facet
    tags: Facet
    count: strawberry.Private[Count]

    @strawberry.field(description="By the types that some column has which you may see, without parameters.")
    def column_types(self) -> Facet:
        (counted,) = self.count((FacetName.COLUMN_TYPE,))
        return Facet.of(counted)

    @classmethod
    def of(cls, count: Count) -> Self:
        """Count all that labels tell; what columns tell is counted where it is asked for."""
        told = {facet.name: Facet.of(facet) for facet in count(_OF_LABELS)}
        return cls(
            sources=told[FacetName.SOURCE],
            agencies=told[FacetName.AGENCY],
            owners=told[FacetName.OWNER],
            privacy_tiers=told[FacetName.PRIVACY_TIER],
            storage_tiers=told[FacetName.STORAGE_TIER],
            tags=told[FacetName.TAG],
            count=count,
        )
