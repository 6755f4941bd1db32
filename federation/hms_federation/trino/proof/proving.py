"""Make the proof of one query: each table that it read is decided anew, under the policy of that moment.

Trino 476 tells its access control no id of a query, so no decision can be tied to one: it is made again, for who read,
as which groups, what they read. What decides is what answered Trino then, with the policy files that were in force.
Labels are those of now: a dataset that was labelled anew meanwhile is told in a note, and its alarm stands.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

from hms_federation.trino.opa.system import is_of_system
from hms_federation.trino.people import own_schema
from hms_federation.trino.proof.deciding import Decided
from hms_federation.trino.proof.judging import judge
from hms_registry.domain.datasets import Dataset, DatasetId
from hms_registry.domain.enforcement import Alarm, AppliedQuery, AppliedTable, Proof, Verdict
from hms_registry.domain.names import TrinoName
from hms_registry.ports.bundles import Bundle
from hms_registry.ports.catalogue import UnitOfWork
from hms_registry.services.trino_settings import TrinoSettings

SKEW: Final = timedelta(seconds=2)
"""How far the clocks of Trino and of the registry may be apart, and a policy be under way: within it, either counts."""


class Decider(Protocol):
    """Decides as the answers to Trino do, under any policy that was published."""

    def decide(self, bundle: Bundle, *, user: str, groups: frozenset[str], dataset: Dataset) -> Decided:
        """Return what one policy decides of a dataset for a user of Trino."""
        ...

    def explain(
        self, bundle: Bundle, *, user: str, groups: frozenset[str], dataset: Dataset, columns: Collection[str]
    ) -> list[str]:
        """Say why, of the dataset and of some columns of it, naming file and line of each rule."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Prover:
    """Makes proofs.

    Attributes:
        settings: they name the registry's own users in Trino, which read what its views and masks are made of, and
            the catalog in which people make tables of their own.
    """

    decider: Decider
    settings: TrinoSettings

    def prove(self, query: AppliedQuery, *, uow: UnitOfWork) -> Proof:
        """Hold what was applied against what was decided."""
        if query.ended_at is None:
            return Proof(query=query, verdict=Verdict.RUNNING)
        bundles = uow.bundles.in_force(since=query.created_at - SKEW, until=query.ended_at + SKEW)
        read = [each for each in query.tables if self._is_governed(each)]
        datasets = {each.name: _resolve(each, uow=uow) for each in read}
        alarms: list[Alarm] = []
        for table in read:
            alarms += judge(table, self._decided(query, table, datasets[table.name], bundles=bundles))
        verdict = Verdict.ALARM if alarms else Verdict.PROVEN if query.tables else Verdict.UNTOLD
        return Proof(
            query=query,
            verdict=verdict,
            alarms=tuple(alarms),
            policy_epochs=tuple(each.epoch for each in bundles),
            notes=tuple(_notes(query, bundles, moved=_moved(query, alarms, datasets.values(), uow=uow))),
        )

    def explain(self, query: AppliedQuery, table: AppliedTable, *, uow: UnitOfWork) -> list[str]:
        """Say which rules decided of a table, under the last policy that was in force while the query ran."""
        dataset = _resolve(table, uow=uow) if self._is_governed(table) else None
        ended_at = query.ended_at or query.created_at
        bundles = uow.bundles.in_force(since=query.created_at - SKEW, until=ended_at + SKEW)
        if dataset is None or not bundles:
            return []
        return self.decider.explain(
            bundles[-1],
            user=table.authorization,
            groups=_groups(query, table),
            dataset=dataset,
            columns=[each.name for each in table.columns],
        )

    def _is_governed(self, table: AppliedTable) -> bool:
        """Say whether policies decide of a table: not of Trino's own, not of the person's own, and not
        of what the registry itself reads."""
        name = TrinoName(table.catalog, table.schema, table.table)
        is_own = table.catalog == self.settings.scratch and table.schema == own_schema(table.authorization)
        return not (is_own or is_of_system(name)) and table.authorization not in self._own_users

    @property
    def _own_users(self) -> tuple[str, str]:
        return self.settings.user, self.settings.evaluator

    def _decided(
        self, query: AppliedQuery, table: AppliedTable, dataset: Dataset | None, *, bundles: Sequence[Bundle]
    ) -> list[Decided]:
        if dataset is None:
            return []
        if not bundles:
            return [Decided(epoch=0, dataset_id=dataset.id, may_read=False, reason="no policy was published")]
        groups = _groups(query, table)
        return [self.decider.decide(each, user=table.authorization, groups=groups, dataset=dataset) for each in bundles]


def _groups(query: AppliedQuery, table: AppliedTable) -> frozenset[str]:
    """Return the groups of who read a table: Trino tells only those of who asked, not of a view's owner."""
    return query.groups if table.authorization == query.user else frozenset()


def _resolve(table: AppliedTable, *, uow: UnitOfWork) -> Dataset | None:
    return uow.datasets.resolve(TrinoName(table.catalog, table.schema, table.table))


def _moved(
    query: AppliedQuery, alarms: Sequence[Alarm], datasets: Iterable[Dataset | None], *, uow: UnitOfWork
) -> list[Dataset]:
    """Return the datasets of alarms that were written since the query began: their labels may be others now."""
    named: set[DatasetId | None] = {each.dataset_id for each in alarms}
    concerned = [each for each in datasets if each is not None and each.id in named]
    if not concerned:
        return []
    epoch = uow.walks.epoch_at(query.created_at - SKEW)
    return [each for each in concerned if each.epoch > epoch]


def _notes(query: AppliedQuery, bundles: Sequence[Bundle], *, moved: Sequence[Dataset]) -> list[str]:
    notes = []
    if len(bundles) > 1:
        epochs = " and ".join(str(each.epoch) for each in bundles)
        notes.append(f"the policy changed while it ran, or just before: either of epochs {epochs} counts")
    notes += [f"{each.trino_name} was written since it began, so its labels may be others now" for each in moved]
    if query.error and not query.tables:
        notes.append("it failed before Trino said what it reads")
    return notes
