"""Crawls: what a run saw, and the balance that proves nothing was lost on the way."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

from hms_registry.domain.datasets import DatasetRef, Stamp
from hms_registry.domain.names import Address


class CrawlState(StrEnum):
    """How a run ended; STOPPED = it would have taken away too much of its source, and took away nothing."""

    RUNNING = "running"
    COMPLETE = "complete"
    UNCHANGED = "unchanged"
    PARTIAL = "partial"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One thing that could not be crawled, kept with its reason. *reason* holds no secret and no data value."""

    subject: str
    reason: str
    address: Address | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerListed:
    """A schema, folder or prefix was listed to its end (*is_complete*), or not.

    Attributes:
        schema: the container, as the schema of the addresses in it; "" = the source itself: schemas not named
            by any other record of the run are gone.
        is_snapshot: the listing is one transactional snapshot: absence is believed at once.
        ignored: objects that belong to no dataset (for files), counted for the balance.
    """

    schema: str
    is_complete: bool
    is_snapshot: bool = False
    stamp: Stamp | None = None
    ignored: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchanged:
    """Datasets of one schema, told in one go: each is listed with the stamp that is known of it."""

    schema: str
    tables: Collection[str]


Discovery = DatasetRef | Failure | ContainerListed
"""What a listing tells, one by one."""


@dataclass(slots=True, kw_only=True)
class Balance:
    """Counts of one run. Balanced means: everything listed is accounted for.

    `listed = new + changed + unchanged + filtered + failed`; gone and suspect are apart, since they were
    not listed. For files, `objects = in datasets + ignored + failed` is checked by the adapter's contract.
    """

    listed: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    filtered: int = 0
    failed: int = 0
    gone: int = 0
    suspect: int = 0
    edges: int = 0

    @property
    def is_balanced(self) -> bool:
        """True if nothing that was listed is unaccounted for."""
        return self.listed == self.new + self.changed + self.unchanged + self.filtered + self.failed

    def as_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crawl:
    """One run over one source.

    Attributes:
        lease: fencing token: greater than that of every earlier run of the source. A write under an older one
            is refused.
    """

    id: int
    source: str
    state: CrawlState
    lease: int
    started_at: datetime
    finished_at: datetime | None = None
    balance: Balance | None = None
    error: str = ""
