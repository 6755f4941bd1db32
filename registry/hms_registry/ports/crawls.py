"""Crawls: who looks into a source, since when, and how it ended."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from hms_registry.domain.crawls import Balance, Crawl, CrawlState, Failure
from hms_registry.domain.datasets import (
    Stamp,
)


class Crawls(Protocol):
    """Runs and their leases."""

    def start(self, source: str, *, now: datetime, lease_s: float) -> Crawl:
        """Take the lease and record a running crawl. One that ran out, or whose process is gone, is taken over.

        Raises:
            CrawlInProgress: somebody else holds it.
            SourceNotFound
        """
        ...

    def renew(self, crawl: Crawl, *, now: datetime, lease_s: float) -> None:
        """Extend the lease and refuse to go on under a lost one. Call in each writing unit of the crawl.

        Raises:
            CrawlInProgress: the lease was lost.
        """
        ...

    def finish(
        self,
        crawl: Crawl,
        *,
        state: CrawlState,
        balance: Balance,
        failures: Sequence[Failure],
        now: datetime,
        stamp: Stamp | None = None,
        error: str = "",
    ) -> None:
        """Write the end of a run; sets the source's stamp and freshness (COMPLETE, UNCHANGED) or staleness
        (FAILED). An unchanged run writes its crawl row only."""
        ...

    def latest(
        self, *, source: str | None = None, among: Collection[str] | None = None, limit: int = 20, offset: int = 0
    ) -> list[Crawl]:
        """Latest first: of one source, or of all that are *among* these."""
        ...

    def last(self) -> dict[str, Crawl]:
        """The latest run of each source that has one, by its name. One statement."""
        ...

    def failures(self, crawl_id: int) -> list[Failure]:
        """The failures of a run."""
        ...
