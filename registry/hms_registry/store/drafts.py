"""Drafts: what registering one dataset would write, computed first, so that a whole batch is written at once."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any, Literal

from sqlalchemy import Row, bindparam, func, select, update

from hms_registry.domain.datasets import DatasetId, DatasetKind, DatasetState, DescribedDataset
from hms_registry.domain.manifests import Manifest
from hms_registry.domain.names import Address, TrinoName
from hms_registry.domain.sources import Source
from hms_registry.ports.registering import Registered
from hms_registry.store import tables
from hms_registry.store.codec import bindable, dump, time_text
from hms_registry.store.column_forms import ColumnForm, ColumnForms
from hms_registry.store.curations import curated, parse_curation, says_deprecated
from hms_registry.store.dataset_documents import dump_described, dump_observation, dump_schema, schema_hash
from hms_registry.store.datasets import Stored
from hms_registry.store.departures import keep_departed
from hms_registry.store.indexing import Indexed, reindex_datasets, rekey
from hms_registry.store.labelling import Outcome, current_mentions, facts_of, label_batch, store_labels
from hms_registry.store.merge import Merged, merge
from hms_registry.store.naming import assign_names
from hms_registry.store.places import link_places
from hms_registry.store.session import Session

_datasets = tables.datasets
_LABELS = ("class_id", "column_classes", "strictest_tier")
_DESCRIBED = ("described", "schema_hash", "stamp", "locator", "observation", "state", "place", "store")
_labels_of, _described_of = itemgetter(*_LABELS), itemgetter(*_DESCRIBED)
_COLUMNS = (
    "number", "id", "source", "schema_name", "table_name", "address", "trino_schema", "trino_table", "version",
    "epoch", *_LABELS, *_DESCRIBED,
)  # fmt: skip
_VERSION = ("dataset_id", "number", "document", "epoch", "created_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One dataset, about to be written.

    Attributes:
        key: its address, as text.
        row: as it is in the database; None = new.
        forms: of its columns, under its manifest.
        values: of its row, as described.
        has_news: its schema or its facts differ; else only stamp, locator, observation or state do.
    """

    id: DatasetId
    key: str
    row: Row[Any] | None
    merged: Merged
    forms: Sequence[ColumnForm]
    source: Source
    values: dict[str, Any]
    version: int
    outcome: Literal["new", "changed", "unchanged"]
    has_news: bool

    @property
    def address(self) -> Address:
        return self.merged.described.ref.address

    @property
    def has_new_version(self) -> bool:
        return self.row is None or self.version != self.row.version

    @property
    def moves(self) -> bool:
        """True if something came to a place, or left one."""
        is_there, is_gone = self.values["place"], self.values["state"] in tables.ABSENT
        if self.row is None:
            return bool(is_there)
        return (is_there, self.values["store"], is_gone) != (
            self.row.place,
            self.row.store,
            self.row.state in tables.ABSENT,
        )

    @property
    def was_stated(self) -> bool:
        """True if a job named it before any crawl met it."""
        return self.row is not None and self.row.state == DatasetState.STATED.value

    @property
    def arrives(self) -> bool:
        """True if it is met for the first time, or again."""
        return (self.row is None and self.values["state"] not in tables.ABSENT) or self.returns

    @property
    def returns(self) -> bool:
        """True if it was gone and is there again."""
        return self.row is not None and self.row.state in tables.ABSENT and self.values["state"] not in tables.ABSENT

    @property
    def result(self) -> Registered:
        """What the caller is told."""
        return Registered(dataset_id=self.id, address=self.address, outcome=self.outcome, version=self.version)


def draft(
    described: DescribedDataset,
    row: Row[Any] | None,
    *,
    key: str,
    known: ColumnForms,
    manifest: Manifest | None,
    source: Source,
    is_restated: bool = False,
    keeps_state: bool = False,
) -> Draft:
    """Compare *described*, under its manifest, with the row that is there.

    Args:
        key: its address, as text.
        known: makes forms of columns.
        is_restated: the manifest is another than the one that the row is under.
        keeps_state: nobody looked at the store: what is gone stays gone.
    """
    merged = curated(merge(described, manifest, source), None if row is None else parse_curation(row.curation))
    schema, stamp = merged.described, described.ref.stamp
    own = known.of(described.columns)
    forms = own if schema.columns is described.columns else [ColumnForm(column) for column in schema.columns]
    hashed = [form.hashed for form in forms]
    values = {
        "described": dump_described(described, [form.document for form in own]),
        "schema_hash": schema_hash(hashed, schema.primary_key, schema.foreign_keys),
        "stamp": None if stamp is None else bindable(stamp),
        "locator": dump(described.ref.locator),
        "observation": dump_observation(described.observation),
        "state": DatasetState.PRESENT.value,
        "place": described.place and described.place.path,
        "store": described.place and described.place.store,
    }
    made = partial(Draft, key=key, row=row, merged=merged, forms=forms, source=source, values=values)
    if row is None:
        return made(id=DatasetId(secrets.token_hex(16)), version=1, outcome="new", has_news=True)
    if keeps_state:
        values["state"] = row.state
    # Another view under the same name: what was said of the first may not hold of it.
    is_redefined = described.ref.kind is DatasetKind.VIEW and values["locator"] != row.locator
    is_other = values["described"] != row.described or values["schema_hash"] != row.schema_hash
    is_same = not is_restated and all(row._mapping[key] == value for key, value in values.items())
    return made(
        id=DatasetId(row.id),
        version=row.version + (values["schema_hash"] != row.schema_hash),
        outcome="unchanged" if is_same else "changed",
        has_news=is_restated or is_redefined or is_other,
    )


