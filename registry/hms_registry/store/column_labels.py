"""What policies see of the columns of a dataset. Pure, and the second half of `labels`.

A column comes from those columns that an edge names. An edge from a whole dataset hands on the labels of that
dataset and of no column. An edge that ends at the dataset as a whole (a filter, a join key) touches no column.
Where an origin is unknown, a column that no edge explains may hold anything, so it takes every column of every
upstream; so does an edge that names a column which is not there any more. `same_data` goes both ways, from column
to column of the same name where the edge names none; a column without a namesake may be any of those of its twin that
have none either: a text file without a header has names of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from operator import is_

from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.edges import Edge, EdgeKind
from hms_registry.domain.labels import ColumnLabels, DatasetLabels
from hms_registry.store.components import components
from hms_registry.store.label_documents import dump_column_labels, dump_dataset_labels
from hms_registry.store.labels import SILENT, ColumnFacts, Facts, Walk, bare, own_labels, settle

Node = tuple[DatasetId, str]
End = tuple[DatasetId, str | None]
Origin = tuple[DatasetLabels, ColumnLabels]
_Twin = tuple[DatasetId, Mapping[str, Sequence[str]]]


@dataclass(frozen=True, slots=True)
class ColumnEdges:
    """Edges by where they end: at a column, or (twins) at all columns that have a namesake."""

    into: Mapping[Node, Sequence[End]] = field(default_factory=dict)
    twins: Mapping[DatasetId, Sequence[DatasetId]] = field(default_factory=dict)

    @classmethod
    def of(cls, edges: Iterable[Edge]) -> ColumnEdges:
        """Sort edges by where they end."""
        into: dict[Node, list[End]] = defaultdict(list)
        twins: dict[DatasetId, list[DatasetId]] = defaultdict(list)
        for edge in edges:
            is_same = edge.kind is EdgeKind.SAME_DATA
            if edge.downstream_column is not None:
                into[edge.downstream, edge.downstream_column].append((edge.upstream, edge.upstream_column))
            if is_same and edge.upstream_column is not None:
                into[edge.upstream, edge.upstream_column].append((edge.downstream, edge.downstream_column))
            if is_same and edge.upstream_column is None and edge.downstream_column is None:
                twins[edge.downstream].append(edge.upstream)
                twins[edge.upstream].append(edge.downstream)
        return cls(into, twins)


def label_columns(group: Sequence[DatasetId], walk: Walk, edges: ColumnEdges) -> dict[Node, ColumnLabels]:
    """Label the columns of the datasets of one component; the datasets themselves are done."""
    if len(group) == 1 and not walk.upstreams[group[0]]:
        plain = label_plain(walk.facts[group[0]], walk.done[group[0]].privacy_tier, walk.mentions)
        return {(group[0], name): labels for name, labels in plain}
    if (alike := _pair_alike(group, walk, edges)) is not None:
        return alike
    names = {each: list(walk.facts[each].columns) for each in group}
    for each in group:
        for upstream in walk.upstreams[each]:
            names.setdefault(upstream, [name for name, _ in walk.done[upstream].columns])
    twins = {
        each: [(twin, _namesakes(names[each], names[twin])) for twin in edges.twins.get(each, ()) if twin in upstreams]
        for each in group
        if (upstreams := walk.upstreams[each])
    }
    ends = {
        (each, name): list(
            _ends(walk.facts[each], name, walk.upstreams[each], edges, names=names, twins=twins.get(each, ()))
        )
        for each in group
        for name in walk.facts[each].columns
    }
    inner = {node: [(one, name) for one, name in found if name and one in group] for node, found in ends.items()}
    result: dict[Node, ColumnLabels] = {}
    for members in components(inner):
        result.update(_settle(members, _handed(members, ends, walk, result), walk))
    return result


def _pair_alike(group: Sequence[DatasetId], walk: Walk, edges: ColumnEdges) -> dict[Node, ColumnLabels] | None:
    """Label two datasets that are the same data, column for column, where nothing was said of any: one column stands
    for all. None if they are more, or other, than that, as few are."""
    if len(group) != 2:
        return None
    one, other = group
    if list(walk.upstreams[one]) != [other] or list(walk.upstreams[other]) != [one]:
        return None
    mine, theirs = walk.facts[one], walk.facts[other]
    if not (_is_silent(mine, walk, edges) and _is_silent(theirs, walk, edges)):
        return None
    lowered = {name.lower() for name in mine.columns}
    is_paired = lowered == {name.lower() for name in theirs.columns}
    if not is_paired or not len(lowered) == len(mine.columns) == len(theirs.columns) > 0:
        return None
    labels = _settle([(each, next(iter(walk.facts[each].columns))) for each in group], (), walk)
    return {(each, name): found for (each, _), found in labels.items() for name in walk.facts[each].columns}


def _is_silent(facts: Facts, walk: Walk, edges: ColumnEdges) -> bool:
    """Say whether nothing is known of its columns but which there are."""
    return (
        not facts.lost
        and not facts.has_unknown
        and facts.id in edges.twins
        and walk.mentions.isdisjoint(facts.columns)
        and all(map(is_, facts.columns.values(), repeat(SILENT)))
        and not any((facts.id, name) in edges.into for name in facts.columns)
    )


def label_plain(facts: Facts, tier: PrivacyTier, mentions: frozenset[str]) -> tuple[tuple[str, ColumnLabels], ...]:
    """Label the columns of a dataset that comes from nothing, and whose tier is *tier*."""
    silent = ColumnLabels(privacy_tier=tier)
    if not facts.lost and mentions.isdisjoint(facts.columns):
        if all(map(is_, facts.columns.values(), repeat(SILENT))):  # as nearly all are
            return tuple(zip(facts.columns, repeat(silent)))
        return tuple(
            [
                (name, silent if column is SILENT else _plain(column, "", tier, ()))
                for name, column in facts.columns.items()
            ]
        )
    whole = own_labels(facts, tier, mentions)
    lost = tuple(sorted(_lost(facts, whole), key=_order))
    return tuple(
        [
            (name, _plain(column, name if name in mentions else "", tier, () if column.is_stated else lost))
            for name, column in facts.columns.items()
        ]
    )


def _plain(column: ColumnFacts, name: str, tier: PrivacyTier, lost: tuple[Origin, ...]) -> ColumnLabels:
    own = tier if column.tier is None else column.tier
    return ColumnLabels(name=name, tags=column.tags, privacy_tier=own, origins=lost)


def _ends(
    facts: Facts,
    name: str,
    upstreams: Sequence[DatasetId],
    edges: ColumnEdges,
    *,
    names: Mapping[DatasetId, Sequence[str]],
    twins: Iterable[_Twin],
) -> Iterator[End]:
    """Yield what a column comes from directly; (dataset, None) = a dataset as a whole."""
    if facts.columns[name].is_declassified:
        return
    found = [end for end in edges.into.get((facts.id, name), ()) if end[0] in upstreams]
    for twin, namesakes in twins:
        found += [(twin, other) for other in namesakes[name]]
    if not found and facts.has_unknown:
        found = [(upstream, "\0") for upstream in upstreams]  # no column is named so: see below
    for upstream, column in found:
        if column is None or column in names[upstream]:
            yield upstream, column
        else:
            yield upstream, None
            yield from ((upstream, other) for other in names[upstream])


def _namesakes(mine: Sequence[str], theirs: Sequence[str]) -> dict[str, Sequence[str]]:
    """Return for each of my columns those of a twin that it is, or may be."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for other in theirs:
        by_name[other.lower()].append(other)
    rest = [other for name in by_name.keys() - {name.lower() for name in mine} for other in by_name[name]]
    return {name: by_name.get(name.lower(), rest) for name in mine}


