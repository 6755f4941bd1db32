"""What is written down of what happened: the audit, events, and who was told of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from hms_registry.domain.datasets import (
    DatasetId,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who did what. *detail* holds counts, names and digests; never a row, a secret or a literal of a query."""

    at: datetime
    subject: str
    auth_method: str
    action: str
    outcome: Literal["allowed", "denied", "failed"]
    epoch: int
    detail: Mapping[str, str] = field(default_factory=dict)


class Audit(Protocol):
    """The record of access. Writing it moves no epoch."""

    def record(self, *entries: AuditEntry) -> None:
        """Durable once the unit is committed."""
        ...

    def latest(self, *, limit: int = 100) -> list[AuditEntry]:
        """Latest first."""
        ...

    def between(self, since: datetime, until: datetime, *, subject: str, limit: int = 1000) -> list[AuditEntry]:
        """What somebody did in a span of time, oldest first."""
        ...

    def mentioning(self, word: str, *, limit: int = 100) -> list[AuditEntry]:
        """Those whose detail holds a word, e.g. a digest, latest first. Every line is looked at."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A change, in commit order.

    Attributes:
        kind: one of those that docs/events.md tells.
        at: None if it was written before times were kept.
    """

    epoch: int
    sequence: int
    kind: str
    dataset_id: DatasetId | None
    payload: Mapping[str, str]
    at: datetime | None = None


class Outbox(Protocol):
    """What happened, for feeds and indexes."""

    def since(self, epoch: int, *, limit: int = 1000) -> list[Event]:
        """Events of later epochs, in order; the last epoch is always whole, so there may be more than *limit*."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How far a receiver of events has got, under a lease.

    Attributes:
        epoch, sequence: of the last event that is done with; what comes next is later.
        lease: fencing token, see `Crawl.lease`.
    """

    receiver: str
    epoch: int
    sequence: int
    lease: int


class Deliveries(Protocol):
    """Who was told what. Writing it moves no epoch."""

    def take(self, receiver: str, *, now: datetime, lease_s: float) -> Delivery | None:
        """Take the lease on a receiver; None if somebody else holds it. A new receiver begins with what comes
        next. A lease that ran out is taken over."""
        ...

    def advance(self, delivery: Delivery, *, now: datetime, lease_s: float) -> bool:
        """Write how far it has got and extend the lease (0 = give it back); False if the lease was lost."""
        ...
