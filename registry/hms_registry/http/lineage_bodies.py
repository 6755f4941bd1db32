"""What REST answers on lineage hold, for OpenAPI: the shapes that the command line prints too."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hms_registry.http.bodies import Body


class LineageNode(Body):
    """One line of a lineage tree, depth first. What you may not find is counted, not named."""

    depth: int
    dataset: str | None
    restricted: int
    repeated: bool
    same_data: bool


class LineageEdge(Body):
    """Something of one dataset comes from something of another."""

    upstream: str
    upstream_column: str | None
    downstream: str
    downstream_column: str | None
    kind: str


class Lineage(Body):
    """All that a dataset comes from, or leads to, to the end."""

    root: str
    direction: Literal["up", "down"]
    nodes: list[LineageNode]
    edges: list[LineageEdge]


class Reached(Body):
    """A dataset that was reached."""

    address: str
    depth: Annotated[int, Field(description="Steps by the shortest way, those over what you may not find as well.")]
    is_upstream: bool
    is_downstream: bool
    columns: Annotated[list[str], Field(description="Where a column was followed: those by which it was reached.")]
    is_whole: Annotated[bool, Field(description="It was reached as a whole, not by some columns alone.")]


class Reach(Body):
    """A page of what was reached, nearest first."""

    total: Annotated[int, Field(description="How many datasets were reached that you may find.")]
    restricted: Annotated[int, Field(description="How many were reached that you may not find.")]
    datasets: list[Reached]
    next: Annotated[str | None, Field(description="The cursor of the next page; null at the end.")]


class Impact(Body):
    """How many datasets are reached, and whose they are: those that you may find."""

    total: int
    restricted: Annotated[int, Field(description="How many are reached besides that you may not find.")]
    depth: Annotated[int, Field(description="Steps to the furthest.")]
    by_source: dict[str, int]
    by_agency: dict[str, int]
    by_owner: dict[str, int]
    by_privacy_tier: dict[str, int]


class PathStep(Body):
    """A dataset of a path, or some in a row that you may not find."""

    dataset: Annotated[str | None, Field(description="Null where only a number may be told.")]
    restricted: int
    kind: Annotated[str | None, Field(description="Of the edge from the step before; null where it may not be told.")]


class PathFound(Body):
    """A shortest path; null if there is none."""

    path: list[PathStep] | None
