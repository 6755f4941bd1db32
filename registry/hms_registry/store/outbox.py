"""What happened, in commit order, for feeds and indexes."""

from __future__ import annotations

import json

from sqlalchemy import func, select

from hms_registry.domain.datasets import DatasetId
from hms_registry.ports.records import Event
from hms_registry.store import tables
from hms_registry.store.codec import parse_time
from hms_registry.store.session import Session


class SqlOutbox:
    """Implements `Outbox`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def since(self, epoch: int, *, limit: int = 1000) -> list[Event]:
        """Events of later epochs, in order; the last epoch is always whole, or who asks again for what is later
        would lose the rest of it."""
        table = tables.outbox
        order = (table.c.epoch, table.c.sequence)
        first = select(table.c.epoch).where(table.c.epoch > epoch).order_by(*order).limit(limit).subquery()
        last = select(func.max(first.c.epoch)).scalar_subquery()
        rows = self._session.read(select(table).where(table.c.epoch > epoch, table.c.epoch <= last).order_by(*order))
        return [
            Event(
                epoch=row.epoch,
                sequence=row.sequence,
                kind=row.kind,
                dataset_id=None if row.dataset_id is None else DatasetId(row.dataset_id),
                payload=json.loads(row.payload),
                at=parse_time(row.at),
            )
            for row in rows
        ]
