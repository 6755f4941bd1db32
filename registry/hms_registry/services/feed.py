"""The feed of events as one person may read it: what happened, in commit order, and how grave each of it is.

An event says little when it is written; what it tells is made when it is read, under the policy of then. So who may not
see a dataset, a column or a former name learns nothing of it here either.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from hms_registry.domain.changes import Change, Grade
from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.principals import Principal
from hms_registry.errors import SettingsInvalid
from hms_registry.ports.catalogue import UnitOfWork
from hms_registry.ports.policy import Decisions
from hms_registry.ports.records import Event
from hms_registry.services.catalogue import View, may_know_source, views_of
from hms_registry.services.history import Past, Step, change_fact

_CURSOR = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,15}))?\Z")
_GRADES: Final = {
    "DatasetRegistered": Grade.COMPATIBLE,
    "DatasetChanged": Grade.COMPATIBLE,
    "DatasetReturned": Grade.COMPATIBLE,
    "DatasetDeprecated": Grade.COMPATIBLE,
    "DatasetReinstated": Grade.COMPATIBLE,
    "DatasetRenamed": Grade.BREAKING,
    "DatasetGone": Grade.BREAKING,
}


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A place in the feed: the epoch and the number of an event in it. What comes next is later."""

    epoch: int = 0
    sequence: int = 0

    def __str__(self) -> str:
        return f"{self.epoch}.{self.sequence}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Read back what `str(cursor)` prints; an epoch alone stands before all of its events.

        Raises:
            SettingsInvalid: it is none.
        """
        match = _CURSOR.match(text)
        if match is None:
            raise SettingsInvalid("that is no place in the feed", hint="take the id of an event, e.g. 12.3; 0 = all")
        return cls(int(match[1]), int(match[2] or 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One event as somebody may know it.

    Attributes:
        grade: None where nothing of a dataset changed.
        facts: what else there is to tell, by name.
    """

    cursor: Cursor
    kind: str
    at: datetime | None
    grade: Grade | None = None
    changes: tuple[Change, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """Return it as plain values, the same at every door."""
        told: dict[str, object] = {"id": str(self.cursor), "type": self.kind}
        if self.at is not None:
            told["at"] = self.at.isoformat()
        if self.grade is not None:
            told["grade"] = str(self.grade)
        told |= self.facts
        if self.changes:
            told["changes"] = [change_fact(change) for change in self.changes]
        return told


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPage:
    """Some of the feed. *end*: how far was looked, also at what may not be told; *has_more*: there is more after it."""

    events: tuple[Told, ...]
    end: Cursor
    has_more: bool


def read_feed(after: Cursor, *, limit: int, uow: UnitOfWork, principal: Principal, decisions: Decisions) -> FeedPage:
    """Read what happened after a place, at most *limit* events of it, as far as the person may know."""
    rest = uow.outbox.since(after.epoch - 1, limit=1)  # one epoch, whole: that of the cursor, if it has events
    found = [each for each in rest if each.epoch == after.epoch and each.sequence > after.sequence]
    found += uow.outbox.since(after.epoch, limit=limit + 1)
    taken = found[:limit]
    reader = _Reader(taken, uow=uow, principal=principal, decisions=decisions)
    events = tuple(told for each in taken if (told := reader.tell(each)) is not None)
    return FeedPage(events=events, end=_place(taken[-1]) if taken else after, has_more=len(found) > len(taken))


def _place(event: Event) -> Cursor:
    return Cursor(event.epoch, event.sequence)


class _Reader:
    """Tells the events of one page. A fixed number of statements, but for foreign keys and sources."""

    def __init__(self, events: Sequence[Event], *, uow: UnitOfWork, principal: Principal, decisions: Decisions) -> None:
        self._uow, self._principal, self._decisions = uow, principal, decisions
        named = sorted({each.dataset_id for each in events if each.dataset_id is not None})
        self._views = views_of(named, uow=uow, principal=principal, decisions=decisions)
        changed = {each.dataset_id for each in events if each.kind == "SchemaChanged" and each.dataset_id is not None}
        shown = [each for each in changed if each in self._views]
        self._pasts = {
            each: Past(view=self._views[each], history=history, uow=uow, principal=principal, decisions=decisions)
            for each, history in (uow.histories.of(shown) if shown else {}).items()
        }
        self._sources: dict[str, bool] = {}

    def tell(self, event: Event) -> Told | None:
        """Return an event as far as it may be told; None if nothing of it may."""
        told = Told(cursor=_place(event), kind=event.kind, at=event.at)
        if event.dataset_id is not None:
            return self._of_dataset(event, event.dataset_id, told)
        if "source" in event.payload:
            name = event.payload["source"]
            return replace(told, facts={"source": name}) if self._may_know_source(name) else None
        return told  # a policy was published: what is in it is not for everybody

    def _of_dataset(self, event: Event, dataset_id: DatasetId, told: Told) -> Told | None:
        view = self._views.get(dataset_id)
        names = [event.payload[key] for key in ("address", "former") if key in event.payload]
        if view is None or not all(self._may_know_name(view, name) for name in names):
            return None
        if (column := event.payload.get("column")) is not None and column not in view.names:
            return None
        facts = {"dataset": str(dataset_id), **dict(event.payload)}
        if event.kind != "SchemaChanged":
            return replace(told, grade=_GRADES.get(event.kind), facts=facts)
        step = self._step(event, dataset_id)
        return None if step is None else replace(told, grade=step.grade, changes=step.changes, facts=facts)

    def _step(self, event: Event, dataset_id: DatasetId) -> Step | None:
        past = self._pasts.get(dataset_id)
        return None if past is None else past.step(int(event.payload["version"]))

    def _may_know_name(self, view: View, name: str) -> bool:
        """Say whether it could be found under a name that it may not have any more."""
        dataset = view.dataset
        if name == str(dataset.address):
            return True
        return self._decisions.decide(self._principal, replace(dataset.labels, name=name)).may_find

    def _may_know_source(self, name: str) -> bool:
        """Say whether anything of a source may be found."""
        if name not in self._sources:
            self._sources[name] = may_know_source(
                name, uow=self._uow, principal=self._principal, decisions=self._decisions
            )
        return self._sources[name]
