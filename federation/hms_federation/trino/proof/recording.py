"""Take Trino's events: each is proven once, kept with what was found, and an alarm is written where everybody looks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from hms_federation.trino.proof.event import read_event
from hms_federation.trino.proof.proving import Prover
from hms_registry.domain.enforcement import Proof, Verdict
from hms_registry.ports.catalogue import Catalogue, UnitOfWork
from hms_registry.ports.records import AuditEntry

logger = logging.getLogger(__name__)

_NAMED = 20
"""Alarms that one line of the audit names; the proof itself has them all."""


class QueryEvents:
    """What Trino tells of its queries. Thread-safe."""

    def __init__(self, *, catalogue: Catalogue, prover: Prover, clock: Callable[[], datetime]) -> None:
        self._catalogue = catalogue
        self._prover = prover
        self._clock = clock

    def take(self, body: bytes) -> Proof:
        """Read an event and keep what follows from it; told again, it changes nothing.

        Raises:
            QueryEventInvalid: it is no event of a query.
            CatalogueError: it cannot be kept now, so Trino should send it again.
        """
        query = read_event(body)
        with self._catalogue.unit() as uow:
            known = uow.proofs.find(query.query_id)
            if known is not None and (query.ended_at is None or known.verdict is not Verdict.RUNNING):
                return known
            proof = self._prover.prove(query, uow=uow)
        self.keep(proof)
        return proof

    def keep(self, *proofs: Proof) -> None:
        """Write what was found of queries, and an alarm into the audit and the feed with it.

        Raises:
            CatalogueError
        """
        with self._catalogue.unit(writes=True) as uow:
            kept = [each for each in proofs if uow.proofs.put(each)]
            alarms = [each for each in kept if each.verdict is Verdict.ALARM]
            if alarms:
                uow.audit.record(*(self._line(each, uow=uow) for each in alarms))
            uow.commit()
        for each in alarms:
            kinds = ", ".join(sorted({alarm.kind.value for alarm in each.alarms}))
            logger.error("alarm: query %s: %s: see hms-dta audit query", each.query.query_id, kinds)

    def _line(self, proof: Proof, *, uow: UnitOfWork) -> AuditEntry:
        told = [f"{each.kind.value} {each.table} {each.column}".rstrip() for each in proof.alarms]
        return AuditEntry(
            at=self._clock(),
            subject=proof.query.user,
            auth_method="trino",
            action="alarm",
            outcome="failed",
            epoch=uow.epoch(),
            detail={"query": proof.query.query_id, "count": str(len(told)), "alarms": ", ".join(told[:_NAMED])},
        )
