"""What every route that reads the catalogue shares: one moment of it, one person, and one line in the audit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from fastapi import Request, Response

from hms_registry.domain.principals import Principal
from hms_registry.errors import NotFound
from hms_registry.http.callers import registry_of
from hms_registry.ports.catalogue import UnitOfWork
from hms_registry.ports.policy import Decisions
from hms_registry.services.catalogue import View, get_view


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One person reads one moment of the catalogue.

    Attributes:
        entry: what the audit tells besides who, when and under which rights.
    """

    uow: UnitOfWork
    principal: Principal
    decisions: Decisions
    entry: dict[str, str] = field(default_factory=dict)

    def view(self, name: str) -> View:
        """Get a dataset by its address or its name in SQL.

        Raises:
            DatasetNotFound: it is not there, or not for this person.
            SettingsInvalid: *name* is not a dotted name.
        """
        self.entry["asked"] = name
        return get_view(name, uow=self.uow, principal=self.principal, decisions=self.decisions)


@contextmanager
def reading(request: Request, principal: Principal, action: str) -> Iterator[Reading]:
    """Read, and record that it was done: under the same name as the command line does."""
    registry = registry_of(request)
    decisions = registry.decisions()
    entry = {"fingerprint": decisions.fingerprint(principal)}
    try:
        with registry.catalogue.unit() as uow:
            yield Reading(uow=uow, principal=principal, decisions=decisions, entry=entry)
    except NotFound:
        registry.record(principal=principal, action=action, outcome="denied", detail=entry)
        raise
    registry.record(principal=principal, action=action, outcome="allowed", detail=entry)


def kept_by_nobody(response: Response) -> None:
    """Mark an answer as one person's: no cache between may keep it for another."""
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Authorization"
