"""Registered datasets, to read: rows become domain objects, with what their manifests state and their labels."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, select, tuple_

from hms_registry.domain.catalogued import Reading
from hms_registry.domain.datasets import Dataset, DatasetId, DatasetState, DescribedDataset, Version
from hms_registry.domain.decisions import Visibility
from hms_registry.domain.labels import DatasetLabels
from hms_registry.domain.names import Address, TrinoName
from hms_registry.domain.places import Place
from hms_registry.domain.sources import SourceStatus
from hms_registry.errors import DatasetNotFound
from hms_registry.store import tables
from hms_registry.store.catalogued import read_names
from hms_registry.store.classes import load_labels
from hms_registry.store.codec import bindable, is_bindable, parse_time
from hms_registry.store.column_forms import ColumnForm
from hms_registry.store.curations import curated, parse_curation
from hms_registry.store.dataset_documents import parse_described, parse_schema
from hms_registry.store.merge import Merged, merge
from hms_registry.store.session import Session
from hms_registry.store.sources import load_sources
from hms_registry.store.statements import parse_manifest

PAGE = 500
_table = tables.datasets
_ORDER = (_table.c.source, _table.c.schema_name, _table.c.table_name)

SELECT = select(_table, tables.manifests.c.document.label("manifest")).outerjoin(
    tables.manifests, tables.manifests.c.address == _table.c.address
)


@dataclass(frozen=True)
class Stored:
    """A row of a dataset, with what holds of it."""

    row: Row[Any]
    merged: Merged
    status: SourceStatus

    @property
    def id(self) -> DatasetId:
        return DatasetId(self.row.id)

    @cached_property
    def forms(self) -> list[ColumnForm]:
        """Forms of its columns."""
        return [ColumnForm(column) for column in self.merged.described.columns]

    @property
    def column_classes(self) -> list[int]:
        """Class ids of its column names, in order."""
        classes: list[int] = json.loads(self.row.column_classes)
        return classes


def column_names(merged: Merged) -> list[str]:
    """Return the names that SQL knows its columns by, in order: nested ones share their first segment's."""
    return list(dict.fromkeys(column.name for column in merged.described.columns))


def load(session: Session, statement: Select[Any]) -> list[Stored]:
    """Read rows of `SELECT` with what holds of each: two statements."""
    rows = session.read(statement).all()
    sources = load_sources(session, *{row.source for row in rows}) if rows else {}
    return [_stored(row, sources) for row in rows]


def _stored(row: Row[Any], sources: Mapping[str, SourceStatus]) -> Stored:
    status = sources[row.source]
    manifest = None if row.manifest is None else parse_manifest(row.manifest)
    merged = curated(merge(described_of(row), manifest, status.source), parse_curation(row.curation))
    return Stored(row, merged, status)


def described_of(row: Row[Any]) -> DescribedDataset:
    """Return what the adapter said."""
    return parse_described(
        row.described,
        address=Address(row.source, row.schema_name, row.table_name),
        stamp=row.stamp,
        locator=json.loads(row.locator),
        observation=row.observation,
        place=None if row.place is None else Place(row.place, row.store),
    )


def load_many(session: Session, ids: Iterable[str]) -> list[Stored]:
    """Read datasets by id, in any order."""
    return load(session, SELECT.where(session.dialect.among(_table.c.id, ids)))


def build(session: Session, stored: Sequence[Stored]) -> list[Dataset]:
    """Make domain objects of rows; reads the classes that this unit has not met yet."""
    labels = labels_of(session, stored)
    return [_dataset(each, labels[each.id]) for each in stored]


def labels_of(session: Session, stored: Sequence[Stored]) -> dict[DatasetId, DatasetLabels]:
    """Return the labels of rows, with those of their columns."""
    class_ids = {each.row.class_id for each in stored}
    column_ids = {column for each in stored for column in each.column_classes}
    cache = load_labels(session, class_ids, column_ids)
    result = {}
    for each in stored:
        labels = cache.datasets[each.row.class_id]
        names = column_names(each.merged)
        columns = tuple((name, cache.columns[at]) for name, at in zip(names, each.column_classes, strict=True))
        result[each.id] = _with_columns(labels, columns)
    return result


def _with_columns(labels: DatasetLabels, columns: tuple[Any, ...]) -> DatasetLabels:
    return DatasetLabels(
        registry_id=labels.registry_id,
        source=labels.source,
        agency=labels.agency,
        owner=labels.owner,
        license=labels.license,
        kind=labels.kind,
        name=labels.name,
        tags=labels.tags,
        storage_tier=labels.storage_tier,
        privacy_tier=labels.privacy_tier,
        has_unknown_origin=labels.has_unknown_origin,
        origins=labels.origins,
        columns=columns,
    )


