"""Asking: what a question may see, under one policy, and the record of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

from hms_federation.known import Known
from hms_registry.domain.datasets import Dataset, DatasetId
from hms_registry.domain.decisions import Decision
from hms_registry.domain.names import TrinoName
from hms_registry.domain.principals import Principal
from hms_registry.errors import AccessDenied, CatalogueError, CatalogueUnavailable, HmsError, NotFound, QueryFailed
from hms_registry.ports.catalogue import Catalogue
from hms_registry.ports.policy import Decisions
from hms_registry.ports.records import AuditEntry
from hms_registry.services.catalogue import absent

if TYPE_CHECKING:
    from hms_federation.plan import Plan

TRIES = 3


class Planner(Protocol):
    """From SQL to a plan, by what *resolve* finds and *decide* allows; both raise for what may not be."""

    def __call__(
        self,
        sql: str,
        *,
        resolve: Callable[[TrinoName], Dataset],
        decide: Callable[[Dataset], Decision],
        explains: bool,
    ) -> Plan:
        """Plan it. Raises: SqlInvalid, SqlRefused, and what its arguments raise."""
        ...


@dataclass(kw_only=True)
class Asking:
    """One question of one person, while it is answered.

    Attributes:
        decisions: those of the bundle in force, asked anew each time.
        now: the clock of the audit.
        known: what names meant a moment ago.
        explains: it is only asked what would be asked.
    """

    sql: str
    principal: Principal
    catalogue: Catalogue
    decisions: Callable[[], Decisions]
    planner: Planner
    now: Callable[[], datetime]
    known: Known = field(default_factory=Known)
    explains: bool = False
    epoch: int = 0
    touched: list[DatasetId] = field(default_factory=list)

    def plan(self) -> Plan:
        """Resolve, decide and plan in one unit, under the bundle that is in force in it.

        Raises:
            DatasetNotFound: it is not there, or not for this person: one answer, one way to it.
            AccessDenied: it may be found and not be read.
            SqlInvalid, SqlRefused
        """
        for _ in range(TRIES):
            plan = self._plan_under(self.decisions())
            if plan is not None:
                return plan
        raise policy_moves()

    def _plan_under(self, decisions: Decisions) -> Plan | None:
        with self.catalogue.unit() as uow:
            if uow.bundles.epoch() != decisions.epoch:
                return None
            self.epoch = decisions.epoch
            self.touched = []
            decided: dict[DatasetId, Decision] = {}
            epoch = uow.epoch()

            def resolve(name: TrinoName) -> Dataset:
                found = self.known.find(name, epoch=epoch) or uow.datasets.resolve(name)
                if found is not None:
                    self.known.keep(name, found, epoch=epoch)
                    self.touched.append(found.id)
                    decided[found.id] = decisions.decide(self.principal, found.labels)
                    if decided[found.id].may_find:
                        return found
                raise absent(str(name), uow=uow, principal=self.principal, decisions=decisions)

            def decide(dataset: Dataset) -> Decision:
                return _readable(dataset, decided[dataset.id])

            return self.planner(self.sql, resolve=resolve, decide=decide, explains=self.explains)

    def is_still_allowed(self, plan: Plan) -> bool:
        """Return whether the policy in force now makes the same plan; one cheap statement where it did not move."""
        with self.catalogue.unit() as uow:
            if uow.bundles.epoch() == self.epoch:
                return True
        return self.plan() == plan

    def record(
        self,
        outcome: Literal["allowed", "denied", "failed"],
        plan: Plan | None = None,
        told: Mapping[str, str] | None = None,
        *,
        error: HmsError | None = None,
    ) -> None:
        """Write the audit entry, in a unit of its own. Never a literal of the query: only a digest of its text.

        Args:
            told: what the engine says of itself.

        Raises:
            CatalogueUnavailable: it could not be written, so nothing may be answered.
        """
        detail = {
            "sql_sha256": hashlib.sha256(self.sql.encode(errors="surrogatepass")).hexdigest(),
            "datasets": ",".join(dict.fromkeys(self.touched)),
            "asked_by": self.principal.asked_by,
            **(told or {}),
        }
        if plan is not None:
            detail["governed"] = json.dumps(
                {
                    each.dataset_id: {"row_filters": each.row_filters, "masks": dict(each.masks)}
                    for each in plan.governed
                },
                sort_keys=True,
            )
            keys = _told(plan)
            if keys:
                detail["keys_told"] = json.dumps(keys, sort_keys=True)
        if error is not None:
            detail["error"] = error.code
        entry = AuditEntry(
            at=self.now(),
            subject=self.principal.subject,
            auth_method=self.principal.auth_method,
            action="sql-explain" if self.explains else "sql",
            outcome=outcome,
            epoch=self.epoch,
            detail=detail,
        )
        try:
            with self.catalogue.unit(writes=True) as uow:
                uow.audit.record(entry)
                uow.commit()
        except CatalogueError as exc:
            raise CatalogueUnavailable(
                "the query could not be recorded, so it is not answered", hint=f"{exc.message}; {exc.hint}".strip("; ")
            ) from exc

    def record_failure(self, error: HmsError) -> None:
        """Write down that it was denied or failed; that it cannot be written does not hide why."""
        outcome: Literal["denied", "failed"] = "denied" if isinstance(error, AccessDenied | NotFound) else "failed"
        with suppress(CatalogueError):
            self.record(outcome, error=error)


def _told(plan: Plan) -> list[dict[str, str]]:
    """Return whose keys another source may be told."""
    scans = {planned.relation: planned for planned in plan.scans}
    told = []
    for each in plan.key_lists:
        feeder, target = scans[each.feeder], scans[each.target]
        if feeder.source != target.source:
            told.append({"dataset": feeder.dataset_id, "column": str(each.key), "to": target.source})
    return told


def _readable(dataset: Dataset, decision: Decision) -> Decision:
    if not decision.may_read:
        whom = dataset.owner or dataset.agency
        raise AccessDenied(
            f"you may find {dataset.trino_name}, but not read it" + (f": {decision.reason}" if decision.reason else ""),
            hint=f"ask {whom} for access" if whom else "ask who governs it for access",
        )
    if not dataset.is_readable:
        raise AccessDenied(
            f"{dataset.trino_name} cannot be read with the registry's own account",
            hint=f"have source {dataset.address.source} grant it, then hms-dta crawl",
        )
    return decision


def policy_moves() -> QueryFailed:
    """Say that it was another one each time."""
    return QueryFailed("the policy changes too often to answer under one", hint="ask again in a moment")
