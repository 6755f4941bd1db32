"""Taking events: each is matched with what is registered, kept, and followed by its edges, in one unit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hms_registry.domain.columns import Column, ColumnPath
from hms_registry.domain.names import Address
from hms_registry.domain.principals import Principal
from hms_registry.domain.runs import LineageEvent, Meaning, OuterName, StatedDataset
from hms_registry.errors import EventInvalid, SettingsInvalid
from hms_registry.ports.catalogue import Catalogue, UnitOfWork
from hms_registry.ports.records import AuditEntry
from hms_registry.services.openlineage.naming import Naming
from hms_registry.services.openlineage.reading import read_event
from hms_registry.services.trino_types import canonical

MAX_EVENTS: Final = 500
"""In a batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An event of a batch that was not taken, and why."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Taker:
    """Takes events for somebody who may send them."""

    catalogue: Catalogue
    naming: Naming
    principal: Principal
    clock: Callable[[], datetime]

    def one(self, value: object) -> None:
        """Take one event; what reads afterwards sees it.

        Raises:
            EventInvalid
        """
        event = read_event(value, now=self.clock())
        with self.catalogue.unit(writes=True) as uow:
            self._take(event, uow)
            self._record(uow, received=1, refused=0)
            uow.commit()

    def batch(self, values: Sequence[object]) -> list[Refused]:
        """Take those events of a batch that are events, in order, all at once; return the others."""
        now, refused = self.clock(), []
        with self.catalogue.unit(writes=True) as uow:
            for index, value in enumerate(values):
                try:
                    self._take(read_event(value, now=now), uow)
                except EventInvalid as error:
                    refused.append(Refused(index=index, reason=error.message))
            self._record(uow, received=len(values), refused=len(refused))
            uow.commit()
        return refused

    def _take(self, event: LineageEvent, uow: UnitOfWork) -> None:
        uow.runs.take(event, meanings=self._meanings(event), columns=self._columns(event))

    def _meanings(self, event: LineageEvent) -> dict[OuterName, Meaning]:
        """Say what each name in an event may mean; one that only flows mention has no symlinks."""
        mentioned = [StatedDataset(name=flow.source) for each in event.outputs for flow in each.flows]
        found = {each.name: self.naming.meaning(each, is_output=False) for each in (*mentioned, *event.inputs)}
        is_written = event.job is not None
        return found | {each.name: self.naming.meaning(each, is_output=is_written) for each in event.outputs}

    def _columns(self, event: LineageEvent) -> dict[Address, Sequence[Column]]:
        stated = ((self.naming.meaning(each, is_output=True).new, each.columns or ()) for each in event.outputs)
        return {address: _described(columns) for address, columns in stated if address is not None}

    def _record(self, uow: UnitOfWork, *, received: int, refused: int) -> None:
        entry = AuditEntry(
            at=self.clock(),
            subject=self.principal.subject,
            auth_method=self.principal.auth_method,
            action="lineage-events",
            outcome="allowed",
            epoch=uow.epoch(),
            detail={"received": str(received), "refused": str(refused)},
        )
        uow.audit.record(entry)


def _described(columns: Sequence[tuple[str, str]]) -> tuple[Column, ...]:
    """Describe columns as a job tells them: a type that SQL does not know is text until a crawl looks."""
    told = {}
    for name, text in columns:
        try:
            kind, is_guessed = canonical(text), False
        except SettingsInvalid:
            kind, is_guessed = "varchar", True
        told[name] = Column(path=ColumnPath.of(name), trino_type=kind, native_type=text, is_guessed=is_guessed)
    return tuple(told.values())
