"""Put an examination together: what asks Trino, what compares its catalogs, and whom the canary is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Final

from hms_federation.trino.asking.coordinator import Coordinator
from hms_federation.trino.catalogs import CatalogState, State, TableState, TrinoCatalogs, catalog_states
from hms_federation.trino.catalogs.live import Live
from hms_federation.trino.catalogs.tables import RAW
from hms_federation.trino.doctor.canary import Canary, choose
from hms_federation.trino.doctor.examining import Examination, listed_queries
from hms_federation.trino.opa.seeing import stricter
from hms_federation.trino.people import Kind, asker_of
from hms_federation.trino.proof.recording import QueryEvents
from hms_federation.trino.proof.sweeping import LISTED, WAIT, overdue, untold
from hms_policies import PolicyDecisions, known_names
from hms_registry.domain.datasets import Dataset
from hms_registry.domain.decisions import DENIED, Decision
from hms_registry.domain.findings import Finding, Grade

_DATASETS: Final = 500
"""Datasets among which the canary's is looked for, and people: the policy is asked of each with each."""
_PEOPLE: Final = 50


def examine(
    catalogs: TrinoCatalogs, *, decisions: Callable[[], PolicyDecisions], clock: Callable[[], datetime]
) -> list[Finding]:
    """Look at everything there is to see of a Trino.

    Raises:
        NotInstalled: Trino's client is missing.
    """
    settings = catalogs.settings
    with Coordinator(settings) as coordinator:

        def ask_as(sql: str, user: str) -> Sequence[Sequence[object]]:
            return Live(coordinator, user=user).rows(sql)

        return Examination(
            settings=settings,
            catalogue=catalogs.catalogue,
            ask_as=ask_as,
            catalog_states=lambda: catalog_findings(catalog_states(catalogs)),
            choose_canary=lambda: _canary(catalogs, decisions()),
            is_ours=lambda name: name.schema == RAW,
            clock=clock,
        ).findings()


def sweep(trino: TrinoCatalogs, *, events: QueryEvents, since: datetime, now: datetime) -> int:
    """Raise an alarm of each query that began since then and whose end Trino did not tell; return how many.

    Raises:
        TrinoUnreachable, CredentialsRejected, QueryFailed: Trino does not list its queries.
        CatalogueError
    """
    with Coordinator(trino.settings) as coordinator:
        rows = Live(coordinator, user=trino.settings.user).rows(LISTED)
    listed = [each for each in listed_queries(rows) if each.created_at >= since]
    with trino.catalogue.unit() as uow:
        known = uow.proofs.known([each.query_id for each in overdue(listed, now=now)])
        running = [each for each in uow.proofs.running(before=now - WAIT) if each.query.created_at >= since]
    found = list(untold(listed, known=known, running=running, now=now))
    if found:
        events.keep(*found)
    return len(found)


def catalog_findings(states: Sequence[CatalogState]) -> Iterator[Finding]:
    """Tell what is the matter with catalogs and their tables."""
    for state in states:
        if not state.state.is_ok:
            yield _finding(f"catalog {state.name}", state)
        yield from (_finding(table.name, table) for table in state.tables if not table.state.is_ok)
    present = sum(state.state is State.PRESENT for state in states)
    if present:
        yield Finding(check="catalogs", fact=f"{present} catalogs are as their sources say")


def _finding(name: str, state: CatalogState | TableState) -> Finding:
    is_for_sync = state.state in (State.MISSING, State.DRIFTED, State.LEFT_OVER)
    return Finding(
        check="catalogs",
        fact=f"{name}: {state.state}{f': {state.reason}' if state.reason else ''}",
        grade=Grade.WARNING if state.state in (State.WAITING, State.FOREIGN) else Grade.WRONG,
        change=state.hint or ("hms-dta trino sync" if is_for_sync else "hms-dta trino status"),
    )


def _canary(catalogs: TrinoCatalogs, decisions: PolicyDecisions) -> Canary | None:
    """Choose among the first datasets of the sources that Trino has; by settings.yml, or among the people of
    roles.yml."""
    named = catalogs.settings.canary
    known = (each for each in known_names(decisions.bundle) if not each.startswith("role:"))
    people = [named] if named else list(islice(known, _PEOPLE))
    with catalogs.catalogue.unit() as uow:
        datasets = [each for source in catalogs.sources for each in uow.datasets.iter(source=source, limit=_DATASETS)]

    def decide(person: str, dataset: Dataset) -> Decision:
        asker = asker_of(person, frozenset(), decisions=decisions, settings=catalogs.settings)
        if asker.kind is not Kind.PERSON:
            return DENIED
        return stricter([decisions.decide(side, dataset.labels) for side in asker.sides])

    return choose(people, datasets[:_DATASETS], decide=decide)
