"""Search as a Relay connection: https://relay.dev/graphql/connections.htm"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import strawberry
from strawberry import relay

from hms_graphql.datasets import Dataset, Info
from hms_graphql.facets import Facets
from hms_graphql.paging import cursor
from hms_registry.domain.search import FacetName, Filter
from hms_registry.services.search import Found, search


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page answers, to ask more of it."""

    words: str
    narrowed: Filter


@strawberry.type(description="One dataset that was found.")
class SearchEdge:
    cursor: str
    node: Dataset
    matched: list[str] = strawberry.field(description="Where the words were found: name, column, tag, description.")


@strawberry.type(description="A page of what was found, best first.")
class SearchConnection:
    edges: list[SearchEdge]
    page_info: relay.PageInfo
    total_count: int = strawberry.field(description="How many datasets you may find so, on other pages too.")
    total_is_exact: bool = strawberry.field(description="If not, there are more than `totalCount`.")
    asked: strawberry.Private[Asked]

    @strawberry.field(description="The datasets of `edges`.")
    def nodes(self) -> list[Dataset]:
        return [edge.node for edge in self.edges]

    @strawberry.field(description="How what was found is spread over sources, owners, tags and so on.")
    def facets(self, info: Info) -> Facets:
        asking = info.context
        counted = search(
            self.asked.words,
            uow=asking.uow,
            principal=asking.principal,
            decisions=asking.decisions,
            limit=0,
            narrowed=self.asked.narrowed,
            facets=tuple(FacetName),
        )
        return Facets.of(counted.facets)

    @classmethod
    def of(cls, found: Found, *, asked: Asked, offset: int) -> Self:
        """Make a page that begins at *offset*."""
        hits = zip(found.views, found.matched, strict=True)
        edges = [
            SearchEdge(cursor=cursor(at), node=Dataset.of(view), matched=list(matched))
            for at, (view, matched) in enumerate(hits, start=offset + 1)
        ]
        page = relay.PageInfo(
            has_next_page=found.has_next(offset=offset),
            has_previous_page=offset > 0,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        )
        return cls(
            edges=edges,
            page_info=page,
            total_count=found.total,
            total_is_exact=found.total_is_exact,
            asked=asked,
        )
