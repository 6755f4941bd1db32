"""Trino's five questions, each answered at one moment of the catalogue and under the policy in force at it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from hms_federation.trino.names import CataloguedNames, PolicyMoved
from hms_federation.trino.opa.asked import Asked, AskedColumn, column_of, table_of
from hms_federation.trino.opa.expressions import Expression, column_mask, link_key, row_filters
from hms_federation.trino.opa.judging import Judge
from hms_federation.trino.people import Asker, asker_of
from hms_registry.domain.names import TrinoName
from hms_registry.domain.principals import Principal
from hms_registry.errors import CatalogueUnavailable

if TYPE_CHECKING:
    from hms_federation.trino.opa.seeing import Seen
    from hms_policies import PolicyDecisions
    from hms_registry.ports.catalogue import Catalogue, Moment
    from hms_registry.services.trino_settings import TrinoSettings

_TRIES: Final = 5
_PEOPLE: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An answer, and what the audit and the metrics say of it.

    Attributes:
        result: as JSON has it.
        epoch: of the catalogue that it was decided at.
        unregistered: tables that were asked for and that nobody registered.
    """

    result: object
    asker: Asker
    epoch: int
    is_allowed: bool = True
    unregistered: int = 0


@dataclass(kw_only=True)
class Access:
    """What Trino asks of one registry. Thread-safe.

    Attributes:
        decisions: of the bundle in force at a moment.
    """

    catalogue: Catalogue
    decisions: Callable[[Moment], PolicyDecisions]
    settings: TrinoSettings
    names: CataloguedNames = field(init=False)
    _found: tuple[PolicyDecisions | None, defaultdict[Principal, dict[int, bool]]] = (None, defaultdict(dict))

    def __post_init__(self) -> None:
        self.names = CataloguedNames(self.catalogue)

    def allow(self, asked: Asked) -> Told:
        """Say whether an operation may be done.

        Raises:
            PolicyNotPublished, CatalogueError
        """
        return self._told(asked, lambda judge: judge.allows(asked))

    def batch(self, asked: Asked) -> Told:
        """Say which of some resources may be seen, by their places.

        Raises:
            PolicyNotPublished, CatalogueError
        """
        return self._told(asked, lambda judge: judge.among(asked))

    def row_filters(self, asked: Asked) -> Told:
        """Return the conditions that every row of a table must pass.

        Raises:
            PolicyInvalid: one does not fit the table; PolicyNotPublished, CatalogueError
        """
        evaluator = self.settings.evaluator
        return self._told(asked, lambda judge: row_filters(judge.seen(table_of(asked.resource)), evaluator=evaluator))

    def column_mask(self, asked: Asked) -> Told:
        """Return what a column shows instead of its values, or None.

        Raises:
            PolicyNotPublished, CatalogueError
        """
        column = column_of(asked.resource)
        return self._told(asked, lambda judge: self._mask(judge.seen(column.table), column))

    def column_masks(self, asked: Asked) -> Told:
        """Return the masks of some columns, by their places.

        Raises:
            PolicyNotPublished, CatalogueError
        """
        columns = [column_of(each) for each in asked.resources]
        return self._told(asked, partial(self._masks, columns))

    def _masks(self, columns: list[AskedColumn], judge: Judge) -> list[dict[str, object]]:
        seen: dict[TrinoName, Seen] = {}
        for column in columns:
            if column.table not in seen:
                seen[column.table] = judge.seen(column.table)
        written = (self._mask(seen[column.table], column) for column in columns)
        return [{"index": at, "viewExpression": mask} for at, mask in enumerate(written) if mask is not None]

    def _mask(self, seen: Seen, column: AskedColumn) -> Expression | None:
        key = link_key(self.settings.key_table)
        return column_mask(seen, column, evaluator=self.settings.evaluator, key=key)

    def _told(self, asked: Asked, answer: Callable[[Judge], object]) -> Told:
        for _ in range(_TRIES):
            moment = self.catalogue.moment()
            decisions, names = self.decisions(moment), self.names.at(moment)
            if names.policy_epoch != decisions.epoch:
                continue
            judge = Judge(
                asker=asker_of(asked.user, asked.groups, decisions=decisions, settings=self.settings),
                names=names,
                decisions=decisions,
                settings=self.settings,
                dataset=partial(self.names.dataset, names=names),
                found=self._found_under(decisions),
            )
            try:
                result = answer(judge)
            except PolicyMoved:
                continue
            is_allowed = result is not False
            return Told(
                result=result,
                asker=judge.asker,
                epoch=names.epoch,
                is_allowed=is_allowed,
                unregistered=judge.unregistered,
            )
        raise CatalogueUnavailable("policies are published faster than they can be asked", hint="ask again")

    def _found_under(self, decisions: PolicyDecisions) -> Mapping[Principal, dict[int, bool]]:
        """Return what is known of who may find which classes: under one bundle, of as many people as ask."""
        under, found = self._found
        if under is not decisions or len(found) > _PEOPLE:
            found = defaultdict(dict)
            self._found = (decisions, found)
        return found
