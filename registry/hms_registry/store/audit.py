"""The record of access. It moves no epoch: reading the catalogue must not make its cached answers old."""

from __future__ import annotations

import json

from sqlalchemy import insert, select

from hms_registry.ports.records import AuditEntry
from hms_registry.store import tables
from hms_registry.store.codec import bindable, dump, parse_time, time_text
from hms_registry.store.session import Session


class SqlAudit:
    """Implements `Audit`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def record(self, *entries: AuditEntry) -> None:
        """Durable once the unit is committed."""
        self._session.write_unseen(insert(tables.audit), [_row(each) for each in entries])

    def latest(self, *, limit: int = 100) -> list[AuditEntry]:
        """Latest first."""
        rows = self._session.read(select(tables.audit).order_by(tables.audit.c.id.desc()).limit(limit))
        return [
            AuditEntry(
                at=at,
                subject=row.subject,
                auth_method=row.auth_method,
                action=row.action,
                outcome=row.outcome,
                epoch=row.epoch,
                detail=json.loads(row.detail),
            )
            for row in rows
            if (at := parse_time(row.at)) is not None
        ]


def _row(entry: AuditEntry) -> dict[str, object]:
    return {
        "at": time_text(entry.at),
        "subject": bindable(entry.subject),
        "auth_method": entry.auth_method,
        "action": entry.action,
        "outcome": entry.outcome,
        "epoch": entry.epoch,
        "detail": dump(dict(entry.detail)),
    }
