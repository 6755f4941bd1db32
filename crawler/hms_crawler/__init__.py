"""The crawl: one walk for all adapters. What is listed is accounted for, and absence is never guessed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hms_crawler.profiling import check_profiles
from hms_crawler.removed import crawl_removed, removed_sources
from hms_crawler.report import Report, last_reports
from hms_crawler.run import Clock, crawl
from hms_registry.domain.crawls import Balance, CrawlState
from hms_registry.domain.sources import Source
from hms_registry.errors import CrawlInProgress, HmsError, SettingsInvalid
from hms_registry.ports.adapter import Adapter
from hms_registry.ports.catalogue import Catalogue

__all__ = ["Report", "crawl", "crawl_all", "crawl_removed", "last_reports", "removed_sources"]


def crawl_all(
    sources: Sequence[Source],
    *,
    open_adapter: Callable[[str], Adapter],
    catalogue: Catalogue,
    clock: Clock,
    progress: Callable[[str, Balance], None] = lambda _source, _balance: None,
    withheld: Callable[[str, str], str] = lambda _source, text: text,
    accepts_removals: bool = False,
) -> list[Report]:
    """Crawl each source in turn; one that fails does not stop the others.

    Args:
        withheld: takes the secrets of a source out of what its adapter tells of a place.
        accepts_removals: whatever is not there any more may be taken away, however much it is.

    Raises:
        CatalogueError: the catalogue cannot be written; nothing that was committed is lost.
    """
    with catalogue.unit(writes=True) as uow:
        for source in sources:
            uow.sources.put(source)
        uow.commit()
    return [
        _crawl_one(
            source,
            open_adapter=open_adapter,
            catalogue=catalogue,
            clock=clock,
            progress=progress,
            withheld=withheld,
            accepts_removals=accepts_removals,
        )
        for source in sources
    ]


def _crawl_one(
    source: Source,
    *,
    open_adapter: Callable[[str], Adapter],
    catalogue: Catalogue,
    clock: Clock,
    progress: Callable[[str, Balance], None],
    withheld: Callable[[str, str], str],
    accepts_removals: bool,
) -> Report:
    try:
        adapter = open_adapter(source.name)
    except HmsError as error:
        return _refused(source, error)
    try:
        check_profiles(source, adapter)
        return crawl(
            source,
            adapter=adapter,
            catalogue=catalogue,
            clock=clock,
            progress=lambda balance: progress(source.name, balance),
            withheld=lambda text: withheld(source.name, text),
            accepts_removals=accepts_removals,
        )
    except (CrawlInProgress, SettingsInvalid) as error:
        return _refused(source, error)
    finally:
        adapter.close()


def _refused(source: Source, error: HmsError) -> Report:
    return Report(
        source=source.name,
        state=CrawlState.FAILED,
        balance=Balance(),
        error=error.message,
        hint=error.hint,
        place=source.place,
    )
