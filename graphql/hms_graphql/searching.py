"""Search as a Relay connection: https://relay.dev/graphql/connections.htm

A cursor is a place in the list and carries no right: whoever presents it is shown what they may find from there on.
"""

from __future__ import annotations

from binascii import Error
from dataclasses import dataclass
from typing import Self

import strawberry
from strawberry import relay
from strawberry.relay.utils import from_base64, to_base64

from hms_graphql.datasets import Dataset, Info
from hms_graphql.facets import Facets
from hms_registry.domain.search import FacetName, Filter
from hms_registry.errors import SettingsInvalid
from hms_registry.services.search import Found, search

MOST = 100
"""Datasets of one page."""

_KIND = "Place"


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
            has_next_page=offset + len(edges) < found.total,
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


def cursor(place: int) -> str:
    """Write a place in a list: how many stand before what comes next."""
    return to_base64(_KIND, str(place))


def place_of(text: str) -> int:
    """Read back `cursor`.

    Raises:
        SettingsInvalid: it is none.
    """
    try:
        kind, place = from_base64(text)
    except (ValueError, Error):
        kind, place = "", ""
    if kind != _KIND or not (place.isascii() and place.isdecimal() and len(place) <= 9):
        raise SettingsInvalid("that is no cursor", hint="take endCursor of the page before; null = from the first")
    return int(place)


def page_size(first: int) -> int:
    """Return *first* if a page may be so long.

    Raises:
        SettingsInvalid: it may not.
    """
    if not 1 <= first <= MOST:
        raise SettingsInvalid(f"a page holds 1 to {MOST} datasets, not {first}", hint="ask for less, and go on after")
    return first
