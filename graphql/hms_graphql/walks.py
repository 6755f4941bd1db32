"""What lineage reaches, as GraphQL has it: pages of it, counts of it, and a path."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Self

import strawberry
from strawberry import relay

from hms_graphql.asking import Asking
from hms_graphql.paging import cursor, page_size, place_of
from hms_graphql.words import Direction, EdgeKind
from hms_registry.domain import walks as domain
from hms_registry.services.catalogue import View, get_view
from hms_registry.services.lineage import walks

if TYPE_CHECKING:
    from hms_graphql.datasets import Dataset

_Dataset = Annotated["Dataset", strawberry.lazy("hms_graphql.datasets")]


@strawberry.input(description="Which way to go, and how far.")
class Walk:
    direction: Direction = strawberry.field(
        default=Direction.UP, description="BOTH is what is upstream and what is downstream."
    )
    depth: int | None = strawberry.field(default=None, description="Steps at most; null = to the end.")
    kinds: list[EdgeKind] | None = strawberry.field(
        default=None, description="Edges to follow; null = DERIVES and SAME_DATA, which goes both ways."
    )
    column: str | None = strawberry.field(
        default=None, description="Follow this column of the dataset. An edge of a whole dataset meets every column."
    )
    as_of: datetime | None = strawberry.field(default=None, description="As it was at that time; null = now.")

    def from_view(self, view: View, asking: Asking) -> domain.Walk:
        """Make the walk of it."""
        return walks.walk_from(
            view,
            uow=asking.uow,
            direction=self.direction.value,
            depth=self.depth,
            kinds=self.kinds,
            column=self.column,
            as_of=self.as_of,
        )


@strawberry.type(description="A dataset that was reached.")
class ReachEdge:
    cursor: str
    node: _Dataset
    depth: int = strawberry.field(description="Steps by the shortest way, those over what you may not find as well.")
    is_upstream: bool
    is_downstream: bool
    columns: list[str] = strawberry.field(description="Where a column was followed: those by which it was reached.")
    is_whole: bool = strawberry.field(description="It was reached as a whole, not by some columns alone.")


@strawberry.type(description="A page of what was reached, nearest first. The dataset itself is not part of it.")
class ReachConnection:
    edges: list[ReachEdge]
    page_info: relay.PageInfo
    total_count: int = strawberry.field(description="How many datasets were reached that you may find.")
    restricted_count: int = strawberry.field(description="How many were reached that you may not find.")

    @strawberry.field(description="The datasets of `edges`.")
    def nodes(self) -> list[_Dataset]:
        return [edge.node for edge in self.edges]


async def reach(view: View, asking: Asking, walk: Walk, *, first: int, after: str | None) -> ReachConnection:
    """Read a page."""
    from hms_graphql.datasets import Dataset

    offset, size = 0 if after is None else place_of(after), page_size(first)
    found = walks.reach(
        walk.from_view(view, asking),
        uow=asking.uow,
        visible=asking.visible,
        first=size,
        offset=offset,
    )
    seen = await asking.views.load_many([each.dataset_id for each in found.page])
    edges = [
        ReachEdge(
            cursor=cursor(at),
            node=Dataset.of(there),
            depth=each.depth,
            is_upstream=each.is_upstream,
            is_downstream=each.is_downstream,
            columns=walks.met_columns(each, there),
            is_whole=each.is_whole,
        )
        for at, (each, there) in enumerate(zip(found.page, seen, strict=True), start=offset + 1)
        if there is not None
    ]
    page = relay.PageInfo(
        has_next_page=offset + len(found.page) < found.total,
        has_previous_page=offset > 0,
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=edges[-1].cursor if edges else None,
    )
    return ReachConnection(edges=edges, page_info=page, total_count=found.total, restricted_count=found.restricted)


@strawberry.type(description="How many datasets share something.")
class Share:
    name: str
    count: int


@strawberry.type(description="How many datasets are reached, and whose they are: those that you may find, most first.")
class Impact:
    total_count: int
    restricted_count: int = strawberry.field(description="How many are reached besides that you may not find.")
    depth: int = strawberry.field(description="Steps to the furthest.")
    by_source: list[Share]
    by_agency: list[Share]
    by_owner: list[Share]
    by_privacy_tier: list[Share]

    @classmethod
    def of(cls, found: walks.Impact) -> Self:
        """Make it of what was counted."""
        return cls(
            total_count=found.total,
            restricted_count=found.restricted,
            depth=found.depth,
            by_source=_shares(found.sources),
            by_agency=_shares(found.agencies),
            by_owner=_shares(found.owners),
            by_privacy_tier=_shares(found.privacy_tiers),
        )


def _shares(counts: Mapping[str, int]) -> list[Share]:
    return [Share(name=name, count=count) for name, count in counts.items()]


def impact(view: View, asking: Asking, walk: Walk) -> Impact:
    """Count what is reached."""
    found = walks.impact(walk.from_view(view, asking), uow=asking.uow, visible=asking.visible)
    return Impact.of(found)


@strawberry.type(description="A dataset of a path, or some in a row that you may not find.")
class PathStep:
    dataset: _Dataset | None = strawberry.field(description="Null where only a number may be told.")
    restricted: int = strawberry.field(description="How many datasets this step stands for that you may not find.")
    kind: EdgeKind | None = strawberry.field(
        description="Of the edge from the step before; null at the start, and beside what you may not find."
    )


def path(view: View, asking: Asking, walk: Walk, *, to: str) -> list[PathStep] | None:
    """Find a path."""
    from hms_graphql.datasets import Dataset

    uow, principal, decisions = asking.uow, asking.principal, asking.decisions
    end = get_view(to, uow=uow, principal=principal, decisions=decisions)
    found = walks.path_between(walk.from_view(view, asking), end, uow=uow, principal=principal, decisions=decisions)
    if found is None:
        return None
    return [
        PathStep(
            dataset=None if each.view is None else Dataset.of(each.view), restricted=each.restricted, kind=each.kind
        )
        for each in found
    ]
