"""What engines that are not ours told of their queries. An alarm leaves an event for feeds and a line in the audit."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, insert, select, update

from hms_registry.domain.enforcement import Proof, Verdict
from hms_registry.store import tables
from hms_registry.store.codec import bindable, dump, is_bindable, time_text
from hms_registry.store.proof_documents import parse_proof, proof_document
from hms_registry.store.session import Session

_table = tables.proofs
_LATEST = (_table.c.at.desc(), _table.c.query_id.desc())


class SqlProofs:
    """Implements `Proofs`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def put(self, proof: Proof) -> bool:
        """Keep what was found of a query, once its end is told for good."""
        query_id = bindable(proof.query.query_id)
        before = self._session.read(select(_table.c.verdict).where(_table.c.query_id == query_id)).scalar()
        if before not in {None, Verdict.RUNNING.value} or before == proof.verdict.value:
            return False
        row = {
            "at": time_text(proof.query.created_at),
            "verdict": proof.verdict.value,
            "document": dump(proof_document(proof)),
        }
        if before is None:
            self._session.write_unseen(insert(_table), [{"query_id": query_id, **row}])
        else:
            self._session.write_unseen(update(_table).where(_table.c.query_id == query_id).values(row))
        if proof.verdict is Verdict.ALARM:
            self._emit(proof)
        return True

    def _emit(self, proof: Proof) -> None:
        """Tell of it in the feed, once a dataset and kind: an event of a dataset is told to who may find it, so it
        names nobody who asked."""
        self._session.mark_written()
        for kind, dataset_id in dict.fromkeys((each.kind.value, each.dataset_id) for each in proof.alarms):
            self._session.emit("EnforcementFailed", dataset_id, query=bindable(proof.query.query_id), alarm=kind)

    def find(self, query_id: str) -> Proof | None:
        """By the engine's id."""
        if not is_bindable(query_id):
            return None
        row = self._session.read(select(_table).where(_table.c.query_id == query_id)).one_or_none()
        return None if row is None else _proof(row)

    def known(self, query_ids: Collection[str]) -> frozenset[str]:
        """Those that are not running any more."""
        asked = [each for each in query_ids if is_bindable(each)]
        if not asked:
            return frozenset()
        among = self._session.dialect.among(_table.c.query_id, asked)
        statement = select(_table.c.query_id).where(among, _table.c.verdict != Verdict.RUNNING.value)
        return frozenset(self._session.read(statement).scalars())

    def running(self, *, before: datetime, limit: int = 1000) -> list[Proof]:
        """Oldest first."""
        statement = select(_table).where(_table.c.verdict == Verdict.RUNNING.value, _table.c.at < time_text(before))
        rows = self._session.read(statement.order_by(_table.c.at, _table.c.query_id).limit(limit))
        return [_proof(row) for row in rows]

    def alarms(self, *, limit: int = 100) -> list[Proof]:
        """Latest first."""
        statement = select(_table).where(_table.c.verdict == Verdict.ALARM.value)
        return [_proof(row) for row in self._session.read(statement.order_by(*_LATEST).limit(limit))]

    def count_alarms(self) -> int:
        """How many queries have one."""
        alarms = select(func.count()).select_from(_table).where(_table.c.verdict == Verdict.ALARM.value)
        return int(self._session.read(alarms).scalar() or 0)


def _proof(row: Row[Any]) -> Proof:
    return parse_proof(json.loads(row.document))
