"""Search as a Relay connection: https://relay.dev/graphql/connections.htm"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Self

import strawberry
from strawberry import relay

from hms_graphql.datasets import Dataset, Info
from hms_graphql.facets import Facets
from hms_graphql.paging import cursor
from hms_graphql.words import Rank
from hms_registry.domain import search
from hms_registry.domain.search import FacetName, Filter
from hms_registry.services import search as searching
from hms_registry.services.search import Found


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
    rank: Rank = strawberry.field(description="Why it stands where it does.")


@strawberry.type(description="A word that was looked for in place of one that nothing has.")
class Correction:
    written: str
    meant: str


@strawberry.type(description="A page of what was found, best first.")
class SearchConnection:
    edges: list[SearchEdge]
    page_info: relay.PageInfo
    total_count: int = strawberry.field(description="How many datasets you may find so, on other pages too.")
    total_is_exact: bool = strawberry.field(description="If not, there are more than `totalCount`.")
    corrections: list[Correction] = strawberry.field(
        description="What was looked for instead, where nothing that you may find has all words as they were written."
    )
    asked: strawberry.Private[Asked]

    @strawberry.field(description="The datasets of `edges`.")
    def nodes(self) -> list[Dataset]:
        return [edge.node for edge in self.edges]

    @strawberry.field(description="How what was found is spread over sources, owners, tags and so on.")
    def facets(self, info: Info) -> Facets:
        def count(names: Collection[FacetName]) -> Sequence[search.Facet]:
            asking = info.context
            return searching.search(
                self.asked.words,
                uow=asking.uow,
                principal=asking.principal,
                decisions=asking.decisions,
                limit=0,
                narrowed=self.asked.narrowed,
                facets=names,
            ).facets

        return Facets.of(count)

    @classmethod
    def of(cls, found: Found, *, asked: Asked, offset: int) -> Self:
        """Make a page that begins at *offset*."""
        hits = zip(found.views, found.matched, found.ranks, strict=True)
        edges = [
            SearchEdge(cursor=cursor(at), node=Dataset.of(view), matched=list(matched), rank=rank)
            for at, (view, matched, rank) in enumerate(hits, start=offset + 1)
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
            corrections=[Correction(written=each.written, meant=each.meant) for each in found.corrections],
            asked=asked,
        )
