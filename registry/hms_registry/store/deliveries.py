"""How far each receiver of events has got, and who delivers to it now. Writing it moves no epoch."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import insert, select, update

from hms_registry.ports.records import Delivery
from hms_registry.store import tables
from hms_registry.store.codec import time_text
from hms_registry.store.holders import has_ended, this_process
from hms_registry.store.session import Session

_table = tables.deliveries


class SqlDeliveries:
    """Implements `Deliveries`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def take(self, receiver: str, *, now: datetime, lease_s: float) -> Delivery | None:
        """Take the lease on a receiver; None if somebody else holds it. A new one begins with what comes next."""
        session, held = self._session, _held(now, lease_s)
        row = session.read(select(_table).where(_table.c.receiver == receiver)).one_or_none()
        if row is None:
            begun = Delivery(receiver=receiver, epoch=session.epoch + 1, sequence=0, lease=1)
            session.write_unseen(insert(_table), [{**asdict(begun), **held}])
            return begun
        if row.lease_until > time_text(now) and not has_ended(row.holder):
            return None
        lease = row.lease + 1
        mine = update(_table).where(_table.c.receiver == receiver)
        session.write_unseen(mine.values(lease=lease, **held))
        return Delivery(receiver=receiver, epoch=row.epoch, sequence=row.sequence, lease=lease)

    def advance(self, delivery: Delivery, *, now: datetime, lease_s: float) -> bool:
        """Write how far it has got and keep the lease; False, and nothing is written, if the lease was lost."""
        values = {"epoch": delivery.epoch, "sequence": delivery.sequence, **_held(now, lease_s)}
        held = update(_table).where(_table.c.receiver == delivery.receiver, _table.c.lease == delivery.lease)
        return self._session.write_unseen(held.values(values)).rowcount == 1


def _held(now: datetime, lease_s: float) -> dict[str, str | None]:
    """Return what says until when it is held and by whom; of no seconds it is given back."""
    return {
        "lease_until": time_text(now + timedelta(seconds=lease_s)),
        "holder": this_process() if lease_s else None,
    }
