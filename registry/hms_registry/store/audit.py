"""The record of access. It moves no epoch: reading the catalogue must not make its cached answers old."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Select, insert, select

from hms_registry.ports.records import AuditEntry
from hms_registry.store import tables
from hms_registry.store.codec import bindable, dump, parse_time, time_text
from hms_registry.store.session import Session

_table = tables.audit


class SqlAudit:
    """Implements `Audit`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def record(self, *entries: AuditEntry) -> None:
        """Durable once the unit is committed."""
        self._session.write_unseen(insert(_table), [_row(each) for each in entries])

    def latest(self, *, limit: int = 100) -> list[AuditEntry]:
        """Latest first."""
        return self._entries(select(_table).order_by(_table.c.id.desc()).limit(limit))

    def between(self, since: datetime, until: datetime, *, subject: str, limit: int = 1000) -> list[AuditEntry]:
        """Oldest first."""
        at = _table.c.at.between(time_text(since), time_text(until))
        found = select(_table).where(at, _table.c.subject == bindable(subject))
        return self._entries(found.order_by(_table.c.id).limit(limit))

    def mentioning(self, word: str, *, limit: int = 100) -> list[AuditEntry]:
        """Latest first."""
        found = select(_table).where(_table.c.detail.contains(bindable(word), autoescape=True))
        return self._entries(found.order_by(_table.c.id.desc()).limit(limit))

    def _entries(self, statement: Select[Any]) -> list[AuditEntry]:
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
            for row in self._session.read(statement)
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
