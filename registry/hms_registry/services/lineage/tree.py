"""Lineage as a tree: walked without recursion or a cap, what a person may not find only counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.edges import Edge, EdgeKind

Direction = Literal["up", "down"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One line of the tree.

    Attributes:
        depth: 0 for the root.
        dataset: None = *hidden* datasets that may not be found, joined into one line.
        is_repeated: it is shown in full further up.
        is_same: it is the same data as what is above it, under another name; not told of hidden ones.
    """

    depth: int
    dataset: DatasetId | None
    hidden: int = 0
    is_repeated: bool = False
    is_same: bool = False


@dataclass(frozen=True, slots=True)
class _Group:
    """Hidden datasets that are joined, as one node: their number shows, their order and names do not."""

    members: frozenset[DatasetId]


Neighbours = dict[DatasetId, list[DatasetId]]


def neighbours(edges: Iterable[Edge], *, direction: Direction) -> Neighbours:
    """Return for each dataset those one step further, sorted."""
    steps: dict[DatasetId, set[DatasetId]] = {}
    for edge in edges:
        ends = (edge.downstream, edge.upstream) if direction == "up" else (edge.upstream, edge.downstream)
        steps.setdefault(ends[0], set()).add(ends[1])
        if edge.kind is EdgeKind.SAME_DATA:
            steps.setdefault(ends[1], set()).add(ends[0])
    return {start: sorted(ends) for start, ends in steps.items()}


def lineage_tree(
    edges: Iterable[Edge], *, root: DatasetId, direction: Direction, may_find: Callable[[DatasetId], bool]
) -> list[Branch]:
    """Return the tree as lines, depth first. Each dataset is followed once; cycles end.

    Hidden datasets that touch each other become one line with their number; what may be found beyond them
    follows below it, so that nothing visible is lost.
    """
    told = list(edges)
    steps = neighbours(told, direction=direction)
    derived = neighbours((edge for edge in told if edge.kind is not EdgeKind.SAME_DATA), direction=direction)
    lines: list[Branch] = []
    seen: set[DatasetId | _Group] = set()
    stack: list[tuple[int, DatasetId | _Group, bool]] = [(0, root, False)]
    while stack:
        depth, node, is_same = stack.pop()
        is_repeated = node in seen
        if is_repeated and is_same:  # it is what led here, or beside it
            continue
        seen.add(node)
        members = _members(node)
        shown, hidden = (None, len(members)) if isinstance(node, _Group) else (node, 0)
        is_told = is_same and shown is not None
        lines.append(Branch(depth=depth, dataset=shown, hidden=hidden, is_repeated=is_repeated, is_same=is_told))
        if not is_repeated:
            onward = {end for each in members for end in derived.get(each, ())}
            further = _further(members, steps, root=root, may_find=may_find)
            stack += [(depth + 1, child, onward.isdisjoint(_members(child))) for child in reversed(further)]
    return lines


def _members(node: DatasetId | _Group) -> frozenset[DatasetId]:
    return node.members if isinstance(node, _Group) else frozenset({node})


def _further(
    members: frozenset[DatasetId], steps: Neighbours, *, root: DatasetId, may_find: Callable[[DatasetId], bool]
) -> list[DatasetId | _Group]:
    """Return what may be found next to *members*, then the hidden rest as one group."""
    beside = {end for start in members for end in steps.get(start, ())} - members
    shown: list[DatasetId | _Group] = [end for end in sorted(beside) if end == root or may_find(end)]
    hidden = sorted(beside - set(shown))
    if hidden:
        shown.append(_Group(_joined(hidden, steps, root=root, may_find=may_find)))
    return shown


def _joined(
    start: list[DatasetId], steps: Neighbours, *, root: DatasetId, may_find: Callable[[DatasetId], bool]
) -> frozenset[DatasetId]:
    group, stack = set(start), list(start)
    while stack:
        for end in steps.get(stack.pop(), ()):
            if end not in group and end != root and not may_find(end):
                group.add(end)
                stack.append(end)
    return frozenset(group)


_MERMAID_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ._-:,+()")


def mermaid_text(text: str) -> str:
    """Write a name so that Mermaid shows it and reads nothing into it: https://mermaid.js.org/syntax/flowchart.html"""
    return "".join(char if char in _MERMAID_PLAIN else f"#{ord(char)};" for char in text)


def mermaid(lines: Iterable[Branch], *, label: Callable[[DatasetId], str], direction: Direction) -> str:
    """Return a flowchart of *lines*; arrows point from what is upstream to what is downstream."""
    chart = ["flowchart LR"]
    nodes: dict[DatasetId, str] = {}
    arrows: dict[str, None] = {}
    path: list[str] = []
    for line in lines:
        if line.dataset is not None and line.dataset in nodes:
            node = nodes[line.dataset]
        else:
            node = f"n{len(chart) - 1}"
            side = "upstream" if direction == "up" else "downstream"
            text = f"{line.hidden} restricted {side}" if line.dataset is None else label(line.dataset)
            chart.append(f'    {node}["{mermaid_text(text)}"]')
            if line.dataset is not None:
                nodes[line.dataset] = node
        del path[line.depth :]
        if path:
            start, end = (node, path[-1]) if direction == "up" else (path[-1], node)
            arrows[f"    {start} {'<-->' if line.is_same else '-->'} {end}"] = None
        path.append(node)
    return "\n".join([*chart, *arrows]) + "\n"
