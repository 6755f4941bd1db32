"""Strongly connected components, upstream first: how labels walk lineage that may hold cycles."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import TypeVar

N = TypeVar("N", bound=Hashable)


def components(upstreams: Mapping[N, Sequence[N]]) -> list[list[N]]:
    """Group nodes that reach each other, each group after all groups that it comes from.

    Tarjan's algorithm (SIAM J. Comput. 1, 146-160, 1972) with a stack of its own: lineage of 100,000 steps is
    deeper than Python recurses.

    Args:
        upstreams: for each node, what it comes from; upstreams that are no keys are left out.
    """
    index: dict[N, int] = {}
    low: dict[N, int] = {}
    open_nodes: dict[N, None] = {}
    found: list[list[N]] = []
    for root in upstreams:
        if root in index:
            continue
        work: list[tuple[N, Iterator[N]]] = [(root, iter(upstreams[root]))]
        index[root] = low[root] = len(index)
        open_nodes[root] = None
        while work:
            node, rest = work[-1]
            step = next(
                (each for each in rest if each in upstreams and (each not in index or each in open_nodes)), None
            )
            if step is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    found.append(_close(node, open_nodes))
            elif step in index:
                low[node] = min(low[node], index[step])
            else:
                index[step] = low[step] = len(index)
                open_nodes[step] = None
                work.append((step, iter(upstreams[step])))
    return found


def _close(node: N, open_nodes: dict[N, None]) -> list[N]:
    members = []
    while True:
        member, _ = open_nodes.popitem()
        members.append(member)
        if member == node:
            return members
