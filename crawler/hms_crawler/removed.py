"""Sources that sources.yml does not describe any more: nobody can look whether their datasets are still there.

So they are like those of a source that does not answer: kept as they were last seen, stale, until a person says
otherwise. A line that was deleted by mistake, or a home that knows a part of a shared catalogue, takes nothing away.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

from hms_crawler.lease import LEASE_S
from hms_crawler.report import Report
from hms_registry.domain.crawls import Balance, Crawl, CrawlState
from hms_registry.domain.datasets import DatasetId, DatasetState
from hms_registry.errors import CrawlInProgress
from hms_registry.ports.catalogue import Catalogue, UnitOfWork


def removed_sources(described: Collection[str], *, catalogue: Catalogue) -> list[str]:
    """Return the sources that have datasets and are not described, by name."""
    with catalogue.unit() as uow:
        names = [status.source.name for status in uow.sources.all()]
        return [name for name in names if name not in described and _left(name, uow)]


def crawl_removed(
    source: str, *, catalogue: Catalogue, clock: Callable[[], datetime], accepts_removals: bool
) -> Report:
    """Say that a source is not described any more; take its datasets away if a person accepts that.

    What is described again later has its old ids back.
    """
    try:
        with catalogue.unit(writes=True) as uow:
            started = uow.crawls.start(source, now=clock(), lease_s=LEASE_S)
            report = _end(started, uow, now=clock(), accepts_removals=accepts_removals)
            uow.commit()
        return report
    except CrawlInProgress as error:
        return Report(source=source, state=CrawlState.FAILED, balance=Balance(), error=error.message, hint=error.hint)


def _end(started: Crawl, uow: UnitOfWork, *, now: datetime, accepts_removals: bool) -> Report:
    left = _left(started.source, uow)
    state, balance, error, hint = CrawlState.COMPLETE, Balance(gone=len(left)), "", ""
    if accepts_removals:
        uow.registrations.mark(left, DatasetState.GONE)
    else:
        state, balance = CrawlState.FAILED, Balance()
        error = f"sources.yml does not describe it any more; its {len(left)} datasets stay as they were last seen"
        hint = f"describe it again, or take them away: hms-dta crawl {started.source} --accept-removals"
    uow.crawls.finish(started, state=state, balance=balance, failures=(), now=now, error=error)
    return Report(source=started.source, state=state, balance=balance, error=error, hint=hint)


def _left(source: str, uow: UnitOfWork) -> list[DatasetId]:
    known = uow.registrations.known(source).values()
    return [each.dataset_id for each in known if each.state is not DatasetState.GONE]
