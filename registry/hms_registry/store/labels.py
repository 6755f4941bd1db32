"""What policies see of a dataset, computed from its facts and from what it comes from. Pure: no database.

Lineage may hold cycles and long chains, so labels walk it by strongly connected components, upstream first: each
takes what its upstreams hand on (their labels, and those that followed to them), and hands on that and its own.
The columns of a component follow once its datasets are settled (`column_labels`). What comes from nothing, as nearly
all do, has the labels of its own, and needs no walk.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import repeat
from operator import attrgetter, is_
from typing import Final, TypeVar

from hms_registry.domain.columns import PrivacyTier, StorageTier
from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.edges import Edge, EdgeKind
from hms_registry.domain.labels import ColumnLabels, DatasetLabels
from hms_registry.store.components import components
from hms_registry.store.label_documents import dump_dataset_labels


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFacts:
    """What was said of one column; *tier* None = nothing.

    Attributes:
        is_stated: its dataset's manifest names it.
    """

    tags: frozenset[str] = frozenset()
    tier: PrivacyTier | None = None
    is_declassified: bool = False
    is_stated: bool = False


SILENT: Final = ColumnFacts()
"""Of a column of which nobody said anything: nearly all are this one object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was said of one dataset, and of its columns by byte-exact name, in order.

    Attributes:
        default_tier: of its source, for what nobody labelled.
        lost: what was said of columns that are not there any more. One may go on under another name, so whatever
            column its manifest does not name counts as coming from each of them, until the manifest is mended.
    """

    id: DatasetId
    source: str
    address: str
    registry_id: str = ""
    agency: str = ""
    owner: str = ""
    license: str = ""
    kind: str = "table"
    tags: frozenset[str] = frozenset()
    storage_tier: StorageTier = StorageTier.HOT
    tier: PrivacyTier | None = None
    default_tier: PrivacyTier | None = None
    is_declassified: bool = False
    has_unknown: bool = False
    columns: Mapping[str, ColumnFacts] = field(default_factory=dict)
    lost: Mapping[str, ColumnFacts] = field(default_factory=dict)

    @property
    def fallback(self) -> PrivacyTier:
        """The tier where nobody labelled it and it comes from nothing."""
        return PrivacyTier.RESTRICTED if self.default_tier is None else self.default_tier


_LABELLED_BY: Final = attrgetter(
    *(field.name for field in fields(Facts) if field.name not in ("id", "address", "columns", "lost"))
)
"""What tells the labels of a dataset with silent columns, that comes from nothing and is not mentioned by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """The outcome for one dataset.

    Attributes:
        strictest: the strictest tier found in it and in what it comes from, leaving out what only an unknown
            origin made strict (or two such datasets would keep each other strict for ever); None = it says nothing
            of its own.
    """

    labels: DatasetLabels
    strictest: PrivacyTier | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What the walk knows at each step.

    Attributes:
        upstreams: for each dataset to label, the datasets whose labels follow to it directly.
        bounds: what the tier of a dataset with an unknown origin is at least.
        done: labels of what is settled so far, of everything upstream of the present step.
    """

    facts: Mapping[DatasetId, Facts]
    upstreams: Mapping[DatasetId, Sequence[DatasetId]]
    mentions: frozenset[str]
    bounds: Mapping[DatasetId, PrivacyTier]
    done: dict[DatasetId, DatasetLabels]


def label(
    facts: Iterable[Facts],
    *,
    settled: Mapping[DatasetId, Labelled],
    edges: Sequence[Edge],
    mentions: frozenset[str],
    strictest_of: Mapping[str, PrivacyTier],
) -> dict[DatasetId, Labelled]:
    """Compute the labels of datasets.

    Args:
        settled: labels of the upstreams of these that are not to be computed anew.
        edges: every current edge into or (`same_data`) out of these; `references` is not followed.
        mentions: what the published policy mentions.
        strictest_of: by source, the strictest tier in its other datasets; needed where an origin is unknown.
    """
    from hms_registry.store.column_labels import ColumnEdges, label_columns, label_plain

    by_id = {each.id: each for each in facts}
    upstreams = _upstreams(by_id, settled, edges)
    plain = {each.id: each for each in by_id.values() if not upstreams[each.id] and not each.has_unknown}
    groups = components({each: found for each, found in upstreams.items() if each not in plain})
    strictest = _strictest(groups, by_id, settled, upstreams, plain)
    walk = Walk(
        facts=by_id,
        upstreams=upstreams,
        mentions=mentions,
        bounds=_bounds(by_id, strictest, strictest_of),
        done={dataset_id: each.labels for dataset_id, each in settled.items()},
    )
    for alone in plain.values():
        tier = alone.fallback if alone.tier is None else alone.tier
        walk.done[alone.id] = own_labels(alone, tier, mentions, columns=label_plain(alone, tier, mentions))
    column_edges = ColumnEdges.of(edge for edge in edges if edge.kind is not EdgeKind.REFERENCES)
    for members in groups:
        walk.done.update(_label_datasets(members, walk))
        columns = label_columns(members, walk, column_edges)
        for each in members:
            own = tuple((name, columns[(each, name)]) for name in by_id[each].columns)
            walk.done[each] = replace(walk.done[each], columns=own)
    return {each: Labelled(labels=walk.done[each], strictest=strictest[each]) for each in by_id}


def labelled_alike(facts: Iterable[Facts], mentions: frozenset[str]) -> list[list[Facts]]:
    """Group datasets that come from nothing and that no policy can tell apart: of nearly all, nothing was said but
    what their source says. Their columns have the same labels as one another, however many there are."""
    groups: dict[Hashable, list[Facts]] = {}
    for each in facts:
        columns = each.columns
        is_plain = (
            not (each.lost or each.has_unknown or each.address in mentions)
            and columns
            and all(map(is_, columns.values(), repeat(SILENT)))
            and mentions.isdisjoint(columns)
        )
        groups.setdefault(_LABELLED_BY(each) if is_plain else each.id, []).append(each)
    return list(groups.values())


def bare(labels: DatasetLabels) -> DatasetLabels:
    """Return labels as they follow to others: without origins and columns."""
    return replace(labels, origins=(), columns=()) if labels.origins or labels.columns else labels


def _upstreams(
    facts: Mapping[DatasetId, Facts], settled: Mapping[DatasetId, Labelled], edges: Iterable[Edge]
) -> dict[DatasetId, list[DatasetId]]:
    """For each dataset, the datasets whose labels follow to it directly."""
    found: dict[DatasetId, dict[DatasetId, None]] = {dataset_id: {} for dataset_id in facts}

    def follow(downstream: DatasetId, upstream: DatasetId) -> None:
        each = facts.get(downstream)
        is_known = upstream in facts or upstream in settled
        if each is not None and not each.is_declassified and is_known and upstream != downstream:
            found[downstream][upstream] = None

    for edge in edges:
        if edge.kind is not EdgeKind.REFERENCES:
            follow(edge.downstream, edge.upstream)
        if edge.kind is EdgeKind.SAME_DATA:
            follow(edge.upstream, edge.downstream)
    return {dataset_id: list(upstreams) for dataset_id, upstreams in found.items()}


def _strictest(
    groups: Iterable[Sequence[DatasetId]],
    facts: Mapping[DatasetId, Facts],
    settled: Mapping[DatasetId, Labelled],
    upstreams: Mapping[DatasetId, Sequence[DatasetId]],
    plain: Mapping[DatasetId, Facts],
) -> dict[DatasetId, PrivacyTier | None]:
    found: dict[DatasetId, PrivacyTier | None] = {each.id: strictest_alone(each) for each in plain.values()}
    for members in groups:
        tiers: list[PrivacyTier] = []
        for each in members:
            tiers += _own_tiers(facts[each], has_upstream=bool(upstreams[each]))
            for upstream in upstreams[each]:
                known = settled[upstream].strictest if upstream in settled else found.get(upstream)
                tiers += [] if known is None else [known]
        found.update(dict.fromkeys(members, max(tiers, default=None)))
    return found


def strictest_alone(facts: Facts) -> PrivacyTier | None:
    """Return the strictest tier in a dataset that comes from nothing."""
    return max(_own_tiers(facts, has_upstream=False), default=None)


def _own_tiers(facts: Facts, *, has_upstream: bool) -> list[PrivacyTier]:
    tiers = [column.tier for column in facts.columns.values() if column is not SILENT and column.tier is not None]
    if facts.tier is not None:
        tiers.append(facts.tier)
    elif not has_upstream and (facts.is_declassified or not facts.has_unknown):
        tiers.append(facts.fallback)
    return tiers


def _bounds(
    facts: Mapping[DatasetId, Facts],
    strictest: Mapping[DatasetId, PrivacyTier | None],
    strictest_of: Mapping[str, PrivacyTier],
) -> dict[DatasetId, PrivacyTier]:
    """Return what the tier of a dataset with an unknown origin is at least: the strictest in its source."""
    by_source = dict(strictest_of)
    for dataset_id, tier in strictest.items():
        if tier is not None:
            source = facts[dataset_id].source
            by_source[source] = max(tier, by_source.get(source, tier))
    return {
        dataset_id: by_source.get(each.source, each.fallback)
        for dataset_id, each in facts.items()
        if each.has_unknown and not each.is_declassified and each.tier is None
    }


M = TypeVar("M", bound=Hashable)
L = TypeVar("L", bound=Hashable)


def settle(
    members: Sequence[M],
    handed: Iterable[L],
    *,
    tier_of: Callable[[L], PrivacyTier],
    stated: Callable[[M], PrivacyTier | None],
    bound: Callable[[M], PrivacyTier | None],
    fallback: Callable[[M], PrivacyTier],
    own: Callable[[M, PrivacyTier], L],
) -> dict[M, tuple[L, list[L]]]:
    """Settle the members of one component: the labels of each, and the origins that follow to it.

    A tier that nobody stated is the strictest of: what is *handed* on from outside, what is stated within a
    cycle, the bounds; and where there is none of these, the fallback.
    """
    is_cycle = len(members) > 1
    tiers = [tier_of(origin) for origin in handed]
    tiers += [tier for each in members if is_cycle and (tier := stated(each)) is not None]
    tiers += [tier for each in members if (tier := bound(each)) is not None]
    derived = max(tiers) if tiers else max(fallback(each) for each in members)
    labels = {each: own(each, derived if (tier := stated(each)) is None else tier) for each in members}
    origins = dict.fromkeys([*handed, *(labels.values() if is_cycle else ())])
    return {each: (labels[each], [one for one in origins if not is_cycle or one != labels[each]]) for each in members}


def _label_datasets(members: Sequence[DatasetId], walk: Walk) -> dict[DatasetId, DatasetLabels]:
    inside = set(members)
    handed: dict[DatasetLabels, None] = {}
    for upstream in dict.fromkeys(upstream for each in members for upstream in walk.upstreams[each]):
        if upstream not in inside:
            labels = walk.done[upstream]
            handed[bare(labels)] = None
            handed.update(dict.fromkeys(labels.origins))
    outcome = settle(
        members,
        list(handed),
        tier_of=lambda labels: labels.privacy_tier,
        stated=lambda each: walk.facts[each].tier,
        bound=walk.bounds.get,
        fallback=lambda each: walk.facts[each].fallback,
        own=lambda each, tier: own_labels(walk.facts[each], tier, walk.mentions),
    )
    return {
        each: replace(labels, origins=tuple(sorted(origins, key=dump_dataset_labels)))
        for each, (labels, origins) in outcome.items()
    }


def own_labels(
    facts: Facts, tier: PrivacyTier, mentions: frozenset[str], *, columns: tuple[tuple[str, ColumnLabels], ...] = ()
) -> DatasetLabels:
    """Return the labels of a dataset whose tier is *tier*, without what follows to it."""
    return DatasetLabels(
        registry_id=facts.registry_id,
        source=facts.source,
        agency=facts.agency,
        owner=facts.owner,
        license=facts.license,
        kind=facts.kind,
        name=facts.address if facts.address in mentions else "",
        tags=facts.tags,
        storage_tier=facts.storage_tier,
        privacy_tier=tier,
        has_unknown_origin=facts.has_unknown and not facts.is_declassified,
        columns=columns,
    )