def write_drafts(session: Session, drafts: Sequence[Draft]) -> None:
    """Write datasets, versions, labels, search entries and events. A fixed number of statements."""
    session.touch(each.source.name for each in drafts)
    for each in drafts:
        _emit(session, each)
    fresh = [each for each in drafts if each.row is None]
    changed = [each for each in drafts if each.row is not None]
    if fresh:
        _insert(session, fresh)
    if changed:
        keep_departed(session, [each for each in changed if each.has_new_version])
        _update(session, changed)
    _insert_versions(session, [each for each in drafts if each.has_new_version])
    _link(session, [each for each in drafts if each.moves])
    _follow_jobs(session, [each for each in drafts if each.arrives])


def _follow_jobs(session: Session, drafts: Sequence[Draft]) -> None:
    """Have what arrived come from what jobs said that it does, in the same unit: it is never there without."""
    from hms_registry.store.flows import project, reached_by
    from hms_registry.store.outer_names import arrived, resolve

    if not drafts:
        return
    found = arrived(session, [each.id for each in drafts])
    resolve(session, found)
    project(session, reached_by(session, found) | {each.id for each in drafts if each.was_stated})


def _link(session: Session, drafts: Sequence[Draft]) -> None:
    if not drafts:
        return
    fresh = {each.id for each in drafts if each.row is None}
    paths = [each.values["place"] for each in drafts]
    paths += [each.row.place for each in drafts if each.row is not None]
    link_places(session, filter(None, paths), fresh=fresh, moved={each.id for each in drafts} - fresh)


def _emit(session: Session, each: Draft) -> None:
    facts = {"address": each.key, "version": str(each.version)}
    if each.values["state"] == DatasetState.STATED.value:
        return
    if each.row is None or each.row.state == DatasetState.STATED.value:
        session.emit("DatasetRegistered", each.id, **facts)
        return
    if each.returns:
        session.emit("DatasetReturned", each.id, **facts)
    if each.has_new_version:
        session.emit("SchemaChanged", each.id, **facts)
    elif each.has_news:
        session.emit("DatasetChanged", each.id, **facts)


def _insert(session: Session, drafts: Sequence[Draft]) -> None:
    given = assign_names(session, [each.address for each in drafts])
    names = {each.id: name for each, name in zip(drafts, given, strict=True)}
    facts = {each.id: facts_of(each.id, each.merged, each.source, each.forms, address=each.key) for each in drafts}
    outcomes, others = label_batch(session, facts, mentions=current_mentions(session), are_new=True)
    # One writer at a time, and no dataset is ever deleted: the numbers that follow are free.
    last = session.read(select(func.max(_datasets.c.number))).scalar() or 0
    numbers = {each.id: last + at for at, each in enumerate(drafts, start=1)}
    epoch = session.next_epoch
    rows = []
    for each in drafts:
        address, name = each.address, names[each.id]
        rows.append(
            (
                numbers[each.id], each.id, address.source, address.schema, address.table, each.key, name.schema,
                name.table, 1, epoch, *_labels_of(outcomes[each.id].values), *_described_of(each.values),
            )
        )  # fmt: skip
    session.fill(_datasets, _COLUMNS, rows)
    _follow(session, others, outcomes)
    indexed = [
        Indexed(
            numbers[each.id],
            names[each.id],
            each.merged,
            outcomes[each.id].interned,
            each.forms,
            each.values["state"] in tables.ABSENT,
        )
        for each in drafts
    ]
    reindex_datasets(session, indexed, are_new=True)


def _follow(session: Session, others: Sequence[Stored], outcomes: Mapping[DatasetId, Outcome]) -> None:
    """Write labels that followed to other datasets."""
    relabelled = store_labels(session, others, outcomes)
    reindex_datasets(session, [Indexed.of(each, outcomes[each.id].interned) for each in relabelled])


def _update(session: Session, drafts: Sequence[Draft]) -> None:
    news = [each for each in drafts if each.has_news]
    outcomes: dict[DatasetId, Outcome] = {}
    if news:
        facts = {each.id: facts_of(each.id, each.merged, each.source, each.forms, address=each.key) for each in news}
        outcomes, others = label_batch(session, facts, mentions=current_mentions(session))
        _follow(session, others, outcomes)
    rows = []
    for each in drafts:
        assert each.row is not None
        labels = {key: each.row._mapping[key] for key in _LABELS}
        labels |= outcomes[each.id].values if each.has_news else {}
        rows.append({**each.values, **labels, "version": each.version, "epoch": session.next_epoch, "of_id": each.id})
    session.write(update(_datasets).where(_datasets.c.id == bindparam("of_id")), rows)
    reindex_datasets(session, [_indexed(each, outcomes[each.id]) for each in news])
    back = [each.row.number for each in drafts if each.row is not None and not each.has_news and each.returns]
    rekey(session, back, are_gone=False)


def _indexed(each: Draft, outcome: Outcome) -> Indexed:
    row = each.row
    assert row is not None
    name = TrinoName(row.source, row.trino_schema, row.trino_table)
    is_gone, is_deprecated = each.values["state"] in tables.ABSENT, says_deprecated(row.curation)
    return Indexed(row.number, name, each.merged, outcome.interned, each.forms, is_gone, is_deprecated)


def _insert_versions(session: Session, drafts: Sequence[Draft]) -> None:
    at, epoch = time_text(session.now), session.next_epoch
    rows = []
    for each in drafts:
        schema = each.merged.described
        columns = [form.document for form in each.forms]
        document = dump_schema(columns, schema.primary_key, schema.foreign_keys)
        rows.append((each.id, each.version, document, epoch, at))
    session.fill(tables.versions, _VERSION, rows)
