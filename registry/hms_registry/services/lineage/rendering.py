"""The lineage of a dataset as text, Mermaid and plain values, as one person may see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.edges import Edge
from hms_registry.domain.walks import Reached
from hms_registry.services.catalogue import Lineage, View
from hms_registry.services.lineage.tree import Branch, Direction, lineage_tree, mermaid
from hms_registry.services.lineage.walks import Impact, Stretch, met_columns


def lineage_lines(graph: Lineage) -> list[str]:
    """Return the tree as lines of text, each dataset with the columns that lead one step on."""
    direction = graph.direction
    columns = _columns_of(graph, direction)
    lines = []
    for branch in branches(graph):
        if branch.dataset is None:
            text = _restricted(branch, direction)
        else:
            text = _name(graph, branch.dataset)
            if branch.depth and (used := columns.get(branch.dataset)):
                text += f"  ({used})"
            text += "  the same data" if branch.is_same else ""
        lines.append("  " * branch.depth + ("└ " if branch.depth else "") + text + (" ↑" if branch.is_repeated else ""))
    if len(lines) == 1:
        lines.append("  nothing is known to be " + ("upstream" if direction == "up" else "downstream"))
    return lines


def lineage_mermaid(graph: Lineage) -> str:
    """Return the tree as a Mermaid flowchart."""
    return mermaid(branches(graph), label=lambda dataset: _name(graph, dataset), direction=graph.direction)


def lineage_json(graph: Lineage) -> dict[str, object]:
    """Return tree and edges as plain values. An edge is there if both its ends may be found."""
    return {
        "root": str(graph.root.dataset.address),
        "direction": graph.direction,
        "nodes": [
            {
                "depth": branch.depth,
                "dataset": None if branch.dataset is None else _name(graph, branch.dataset),
                "restricted": branch.hidden,
                "repeated": branch.is_repeated,
                "same_data": branch.is_same,
            }
            for branch in branches(graph)
        ],
        "edges": [_edge(graph, edge) for edge in shown_edges(graph)],
    }


def branches(graph: Lineage) -> list[Branch]:
    """Return the tree, line by line."""
    return lineage_tree(
        graph.edges,
        root=graph.root.dataset.id,
        direction=graph.direction,
        may_find=lambda dataset: graph.nodes.get(dataset) is not None,
    )


def shown_edges(graph: Lineage) -> list[Edge]:
    """Return the edges of which the person may see both ends."""
    return [edge for edge in graph.edges if _is_shown(graph, edge)]


def _restricted(branch: Branch, direction: Direction) -> str:
    return f"{branch.hidden} restricted {'upstream' if direction == 'up' else 'downstream'}"


def _view(graph: Lineage, dataset: DatasetId) -> View | None:
    return graph.root if dataset == graph.root.dataset.id else graph.nodes.get(dataset)


def _name(graph: Lineage, dataset: DatasetId) -> str:
    view = _view(graph, dataset)
    return str(view.dataset.address) if view is not None else ""


def _sees(graph: Lineage, dataset: DatasetId, column: str | None) -> bool:
    view = _view(graph, dataset)
    return view is not None and (column is None or any(shown.name == column for shown, _mask in view.columns))


def _is_shown(graph: Lineage, edge: Edge) -> bool:
    return _sees(graph, edge.upstream, edge.upstream_column) and _sees(graph, edge.downstream, edge.downstream_column)


def _edge(graph: Lineage, edge: Edge) -> dict[str, object]:
    return {
        "upstream": _name(graph, edge.upstream),
        "upstream_column": edge.upstream_column,
        "downstream": _name(graph, edge.downstream),
        "downstream_column": edge.downstream_column,
        "kind": str(edge.kind),
    }


def _columns_of(graph: Lineage, direction: Direction) -> dict[DatasetId, str]:
    """Write for each dataset which of its columns lead on, as far as the person may see them: those that carry
    values, and going up also those that only decide which rows there are."""
    carry: dict[DatasetId, set[str]] = {}
    decide: dict[DatasetId, set[str]] = {}
    for edge in graph.edges:
        ends = (edge.upstream, edge.upstream_column) if direction == "up" else (edge.downstream, edge.downstream_column)
        if ends[1] is not None and _is_shown(graph, edge):
            (decide if edge.downstream_column is None else carry).setdefault(ends[0], set()).add(ends[1])
    texts = {}
    for dataset in {**carry, **decide}:
        values = sorted(carry.get(dataset, ()))
        rows = sorted(decide.get(dataset, set()) - carry.get(dataset, set()))
        texts[dataset] = "; ".join(filter(None, (", ".join(values), f"rows by {', '.join(rows)}" if rows else "")))
    return texts


def path_json(path: Sequence[Stretch] | None) -> list[dict[str, object]] | None:
    """Return a path as plain values."""
    if path is None:
        return None
    return [
        {
            "dataset": None if each.view is None else str(each.view.dataset.address),
            "restricted": each.restricted,
            "kind": None if each.kind is None else str(each.kind),
        }
        for each in path
    ]


def path_lines(path: Sequence[Stretch] | None) -> list[str]:
    """Return a path as lines of text, a step each."""
    lines = []
    for at, each in enumerate(path or ()):
        name = f"{each.restricted} restricted" if each.view is None else str(each.view.dataset.address)
        lines.append("  " * at + ("└ " if at else "") + name + (f"  ({each.kind})" if each.kind else ""))
    return lines


def impact_json(counted: Impact) -> dict[str, object]:
    """Return counts as plain values."""
    return {
        "total": counted.total,
        "restricted": counted.restricted,
        "depth": counted.depth,
        "by_source": dict(counted.sources),
        "by_agency": dict(counted.agencies),
        "by_owner": dict(counted.owners),
        "by_privacy_tier": dict(counted.privacy_tiers),
    }


class ReachedFact(TypedDict):
    """A dataset that was reached, as plain values."""

    address: str
    depth: int
    is_upstream: bool
    is_downstream: bool
    columns: list[str]
    is_whole: bool


def reached_json(reached: Reached, view: View) -> ReachedFact:
    """Return a dataset that was reached as plain values."""
    return {
        "address": str(view.dataset.address),
        "depth": reached.depth,
        "is_upstream": reached.is_upstream,
        "is_downstream": reached.is_downstream,
        "columns": met_columns(reached, view),
        "is_whole": reached.is_whole,
    }
