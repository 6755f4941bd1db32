"""Classes: distinct labels, interned, so that a policy decides once a class and SQL filters by a number."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from hms_registry.domain.decisions import Visibility
from hms_registry.domain.labels import ColumnLabels, DatasetLabels
from hms_registry.ports.bundles import Classes
from hms_registry.store import tables
from hms_registry.store.codec import digest
from hms_registry.store.label_documents import (
    dump_column_labels,
    dump_dataset_labels,
    parse_column_labels,
    parse_dataset_labels,
)

if TYPE_CHECKING:
    from hms_registry.store.session import Session


@dataclass(frozen=True, slots=True)
class Reach:
    """What decides who may see what of a dataset: its class, and the column classes in each slot of its document."""

    class_id: int
    slots: tuple[tuple[int, ...], ...]


@dataclass(slots=True)
class ClassCache:
    """Labels and reaches by id. Neither ever changes, so what was read once and committed stays right.

    Attributes:
        seen: which reaches somebody may find, by the slots that are hidden in them, and of how many reaches it was
            decided.
    """

    datasets: dict[int, DatasetLabels] = field(default_factory=dict)
    columns: dict[int, ColumnLabels] = field(default_factory=dict)
    reaches: dict[int, Reach] = field(default_factory=dict)
    seen: dict[Visibility, tuple[int, dict[frozenset[str], frozenset[int]]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Interned:
    """The ids of a dataset's labels: its class, and the class of each column name, in order."""

    class_id: int
    columns: tuple[int, ...]


def intern_labels(session: Session, labelled: Mapping[str, DatasetLabels]) -> dict[str, Interned]:
    """Return the class ids of labels, adding classes that are new. A fixed number of statements.

    Args:
        labelled: labels with columns, by dataset id.
    """
    texts = {each: dump_dataset_labels(labels) for each, labels in labelled.items()}
    ids = _intern_datasets(session, set(texts.values()))
    wanted: set[tuple[int, str]] = set()
    identities: dict[str, list[int]] = {}
    distinct: dict[str, dict[int, tuple[int, str]]] = {}
    for each, labels in labelled.items():
        class_id = ids[texts[each]]
        # Most columns of a dataset have one object for their labels: it is written once.
        of_columns = [column for _, column in labels.columns]
        identities[each] = [*map(id, of_columns)]
        once = dict(zip(identities[each], of_columns, strict=True))
        distinct[each] = {at: (class_id, dump_column_labels(column)) for at, column in once.items()}
        wanted.update(distinct[each].values())
    column_ids = _intern_columns(session, wanted)
    interned: dict[str, Interned] = {}
    for each in labelled:
        of_labels = {at: column_ids[key] for at, key in distinct[each].items()}
        interned[each] = Interned(ids[texts[each]], tuple(map(of_labels.__getitem__, identities[each])))
    return interned


def _intern_datasets(session: Session, texts: set[str]) -> dict[str, int]:
    table = tables.dataset_classes
    by_digest = {digest(text): text for text in texts}

    def known() -> dict[str, int]:
        rows = session.read(select(table.c.digest, table.c.id).where(session.dialect.among(table.c.digest, by_digest)))
        return {by_digest[row.digest]: row.id for row in rows}

    found = known()
    missing = sorted(texts - found.keys())
    if missing:
        session.write(insert(table), [{"digest": digest(text), "labels": text} for text in missing])
        found = known()
    return found


def _intern_columns(session: Session, wanted: set[tuple[int, str]]) -> dict[tuple[int, str], int]:
    table = tables.column_classes
    by_digest = {(class_id, digest(text)): text for class_id, text in wanted}

    def known() -> dict[tuple[int, str], int]:
        rows = session.read(
            select(table.c.dataset_class_id, table.c.digest, table.c.id).where(
                session.dialect.among(table.c.dataset_class_id, {class_id for class_id, _ in wanted}),
                session.dialect.among(table.c.digest, {each for _, each in by_digest}),
            )
        )
        found = {(row.dataset_class_id, row.digest): row.id for row in rows}
        return {(key[0], text): found[key] for key, text in by_digest.items() if key in found}

    found = known()
    missing = sorted(wanted - found.keys())
    if missing:
        rows = [{"dataset_class_id": key, "digest": digest(text), "labels": text} for key, text in missing]
        session.write(insert(table), rows)
        found = known()
    return found


def load_labels(session: Session, dataset_ids: Iterable[int], column_ids: Iterable[int]) -> ClassCache:
    """Return a cache that holds these classes; reads only those that were not met before."""
    cache = session.classes
    missing = set(dataset_ids) - cache.datasets.keys()
    if missing:
        table = tables.dataset_classes
        rows = session.read(select(table.c.id, table.c.labels).where(session.dialect.among(table.c.id, missing)))
        cache.datasets.update((row.id, parse_dataset_labels(row.labels)) for row in rows)
    missing = set(column_ids) - cache.columns.keys()
    if missing:
        table = tables.column_classes
        rows = session.read(select(table.c.id, table.c.labels).where(session.dialect.among(table.c.id, missing)))
        cache.columns.update((row.id, parse_column_labels(row.labels)) for row in rows)
    return cache


def classes_in_use(session: Session) -> Classes:
    """Read the classes that some dataset or column has."""
    of_dataset, of_column, reach = tables.dataset_classes, tables.column_classes, tables.search_reaches
    used = select(tables.datasets.c.number).where(tables.datasets.c.class_id == of_dataset.c.id).exists()
    datasets = {row.id: parse_dataset_labels(row.labels) for row in session.read(select(of_dataset).where(used))}
    used = select(tables.search_documents.c.key).where(tables.search_documents.c.reach_id == reach.c.id).exists()
    texts = session.read(select(reach.c.classes).where(used)).scalars()
    ids = {class_id for text in texts for slot in json.loads(text)[1] for class_id in slot}
    columns = {
        row.id: (datasets[row.dataset_class_id], parse_column_labels(row.labels))
        for row in session.read(select(of_column).where(session.dialect.among(of_column.c.id, ids)))
    }
    return Classes(datasets=datasets, columns=columns)
