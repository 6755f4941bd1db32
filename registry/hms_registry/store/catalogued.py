"""Reads the names that SQL knows datasets by, without the datasets: a hundred thousand of them in one statement."""

from __future__ import annotations

from sqlalchemy import select

from hms_registry.domain.catalogued import NamedClass, Reading
from hms_registry.store import tables
from hms_registry.store.classes import load_labels
from hms_registry.store.session import Session

_table = tables.datasets
_GONE = _table.c.state.in_(tables.ABSENT).label("is_gone")
_SELECT = select(
    _table.c.number, _table.c.source, _table.c.trino_schema, _table.c.trino_table, _table.c.class_id, _GONE
)


def read_names(session: Session, *, known: Reading | None) -> Reading:
    """Read all names, or those that changed since a known reading; at most four statements.

    Whatever gives a dataset another name, class or state writes the row with its epoch.
    """
    epoch = session.epoch
    is_same = known is not None and known.epoch <= epoch and _history(session, known.epoch) == known.history
    statement = _SELECT
    if known is not None and is_same:
        statement = statement.where(_table.c.epoch > known.epoch)
    rows = tuple(
        NamedClass(row.number, row.source, row.trino_schema, row.trino_table, row.class_id, bool(row.is_gone))
        for row in session.read(statement)
    )
    ids = {row.class_id for row in rows}
    labels = load_labels(session, ids, ()).datasets
    history = known.history if known is not None and is_same and known.epoch == epoch else _history(session, epoch)
    return Reading(epoch, history, not is_same, rows, {each: labels[each] for each in ids})


def _history(session: Session, epoch: int) -> str:
    return session.read(select(tables.epochs.c.mark).where(tables.epochs.c.value == epoch)).scalar() or ""
