"""Keeps labels right in the database: what changed, all that labels follow to from it, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from sqlalchemy import bindparam, func, not_, select, update

from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.sources import Source
from hms_registry.store import tables
from hms_registry.store.alike import labelled_alike
from hms_registry.store.classes import Interned, intern_labels
from hms_registry.store.column_forms import ColumnForm
from hms_registry.store.datasets import Stored, labels_of, load_many
from hms_registry.store.labels import ColumnFacts, Facts, Labelled, label, strictest_alone
from hms_registry.store.lineage import edges_into, labelled_from, source_of
from hms_registry.store.merge import Merged
from hms_registry.store.session import Session

_datasets = tables.datasets


@dataclass(frozen=True)
class Outcome:
    """The labels of one dataset as the tables hold them."""

    interned: Interned
    strictest: PrivacyTier | None

    @cached_property
    def values(self) -> dict[str, object]:
        """Values for the row of the dataset."""
        return {
            "class_id": self.interned.class_id,
            "column_classes": f"[{','.join(map(str, self.interned.columns))}]",
            "strictest_tier": None if self.strictest is None else self.strictest.value,
        }


def current_mentions(session: Session) -> frozenset[str]:
    """Read what the published policy mentions."""
    table = tables.bundles
    text = session.read(select(table.c.mentions).order_by(table.c.id.desc()).limit(1)).scalar()
    return frozenset() if text is None else frozenset(json.loads(text))


def facts_of(
    dataset_id: DatasetId, merged: Merged, source: Source, forms: Sequence[ColumnForm], *, address: str
) -> Facts:
    """Gather what labels are made of.

    Args:
        forms: of its columns.
        address: of the dataset, as text.
    """
    described = merged.described
    return Facts(
        id=dataset_id,
        source=source.name,
        address=address,
        registry_id=source.registry_id,
        agency=source.agency,
        owner=merged.owner,
        license=merged.license,
        kind=described.ref.kind.value,
        tags=merged.tags,
        storage_tier=merged.storage_tier,
        tier=merged.privacy_tier,
        default_tier=source.privacy_tier,
        is_declassified=merged.is_declassified,
        columns=_column_facts(forms, merged.stated, whole=_whole_tier(merged, source)),
        lost={each.name: ColumnFacts(tags=each.tags or frozenset(), tier=each.privacy_tier) for each in merged.lost},
    )


def _whole_tier(merged: Merged, source: Source) -> PrivacyTier:
    """Return the tier of a column that nobody labelled and that comes from nothing."""
    if merged.privacy_tier is not None:
        return merged.privacy_tier
    return PrivacyTier.RESTRICTED if source.privacy_tier is None else source.privacy_tier


def _column_facts(
    forms: Sequence[ColumnForm], stated: Collection[int], *, whole: PrivacyTier
) -> dict[str, ColumnFacts]:
    """Gather what was said of columns. Those that share a first segment are one, under all their labels.

    A tier that is stated inside a column says nothing of what else is inside it: it makes the column stricter than
    its own tier, or *whole* where it has none, and never less so.
    """
    columns = {form.name: form.facts for form in forms}
    if len(columns) == len(forms) and not stated:
        return columns
    columns = {}
    settled = {form.name for form in forms if form.facts.tier is not None and len(form.column.path.segments) == 1}
    for at, form in enumerate(forms):
        own = replace(form.facts, is_stated=True) if at in stated else form.facts
        if own.tier is not None and own.tier < whole and form.name not in settled:
            own = replace(own, tier=None)
        known = columns.get(form.name)
        columns[form.name] = own if known is None else _joined(known, own)
    return columns


def _joined(one: ColumnFacts, other: ColumnFacts) -> ColumnFacts:
    tiers = [tier for tier in (one.tier, other.tier) if tier is not None]
    return ColumnFacts(
        tags=one.tags | other.tags,
        tier=max(tiers, default=None),
        is_declassified=one.is_declassified and other.is_declassified,
        is_stated=one.is_stated and other.is_stated,
    )


def facts_of_stored(stored: Stored) -> Facts:
    """Gather what labels are made of from a row."""
    return facts_of(stored.id, stored.merged, stored.status.source, stored.forms, address=stored.row.address)


def label_batch(
    session: Session, batch: Mapping[DatasetId, Facts], *, mentions: frozenset[str], are_new: bool = False
) -> tuple[dict[DatasetId, Outcome], list[Stored]]:
    """Compute the labels of *batch* and of all that they follow to. A fixed number of statements.

    Args:
        batch: what was said of the datasets that changed; their rows need not be written yet.
        are_new: none of them is in the database, so nothing comes from them.

    Returns:
        labels by id, and the rows of those that are not in *batch*: write them with `store_labels`.
    """
    if are_new:
        alike = labelled_alike(batch.values(), mentions)
        if len(alike) < len(batch):
            return _label_alike(session, alike, mentions=mentions)
    affected = set(batch) if are_new else labelled_from(session, batch) | batch.keys()
    others = load_many(session, affected - batch.keys()) if len(affected) > len(batch) else []
    unknown = _unknown_in(session, {each.source for each in batch.values()} | {each.row.source for each in others})
    beside = unknown.keys() - affected
    if beside and are_new:
        beside = _outdone(session, batch.values(), {each: unknown[each] for each in beside})
    if beside:
        affected |= labelled_from(session, beside)
        others = load_many(session, affected - batch.keys())
    facts = {each.id: facts_of_stored(each) for each in others} | dict(batch)
    facts |= {key: replace(facts[key], has_unknown=True) for key in unknown.keys() & facts.keys()}
    edges = [] if are_new and not others else edges_into(session, affected)
    ends = {end for edge in edges for end in (edge.upstream, edge.downstream)}
    labelled = label(
        facts.values(),
        settled=_settled(session, ends - affected),
        edges=edges,
        mentions=mentions,
        strictest_of=_strictest_of(session, unknown.keys() & facts.keys(), facts),
    )
    interned = intern_labels(session, {key: each.labels for key, each in labelled.items()})
    return {key: Outcome(interned[key], each.strictest) for key, each in labelled.items()}, others


def _label_alike(
    session: Session, alike: Sequence[Sequence[Facts]], *, mentions: frozenset[str]
) -> tuple[dict[DatasetId, Outcome], list[Stored]]:
    """Label the first of each group of new datasets that are *alike*, and the others as it."""
    firsts = {each.id: each for each, *_ in alike}
    outcomes, others = label_batch(session, firsts, mentions=mentions, are_new=True)
    for first, *rest in alike:
        of_first = outcomes[first.id]
        by_width = {len(first.columns): of_first}
        for each in rest:
            width = len(each.columns)
            if width not in by_width:
                columns = of_first.interned.columns[:1] * width
                by_width[width] = Outcome(Interned(of_first.interned.class_id, columns), of_first.strictest)
            outcomes[each.id] = by_width[width]
    return outcomes, others


def _unknown_in(session: Session, sources: Collection[str]) -> dict[DatasetId, str]:
    """Read which datasets of these sources have an unknown origin, with the source of each."""
    table = tables.unknown_origins
    source = source_of(table.c.dataset_id)
    statement = select(table.c.dataset_id, source.label("source")).where(session.dialect.among(source, sources))
    return {DatasetId(row.dataset_id): row.source for row in session.read(statement)}


def _outdone(session: Session, fresh: Iterable[Facts], beside: Mapping[DatasetId, str]) -> set[DatasetId]:
    """Return those with an unknown origin that new datasets of their source make stricter: where something as strict
    is there already, new ones change nothing, and a source may have very many of either."""
    reached = _strictest_in(session, set(beside.values()))
    brought: dict[str, PrivacyTier] = {}
    for each in fresh:
        if (tier := strictest_alone(each)) is not None:
            brought[each.source] = max(tier, brought.get(each.source, tier))
    stricter = {source for source, tier in brought.items() if source not in reached or tier > reached[source]}
    return {each for each, source in beside.items() if source in stricter}


def _settled(session: Session, ids: Collection[str]) -> dict[DatasetId, Labelled]:
    if not ids:
        return {}
    stored = load_many(session, ids)
    labels = labels_of(session, stored)
    return {each.id: Labelled(labels=labels[each.id], strictest=_tier(each.row.strictest_tier)) for each in stored}


def _tier(value: int | None) -> PrivacyTier | None:
    return None if value is None else PrivacyTier(value)


def _strictest_of(
    session: Session, unknown: Collection[DatasetId], facts: Mapping[DatasetId, Facts]
) -> dict[str, PrivacyTier]:
    """Read the strictest tier of the other datasets of those sources in which an origin is unknown."""
    sources = {facts[each].source for each in unknown}
    return _strictest_in(session, sources, but=facts)


def _strictest_in(session: Session, sources: Collection[str], but: Collection[str] = ()) -> dict[str, PrivacyTier]:
    """Read the strictest tier of the datasets of these sources, leaving some out."""
    if not sources:
        return {}
    among, tier = session.dialect.among, _datasets.c.strictest_tier
    statement = select(_datasets.c.source, func.max(tier).label("tier")).where(among(_datasets.c.source, sources))
    if but:
        statement = statement.where(not_(among(_datasets.c.id, but)))
    rows = session.read(statement.where(tier.is_not(None)).group_by(_datasets.c.source))
    return {row.source: PrivacyTier(row.tier) for row in rows}


def store_labels(session: Session, stored: Iterable[Stored], outcomes: Mapping[DatasetId, Outcome]) -> list[Stored]:
    """Write the labels of rows where they differ from what is there; return those that got others. What search
    knows of these is then to be made anew: it holds their columns by class."""
    rows, changed = [], []
    for each in stored:
        row, values = each.row, outcomes[each.id].values
        is_other = (row.class_id, row.column_classes) != (values["class_id"], values["column_classes"])
        if not is_other and row.strictest_tier == values["strictest_tier"]:
            continue
        rows.append({**values, "of_id": each.id, "epoch": session.next_epoch if is_other else row.epoch})
        if is_other:
            changed.append(each)
            session.touch([row.source])
    if rows:
        session.write(update(_datasets).where(_datasets.c.id == bindparam("of_id")), rows)
    return changed