def _handed(
    members: Sequence[Node],
    ends: Mapping[Node, Sequence[End]],
    walk: Walk,
    result: Mapping[Node, ColumnLabels],
) -> list[Origin]:
    """List what follows to the columns of one component from the outside."""
    inside = set(members)
    handed: dict[Origin, None] = {}
    for dataset_id, name in dict.fromkeys(end for node in members for end in ends[node]):
        labels = walk.done[dataset_id]
        if name is None:
            whole = (bare(labels), *labels.origins)
            handed.update({(each, ColumnLabels(privacy_tier=each.privacy_tier)): None for each in whole})
        elif (dataset_id, name) not in inside:
            column = result.get((dataset_id, name)) or _find(labels, name)
            handed[bare(labels), replace(column, origins=())] = None
            handed.update(dict.fromkeys(column.origins))
    for dataset_id, name in members:
        if not walk.facts[dataset_id].columns[name].is_stated:
            handed.update(dict.fromkeys(_lost(walk.facts[dataset_id], walk.done[dataset_id])))
    return list(handed)


def _lost(facts: Facts, labels: DatasetLabels) -> Iterator[Origin]:
    """Yield what was said of columns that are not there any more, with their names, whether or not a policy has them:
    nothing finds such a dataset by that name when a policy begins to mention it."""
    for name, said in facts.lost.items():
        tier = labels.privacy_tier if said.tier is None else said.tier
        yield bare(labels), ColumnLabels(name=name, tags=said.tags, privacy_tier=tier)


def _find(labels: DatasetLabels, name: str) -> ColumnLabels:
    return next(column for each, column in labels.columns if each == name)


def _settle(members: Sequence[Node], handed: Sequence[Origin], walk: Walk) -> dict[Node, ColumnLabels]:
    def column(node: Node) -> ColumnFacts:
        return walk.facts[node[0]].columns[node[1]]

    def own(node: Node, tier: PrivacyTier) -> Origin:
        name = node[1] if node[1] in walk.mentions else ""
        return bare(walk.done[node[0]]), ColumnLabels(name=name, tags=column(node).tags, privacy_tier=tier)

    outcome = settle(
        members,
        handed,
        tier_of=lambda origin: origin[1].privacy_tier,
        stated=lambda node: column(node).tier,
        bound=lambda node: None if column(node).is_declassified else walk.bounds.get(node[0]),
        fallback=lambda node: walk.done[node[0]].privacy_tier,
        own=own,
    )
    return {
        node: replace(labels, origins=tuple(sorted(origins, key=_order)))
        for node, ((_, labels), origins) in outcome.items()
    }


def _order(origin: Origin) -> tuple[str, str]:
    return dump_dataset_labels(origin[0]), dump_column_labels(origin[1])
