"""Runs over sources as one person may know them: when each was and how it ended, and counts where they tell of nothing
hidden.

A count is of all datasets of a source, so it is told to who may find every one of them, gone ones too. What failed, and
why, is for who crawls: a reason may name what is hidden.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hms_registry.domain.crawls import Balance, Crawl
from hms_registry.domain.principals import Principal
from hms_registry.domain.sources import SeenSources
from hms_registry.ports.catalogue import UnitOfWork
from hms_registry.ports.policy import Decisions


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCrawl:
    """One run. *counts*: None while it runs, and where somebody may not find all of its source."""

    crawl: Crawl
    counts: Balance | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawlPage:
    """Some of the runs, the latest first; *has_more*: there are earlier ones."""

    crawls: tuple[SeenCrawl, ...]
    has_more: bool


def list_crawls(
    *,
    uow: UnitOfWork,
    principal: Principal,
    decisions: Decisions,
    sources: Iterable[str] = (),
    limit: int,
    offset: int = 0,
) -> CrawlPage:
    """Return runs over sources of which the person may find something, the latest first.

    Args:
        sources: only of these; one that is not there has no runs, nor has one that the person may not know of.
    """
    seen = uow.sources.seen(decisions.visibility(principal))
    wanted = frozenset(sources)
    told = seen.some & wanted if wanted else seen.some
    found = uow.crawls.latest(among=told, limit=limit + 1, offset=offset) if told else []
    shown = tuple(seen_crawl(each, seen=seen) for each in found[:limit])
    return CrawlPage(crawls=shown, has_more=len(found) > limit)


def last_crawls(*, uow: UnitOfWork, seen: SeenSources) -> dict[str, SeenCrawl]:
    """Return the latest run of each source of which something may be found, by its name."""
    return {name: seen_crawl(each, seen=seen) for name, each in uow.crawls.last().items() if name in seen.some}


def seen_crawl(crawl: Crawl, *, seen: SeenSources) -> SeenCrawl:
    """Return a run as it may be known."""
    return SeenCrawl(crawl=crawl, counts=crawl.balance if crawl.source in seen.whole else None)


def crawl_fact(seen: SeenCrawl) -> dict[str, object]:
    """A run as plain values; counts are not there where they may not be told."""
    crawl = seen.crawl
    fact: dict[str, object] = {
        "source": crawl.source,
        "state": str(crawl.state),
        "started_at": crawl.started_at.isoformat(),
        "finished_at": None if crawl.finished_at is None else crawl.finished_at.isoformat(),
    }
    return fact if seen.counts is None else {**fact, "counts": seen.counts.as_dict()}
