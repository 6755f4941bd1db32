"""The search index made anew from what the catalogue holds: after an upgrade, or because somebody asks for it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import delete

from hms_registry.store import tables
from hms_registry.store.classes import Interned
from hms_registry.store.datasets import SELECT, load
from hms_registry.store.indexing import Indexed, reindex_datasets
from hms_registry.store.session import Session

PAGE: Final = 500


def rebuild_index(session: Session) -> int:
    """Forget all that search knows and read it from the datasets again, page by page; returns how many there are."""
    session.clear_index()
    for table in (tables.search_documents, tables.search_names, tables.search_words):
        session.write(delete(table))
    count, last = 0, 0
    number = tables.datasets.c.number
    while page := load(session, SELECT.where(number > last).order_by(number).limit(PAGE)):
        indexed = [Indexed.of(each, Interned(each.row.class_id, tuple(each.column_classes))) for each in page]
        reindex_datasets(session, indexed, are_new=True)
        count, last = count + len(page), page[-1].row.number
    return count
