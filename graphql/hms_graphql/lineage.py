"""Lineage as one person may see it: what they may not find is counted, not named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

import strawberry

from hms_graphql.words import Direction, EdgeKind
from hms_registry.services import catalogue
from hms_registry.services.lineage.rendering import branches, lineage_mermaid, shown_edges

if TYPE_CHECKING:
    from hms_graphql.datasets import Dataset

_Dataset = Annotated["Dataset", strawberry.lazy("hms_graphql.datasets")]


@strawberry.type(description="One line of a lineage tree, depth first. Each dataset is followed once.")
class LineageNode:
    depth: int = strawberry.field(description="0 for the dataset that was asked for.")
    dataset: _Dataset | None = strawberry.field(description="Null where only a number may be told.")
    restricted: int = strawberry.field(description="How many datasets this line stands for that you may not find.")
    is_repeated: bool = strawberry.field(description="It is shown in full further up.")


@strawberry.type(description="Something of one dataset comes from something of another. Null: from the whole of it.")
class LineageEdge:
    upstream: _Dataset
    upstream_column: str | None
    downstream: _Dataset
    downstream_column: str | None
    kind: EdgeKind


@strawberry.type(description="All that a dataset comes from, or leads to, to the end.")
class Lineage:
    direction: Direction
    nodes: list[LineageNode]
    edges: list[LineageEdge]
    mermaid: str = strawberry.field(description="The tree as a Mermaid flowchart.")

    @classmethod
    def of(cls, graph: catalogue.Lineage) -> Self:
        """Make it of a walked graph."""
        from hms_graphql.datasets import Dataset

        seen = {str(each): Dataset.of(view) for each, view in graph.nodes.items() if view is not None}
        return cls(
            direction=Direction(graph.direction),
            nodes=[
                LineageNode(
                    depth=branch.depth,
                    dataset=None if branch.dataset is None else seen[branch.dataset],
                    restricted=branch.hidden,
                    is_repeated=branch.is_repeated,
                )
                for branch in branches(graph)
            ],
            edges=[
                LineageEdge(
                    upstream=seen[edge.upstream],
                    upstream_column=edge.upstream_column,
                    downstream=seen[edge.downstream],
                    downstream_column=edge.downstream_column,
                    kind=edge.kind,
                )
                for edge in shown_edges(graph)
            ],
            mermaid=lineage_mermaid(graph),
        )