def _dataset(stored: Stored, labels: DatasetLabels) -> Dataset:
    row, merged, described = stored.row, stored.merged, stored.merged.described
    return Dataset(
        id=stored.id,
        address=described.ref.address,
        trino_name=TrinoName(row.source, row.trino_schema, row.trino_table),
        kind=described.ref.kind,
        state=DatasetState(row.state),
        version=row.version,
        columns=described.columns,
        labels=labels,
        epoch=row.epoch,
        stamp=described.ref.stamp,
        locator=described.ref.locator,
        title=merged.title,
        primary_key=described.primary_key,
        foreign_keys=described.foreign_keys,
        location=described.location,
        format=described.format,
        registry_id=stored.status.source.registry_id,
        agency=stored.status.source.agency,
        owner=merged.owner,
        license=merged.license,
        description=described.description,
        tags=merged.tags,
        storage_tier=merged.storage_tier,
        privacy_tier=merged.privacy_tier,
        is_readable=described.is_readable,
        observation=described.observation,
        findings=described.findings,
        properties=described.properties,
        last_crawled_at=stored.status.last_crawled_at,
        curation=parse_curation(row.curation),
    )


class SqlDatasets:
    """Implements `Datasets`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, dataset_id: DatasetId) -> Dataset:
        """Raises: DatasetNotFound."""
        found = self._one(SELECT.where(_table.c.id == dataset_id)) if is_bindable(dataset_id) else None
        if found is None:
            raise DatasetNotFound(f"no dataset has the id {dataset_id!r}", hint="look for it with hms-dta search")
        return found

    def find(self, address: Address) -> Dataset | None:
        """By byte-exact address; also gone ones."""
        return self._one(SELECT.where(_table.c.address == str(address)))

    def resolve(self, name: TrinoName) -> Dataset | None:
        """By SQL name, not gone."""
        if not is_bindable(str(name)):
            return None
        return self._one(
            SELECT.where(
                _table.c.source == name.catalog,
                _table.c.trino_schema == name.schema,
                _table.c.trino_table == name.table,
                _table.c.state.not_in(tables.ABSENT),
            )
        )

    def get_many(self, ids: Sequence[DatasetId]) -> list[Dataset]:
        """In the order asked; those that do not exist are left out. A fixed number of statements."""
        found = {each.id: each for each in build(self._session, load_many(self._session, set(ids)))}
        return [found[each] for each in ids if each in found]

    def iter(
        self,
        *,
        source: str | None = None,
        visible: Visibility | None = None,
        after: Address | None = None,
        limit: int | None = None,
    ) -> Iterator[Dataset]:
        """All that are not gone, by address; one page of them in memory."""
        statement = SELECT.where(_table.c.state.not_in(tables.ABSENT)).order_by(*_ORDER)
        if source is not None:
            statement = statement.where(_table.c.source == bindable(source))
        if visible is not None:
            statement = statement.where(self._session.dialect.among(_table.c.class_id, visible.dataset_classes))
        left = limit
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            page = load(self._session, (statement if after is None else statement.where(_behind(after))).limit(size))
            yield from build(self._session, page)
            if len(page) < size:
                return
            after = page[-1].merged.described.ref.address
            left = None if left is None else left - size

    def versions(self, dataset_id: DatasetId) -> list[Version]:
        """All schema versions, oldest first."""
        table = tables.versions
        statement = select(table).where(table.c.dataset_id == dataset_id).order_by(table.c.number)
        return [version_of(row) for row in self._session.read(statement)]

    def names(self, *, known: Reading | None = None) -> Reading:
        """Every name in SQL; where an earlier reading of this catalogue is known, what changed since it."""
        return read_names(self._session, known=known)

    def _one(self, statement: Select[Any]) -> Dataset | None:
        found = build(self._session, load(self._session, statement))
        return found[0] if found else None


def _behind(address: Address) -> ColumnElement[bool]:
    return tuple_(*_ORDER) > (address.source, address.schema, address.table)


def version_of(row: Row[Any]) -> Version:
    """Make a domain object of a row."""
    columns, primary_key, foreign_keys = parse_schema(json.loads(row.document))
    created_at = parse_time(row.created_at)
    assert created_at is not None
    return Version(
        dataset_id=DatasetId(row.dataset_id),
        number=row.number,
        columns=columns,
        primary_key=primary_key,
        foreign_keys=foreign_keys,
        epoch=row.epoch,
        created_at=created_at,
    )
