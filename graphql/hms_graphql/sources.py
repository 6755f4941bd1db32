"""Sources of which one person may find something."""

from __future__ import annotations

from datetime import datetime
from typing import Self

import strawberry

from hms_graphql.asking import Asking
from hms_graphql.crawls import Crawl
from hms_registry.domain.sources import SourceStatus


@strawberry.type(description="A store that an agency described. Where it is and how it is reached is not told.")
class Source:
    name: str = strawberry.field(description="The catalog in SQL.")
    kind: str = strawberry.field(description="The adapter that reads it.")
    agency: str
    owner: str
    is_stale: bool = strawberry.field(description="The last crawl could not reach it.")
    last_crawled_at: datetime | None = strawberry.field(description="The end of the last crawl that ended whole.")

    @strawberry.field(description="The latest run over it, whether it goes on or how it ended; null before the first.")
    def last_crawl(self, info: strawberry.Info[Asking, None]) -> Crawl | None:
        last = info.context.last_crawls.get(self.name)
        return None if last is None else Crawl.of(last)

    @classmethod
    def of(cls, status: SourceStatus) -> Self:
        """Make it of what the crawls know."""
        source = status.source
        return cls(
            name=source.name,
            kind=source.kind,
            agency=source.agency,
            owner=source.owner,
            is_stale=status.is_stale,
            last_crawled_at=status.last_crawled_at,
        )
