"""Runs over sources, as one person may know them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Self

import strawberry
from strawberry import relay

from hms_graphql.asking import Asking
from hms_graphql.paging import cursor
from hms_graphql.words import CrawlState
from hms_registry.domain.crawls import Balance
from hms_registry.services.crawls import CrawlPage, SeenCrawl

if TYPE_CHECKING:
    from hms_graphql.sources import Source


@strawberry.type(description="Datasets that a run met, by what became of them; `gone` and `suspect` were not met.")
class CrawlCounts:
    listed: int
    new: int
    changed: int
    unchanged: int
    filtered: int = strawberry.field(description="Left out by `include` and `exclude` of the source.")
    failed: int
    gone: int
    suspect: int
    edges: int = strawberry.field(description="Edges of lineage that were written.")

    @classmethod
    def of(cls, counts: Balance) -> Self:
        """Make it of what was counted."""
        return cls(**counts.as_dict())


@strawberry.type(description="One run over a source.")
class Crawl:
    state: CrawlState
    started_at: datetime
    finished_at: datetime | None = strawberry.field(description="Null while it runs.")
    counts: CrawlCounts | None = strawberry.field(
        description="Null while it runs, and where there is something in the source that you may not find."
    )
    seen: strawberry.Private[SeenCrawl]

    @strawberry.field(description="The source that was looked into.")
    def source(self, info: strawberry.Info[Asking, None]) -> Annotated[Source, strawberry.lazy("hms_graphql.sources")]:
        from hms_graphql.sources import Source

        return Source.of(info.context.sources[self.seen.crawl.source])

    @classmethod
    def of(cls, seen: SeenCrawl) -> Self:
        """Make it of what may be known."""
        return cls(
            state=seen.crawl.state,
            started_at=seen.crawl.started_at,
            finished_at=seen.crawl.finished_at,
            counts=None if seen.counts is None else CrawlCounts.of(seen.counts),
            seen=seen,
        )


@strawberry.type(description="One run of a page.")
class CrawlEdge:
    cursor: str
    node: Crawl


@strawberry.type(description="A page of runs, the latest first. One that begins meanwhile moves the others by a place.")
class CrawlConnection:
    edges: list[CrawlEdge]
    page_info: relay.PageInfo

    @strawberry.field(description="The runs of `edges`.")
    def nodes(self) -> list[Crawl]:
        return [edge.node for edge in self.edges]

    @classmethod
    def of(cls, page: CrawlPage, *, offset: int) -> Self:
        """Make a page that begins at *offset*."""
        edges = [
            CrawlEdge(cursor=cursor(at), node=Crawl.of(each)) for at, each in enumerate(page.crawls, start=offset + 1)
        ]
        info = relay.PageInfo(
            has_next_page=page.has_more,
            has_previous_page=offset > 0,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        )
        return cls(edges=edges, page_info=info)
