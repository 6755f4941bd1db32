"""The history of a dataset as one person may see it: its versions, what changed, and how grave that is.

A name that is gone may be what a hidden column was called before. So names that are gone are shown only to who may
see every column that there is and that there ever was; to anybody else none of them is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from hms_registry.domain.changes import Change, Grade, History
from hms_registry.domain.columns import Column, PrivacyTier
from hms_registry.domain.datasets import ForeignKey, Version
from hms_registry.domain.decisions import Decision, Mask
from hms_registry.domain.labels import ColumnLabels
from hms_registry.domain.principals import Principal
from hms_registry.errors import VersionNotFound
from hms_registry.ports.catalogue import UnitOfWork
from hms_registry.ports.policy import Decisions
from hms_registry.services.catalogue import View, view_of
from hms_registry.services.schema_changes import Schema, changes_between


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenVersion:
    """One schema version, with the columns that the person may see and the mask that each meets."""

    version: Version
    columns: tuple[tuple[Column, Mask], ...]
    primary_key: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A version of which the person may see a change; the first has none."""

    version: Version
    changes: tuple[Change, ...]

    @property
    def grade(self) -> Grade:
        """How grave its gravest change is."""
        return Grade.of(self.changes)


@dataclass
class Past:
    """What one person may see of a dataset's versions."""

    view: View
    history: History
    uow: UnitOfWork
    principal: Principal
    decisions: Decisions

    def get(self, number: int) -> SeenVersion:
        """Get one schema version.

        Raises:
            VersionNotFound
        """
        found = next((each for each in self.history.versions if each.number == number), None)
        if found is None:
            raise VersionNotFound(
                f"{self.view.dataset.address} has no version {number}",
                hint=f"it has versions 1 to {len(self.history.versions)}",
            )
        decision = self.view.decision
        columns = tuple((column, decision.mask(column.name)) for column in found.columns if self._shows(column.name))
        return SeenVersion(version=found, columns=columns, primary_key=self._schema(found).primary_key)

    def steps(self) -> list[Step]:
        """Return the first version, and each in which the person may see a change; oldest first."""
        first, *_ = self.history.versions
        later = (self.step(version.number) for version in self.history.versions[1:])
        return [Step(version=first, changes=()), *(step for step in later if step is not None)]

    def step(self, number: int) -> Step | None:
        """Return what changed with a version; None if there was none before it, or nothing of it may be seen."""
        by_number = {version.number: version for version in self.history.versions}
        before, after = by_number.get(number - 1), by_number.get(number)
        if before is None or after is None:
            return None
        changes = changes_between(self._schema(before), self._schema(after))
        return Step(version=after, changes=changes) if changes else None

    def _schema(self, version: Version) -> Schema:
        columns = tuple(column for column in version.columns if self._shows(column.name))
        shown = {column.name for column in columns}
        return Schema(
            columns=columns,
            primary_key=version.primary_key if shown.issuperset(version.primary_key) else (),
            foreign_keys=tuple(
                key for key in version.foreign_keys if shown.issuperset(key.columns) and self._may_know(key)
            ),
        )

    def _shows(self, name: str) -> bool:
        return self.view.decision.mask(name) is not Mask.DENY if name in self._now else self._sees_all

    @cached_property
    def _now(self) -> frozenset[str]:
        return frozenset(column.name for column in self.view.dataset.columns)

    @cached_property
    def _sees_all(self) -> bool:
        """True if nothing of this dataset, now and before, is kept from the person."""
        decision = self.view.decision
        if not decision.may_read or len(self.view.columns) != len(self.view.dataset.columns):
            return False
        gone = {
            column.name: column
            for version in self.history.versions
            for column in version.columns
            if column.name not in self._now
        }
        labels = tuple((name, self._labels_of(column)) for name, column in gone.items())
        asked = replace(self.view.dataset.labels, columns=labels)
        then = self.decisions.decide(self.principal, asked)
        return all(_is_shown(then, name) for name in gone)

    def _labels_of(self, column: Column) -> ColumnLabels:
        """Return the labels that a column had when it left, under its name; unknown ones are the strictest."""
        kept = self.history.departed.get(column.name)
        if kept is None:
            kept = ColumnLabels(tags=column.tags, privacy_tier=PrivacyTier.RESTRICTED)
        return replace(kept, name=column.name)

    def _may_know(self, key: ForeignKey) -> bool:
        """Say whether the person may see all that a foreign key leads to, as it is now."""
        target = self.uow.datasets.find(key.target)
        seen = None if target is None else view_of(target, principal=self.principal, decisions=self.decisions)
        return seen is not None and {column.name for column, _ in seen.columns}.issuperset(key.target_columns)


def _is_shown(decision: Decision, name: str) -> bool:
    return decision.may_find and decision.mask(name) is not Mask.DENY


def past_of(view: View, *, uow: UnitOfWork, principal: Principal, decisions: Decisions) -> Past:
    """Return what the person who has this view may see of its past."""
    history = uow.histories.of([view.dataset.id])[view.dataset.id]
    return Past(view=view, history=history, uow=uow, principal=principal, decisions=decisions)


def step_fact(step: Step) -> dict[str, object]:
    """One version of a history as plain values."""
    return {
        "version": step.version.number,
        "since": step.version.created_at.isoformat(),
        "grade": str(step.grade) if step.changes else "",
        "changes": [change_fact(change) for change in step.changes],
    }


def change_fact(change: Change) -> dict[str, str]:
    """One change as plain values."""
    told = {"kind": str(change.kind), "subject": change.subject, "grade": str(change.grade)}
    return told | {name: text for name, text in (("before", change.before), ("after", change.after)) if text}
