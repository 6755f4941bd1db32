"""Search as somebody: every door asks this, and what they may not find is in no page, total or facet."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from hms_registry.domain.columns import PrivacyTier, StorageTier
from hms_registry.domain.principals import Principal
from hms_registry.domain.search import EVERYTHING, Correction, Facet, FacetName, Filter, Rank
from hms_registry.ports.catalogue import UnitOfWork
from hms_registry.ports.policy import Decisions
from hms_registry.services.catalogue import View, shows_values, views_of
from hms_registry.services.times import read_time
from hms_registry.services.views import summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One page of a search.

    Attributes:
        matched: where the words were found, for each view; *ranks*: why each stands where it does.
        corrections: what was looked for instead of words that nothing has.
        total: what this person may find, no more; see `Page.total_is_exact`.
    """

    views: tuple[View, ...]
    matched: tuple[tuple[str, ...], ...]
    ranks: tuple[Rank, ...]
    total: int
    total_is_exact: bool = True
    facets: tuple[Facet, ...] = ()
    corrections: tuple[Correction, ...] = ()

    def has_next(self, *, offset: int) -> bool:
        """Say whether another page follows this one, which began at *offset*."""
        return bool(self.views) and (offset + len(self.views) < self.total or not self.total_is_exact)


def search(
    text: str,
    *,
    uow: UnitOfWork,
    principal: Principal,
    decisions: Decisions,
    limit: int = 20,
    offset: int = 0,
    narrowed: Filter = EVERYTHING,
    facets: Collection[FacetName] = (),
) -> Found:
    """Find datasets by words, best first. Words that nothing has are put right, if that finds something."""
    visible = decisions.visibility(principal)
    if narrowed.updated_since is not None:
        shown = _shown(uow=uow, principal=principal, decisions=decisions)
        visible = replace(visible, dataset_classes=visible.dataset_classes & shown)
    page = uow.search.search(
        text,
        visible=visible,
        limit=limit,
        offset=offset,
        narrowed=narrowed,
        facets=facets,
    )
    seen = views_of([hit.dataset_id for hit in page.hits], uow=uow, principal=principal, decisions=decisions)
    hits = [hit for hit in page.hits if hit.dataset_id in seen]
    return Found(
        views=tuple(seen[hit.dataset_id] for hit in hits),
        matched=tuple(hit.matched for hit in hits),
        ranks=tuple(hit.rank for hit in hits),
        total=page.total,
        total_is_exact=page.total_is_exact,
        facets=page.facets,
        corrections=page.corrections,
    )


def _shown(*, uow: UnitOfWork, principal: Principal, decisions: Decisions) -> frozenset[int]:
    """Return the classes of datasets of which the person may see every row, and so what is made of rows."""
    decided = {each: decisions.decide(principal, labels) for each, labels in uow.bundles.classes().datasets.items()}
    return frozenset(each for each, decision in decided.items() if shows_values(decision))


def filter_of(
    *,
    sources: Iterable[str] = (),
    agencies: Iterable[str] = (),
    owners: Iterable[str] = (),
    privacy_tiers: Iterable[str] = (),
    storage_tiers: Iterable[str] = (),
    tags: Iterable[str] = (),
    columns: Iterable[str] = (),
    column_types: Iterable[str] = (),
    units: Iterable[str] = (),
    is_deprecated: bool | None = None,
    updated_since: str | None = None,
) -> Filter:
    """Make a filter of what somebody wrote.

    Raises:
        SettingsInvalid: there is no such tier, or no such time.
    """
    return Filter(
        sources=frozenset(sources),
        agencies=frozenset(agencies),
        owners=frozenset(owners),
        privacy_tiers=frozenset(map(PrivacyTier.parse, privacy_tiers)),
        storage_tiers=frozenset(map(StorageTier.parse, storage_tiers)),
        tags=frozenset(tags),
        columns=frozenset(columns),
        column_types=frozenset(column_types),
        units=frozenset(units),
        is_deprecated=is_deprecated,
        updated_since=None if updated_since is None else read_time(updated_since, of_day="start"),
    )


def found_fact(found: Found) -> dict[str, object]:
    """A page as plain values; facets only where they were asked for."""
    fact: dict[str, object] = {
        "total": found.total,
        "total_is_exact": found.total_is_exact,
        "datasets": [
            {**summary(view), "matched": list(matched), "rank": str(rank)}
            for view, matched, rank in zip(found.views, found.matched, found.ranks, strict=True)
        ],
    }
    if found.corrections:
        fact["corrections"] = [{"written": each.written, "meant": each.meant} for each in found.corrections]
    if found.facets:
        fact["facets"] = {
            facet.name.value: {
                "values": [{"value": each.value, "count": each.count} for each in facet.values],
                "more": facet.more,
            }
            for facet in found.facets
        }
    return fact
