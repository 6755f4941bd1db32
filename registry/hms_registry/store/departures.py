"""Labels of columns that left: without them nobody could say afterwards who may see that they were there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import select

from hms_registry.domain.changes import History
from hms_registry.domain.datasets import DatasetId, Version
from hms_registry.domain.labels import ColumnLabels
from hms_registry.store import tables
from hms_registry.store.classes import load_labels
from hms_registry.store.codec import exact, parse_exact
from hms_registry.store.dataset_documents import parse_schema
from hms_registry.store.datasets import version_of
from hms_registry.store.session import Session

if TYPE_CHECKING:
    from hms_registry.store.drafts import Draft

_table = tables.departed_columns
_COLUMNS = ("dataset_id", "version", "name", "column_class_id")


def keep_departed(session: Session, drafts: Iterable[Draft]) -> None:
    """Keep the classes of the column names that leave with these versions. Call before the rows are updated."""
    rows: list[tuple[object, ...]] = []
    for each in drafts:
        assert each.row is not None
        columns, _, _ = parse_schema(json.loads(each.row.described))
        was = dict.fromkeys(column.name for column in columns)
        stays = {column.name for column in each.merged.described.columns}
        of_name = zip(was, json.loads(each.row.column_classes), strict=True)
        rows += [(each.id, each.version, exact(name), at) for name, at in of_name if name not in stays]
    session.fill(_table, _COLUMNS, rows)


class SqlHistories:
    """Implements `Histories`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, ids: Sequence[DatasetId]) -> dict[DatasetId, History]:
        """The history of each. A fixed number of statements."""
        session, table = self._session, tables.versions
        mine = select(table).where(session.dialect.among(table.c.dataset_id, set(ids)))
        versions: dict[DatasetId, list[Version]] = {}
        for row in session.read(mine.order_by(table.c.dataset_id, table.c.number)):
            versions.setdefault(DatasetId(row.dataset_id), []).append(version_of(row))
        departed = self._departed(versions)
        return {
            each: History(versions=tuple(found), departed=departed.get(each, {})) for each, found in versions.items()
        }

    def _departed(self, ids: Iterable[DatasetId]) -> dict[DatasetId, dict[str, ColumnLabels]]:
        session = self._session
        mine = select(_table).where(session.dialect.among(_table.c.dataset_id, ids)).order_by(_table.c.version)
        rows = session.read(mine).all()
        labels = load_labels(session, (), {row.column_class_id for row in rows}).columns
        found: dict[DatasetId, dict[str, ColumnLabels]] = {}
        for row in rows:
            found.setdefault(DatasetId(row.dataset_id), {})[parse_exact(row.name)] = labels[row.column_class_id]
        return found
