"""REST over lineage: a tree, pages of what is reached, counts of it, and a path, as at every other door."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from hms_registry.domain.edges import EdgeKind
from hms_registry.domain.walks import Walk
from hms_registry.http import lineage_bodies as bodies
from hms_registry.http.callers import Caller
from hms_registry.http.catalogue import CursorText, Limit, Name
from hms_registry.http.cursors import cursor_at, offset_of
from hms_registry.http.reading import Reading, kept_by_nobody, reading
from hms_registry.services.catalogue import View, get_view, lineage, views_of
from hms_registry.services.lineage import walks
from hms_registry.services.lineage.rendering import impact_json, lineage_json, path_json, reached_json
from hms_registry.services.times import read_time

router = APIRouter(tags=["lineage"], dependencies=[Depends(kept_by_nobody)])

Moment = Annotated[str | None, Field(max_length=40, description="As it was then: a date (its end), or a time.")]
Steps = Annotated[int | None, Field(ge=1, le=1_000_000, description="At most; none = to the end.")]


class TreeWanted(BaseModel):
    """Which tree is asked for."""

    model_config = ConfigDict(extra="forbid")

    direction: Literal["up", "down"] = "up"
    depth: Steps = None
    as_of: Moment = None

    def walk(self, view: View, asked: Reading) -> Walk:
        """Make the walk of it."""
        as_of = None if self.as_of is None else read_time(self.as_of, of_day="end")
        return walks.walk_from(view, uow=asked.uow, direction=self.direction, depth=self.depth, as_of=as_of)


class WalkWanted(BaseModel):
    """Which way to go, and how far."""

    model_config = ConfigDict(extra="forbid")

    depth: Steps = None
    kind: Annotated[
        list[EdgeKind], Field(max_length=3, description="Edges to follow; none = derives and same_data.")
    ] = []
    column: Annotated[str | None, Field(max_length=2_000, description="Follow this column of it.")] = None
    as_of: Moment = None

    def walk(self, view: View, asked: Reading, direction: Literal["up", "down", "both"]) -> Walk:
        """Make the walk of it."""
        return walks.walk_from(
            view,
            uow=asked.uow,
            direction=direction,
            depth=self.depth,
            kinds=self.kind or None,
            column=self.column,
            as_of=None if self.as_of is None else read_time(self.as_of, of_day="end"),
        )


class ReachWanted(WalkWanted):
    """Which page of what is reached is asked for."""

    direction: Literal["up", "down", "both"] = "up"
    limit: Limit = 20
    cursor: CursorText = ""


class ImpactWanted(WalkWanted):
    """What is counted."""

    direction: Literal["up", "down", "both"] = "down"


class PathWanted(WalkWanted):
    """Where a path is to lead."""

    direction: Literal["up", "down", "both"] = "both"
    to: Name


@router.get("/dta/lineage/{name:dataset}/reach", response_model=bodies.Reach)
def reach(
    request: Request, principal: Caller, name: Name, wanted: Annotated[ReachWanted, Query()]
) -> dict[str, object]:
    """List the datasets that lineage reaches, nearest first; what you may not find is counted, not named."""
    offset = offset_of(wanted.cursor) if wanted.cursor else 0
    with reading(request, principal, "lineage") as asked:
        walk = wanted.walk(asked.view(name), asked, wanted.direction)
        visible = asked.decisions.visibility(principal)
        found = walks.reach(walk, uow=asked.uow, visible=visible, first=wanted.limit, offset=offset)
        ids = [each.dataset_id for each in found.page]
        seen = views_of(ids, uow=asked.uow, principal=principal, decisions=asked.decisions)
    told = [reached_json(each, seen[each.dataset_id]) for each in found.page if each.dataset_id in seen]
    following = offset + len(found.page)
    rest = cursor_at(following) if found.page and following < found.total else None
    return {"total": found.total, "restricted": found.restricted, "datasets": told, "next": rest}


@router.get("/dta/lineage/{name:dataset}/impact", response_model=bodies.Impact)
def impact(
    request: Request, principal: Caller, name: Name, wanted: Annotated[ImpactWanted, Query()]
) -> dict[str, object]:
    """Count the datasets that would meet a change of it, and whose they are."""
    with reading(request, principal, "lineage") as asked:
        walk = wanted.walk(asked.view(name), asked, wanted.direction)
        counted = walks.impact(walk, uow=asked.uow, visible=asked.decisions.visibility(principal))
    return impact_json(counted)


@router.get("/dta/lineage/{name:dataset}/path", response_model=bodies.PathFound)
def path(request: Request, principal: Caller, name: Name, wanted: Annotated[PathWanted, Query()]) -> dict[str, object]:
    """Find a shortest path to another dataset; null if there is none."""
    with reading(request, principal, "lineage") as asked:
        view = asked.view(name)
        end = get_view(wanted.to, uow=asked.uow, principal=principal, decisions=asked.decisions)
        walk = wanted.walk(view, asked, wanted.direction)
        found = walks.path_between(walk, end, uow=asked.uow, principal=principal, decisions=asked.decisions)
    return {"path": path_json(found)}


@router.get("/dta/lineage/{name:dataset}", response_model=bodies.Lineage)
def tree(request: Request, principal: Caller, name: Name, wanted: Annotated[TreeWanted, Query()]) -> dict[str, object]:
    """Tell all that a dataset comes from, or leads to; what you may not find is counted, not named."""
    with reading(request, principal, "lineage") as asked:
        view = asked.view(name)
        walk = wanted.walk(view, asked)
        graph = lineage(
            view,
            direction=walk.direction,
            depth=walk.depth,
            as_of=walk.as_of,
            uow=asked.uow,
            principal=principal,
            decisions=asked.decisions,
        )
    return lineage_json(graph)
