"""Walks over random graphs, after random writes, for people of random rights: the index, SQL and a plain walk agree."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.decisions import Visibility
from hms_registry.domain.edges import Edge, EdgeKind
from hms_registry.domain.walks import FOLLOWED, Walk
from hms_registry.ports.catalogue import Catalogue
from hms_registry.store import open_catalogue
from store_samples import described, register

NAMES = "abcdefgh"
COLUMNS = ("id", "ID", "x\0")
_column = st.sampled_from([None, *COLUMNS])
_edge = st.tuples(st.integers(0, 7), st.sampled_from(list(EdgeKind)), _column, _column)
_written = st.lists(
    st.tuples(st.integers(0, 7), st.sampled_from(["view", "place"]), st.lists(_edge, max_size=5)), max_size=4
)
_asked = st.builds(
    Walk,
    start=st.sampled_from(NAMES),
    direction=st.sampled_from(["up", "down", "both"]),
    depth=st.none() | st.integers(1, 4),
    kinds=st.just(FOLLOWED) | st.frozensets(st.sampled_from(list(EdgeKind)), min_size=1),
    column=st.none() | st.sampled_from(COLUMNS),
)

Node = tuple[str, str | None]


def plain(edges: Iterable[Edge], walk: Walk, *, way: str) -> dict[Node, int]:
    """Walk from (dataset, column) to (dataset, column), None = the whole, one step after another."""
    steps: list[tuple[str, str | None, str, str | None, bool]] = []
    for edge in edges:
        if edge.kind in walk.kinds:
            ends = [(edge.downstream, edge.downstream_column), (edge.upstream, edge.upstream_column)]
            if walk.column is None:  # from dataset to dataset, whatever column leads there
                ends = [(end, None) for end, _ in ends]
            is_same = edge.kind is EdgeKind.SAME_DATA
            for near, far in [ends, ends[::-1]] if is_same else [ends if way == "up" else ends[::-1]]:
                steps.append((*near, *far, is_same))
    met: dict[Node, int] = {(walk.start, walk.column): 0}
    waiting = deque(met)
    while waiting:
        node = waiting.popleft()
        if met[node] == walk.depth:
            continue
        for near, near_column, far, far_column, is_same in steps:
            if near != node[0] or not (near_column is None or node[1] is None or near_column == node[1]):
                continue
            ends = [far_column]
            if is_same and far_column is None and node[1] is not None:
                named = {one for end, one, *_ in steps if end == far and one}
                ends = [node[1], *(each for each in named if each.lower() == node[1].lower())]
            for column in ends:
                if (far, column) not in met:
                    met[far, column] = met[node] + 1
                    waiting.append((far, column))
    return met


def expected(edges: Iterable[Edge], walk: Walk) -> tuple[dict[str, int], dict[str, set[str]], set[str], set[str]]:
    """What is to be met: depths, columns, and what is upstream and downstream."""
    told = list(edges)
    ways = {way: plain(told, walk, way=way) for way in ("up", "down") if walk.direction in (way, "both")}
    depths: dict[str, int] = {}
    columns: dict[str, set[str]] = {}
    for met in ways.values():
        for (dataset, column), depth in met.items():
            if dataset != walk.start:
                depths[dataset] = min(depth, depths.get(dataset, depth))
                columns.setdefault(dataset, set()).update([column] if column else [])
    sides = [{dataset for dataset, _ in ways.get(way, {})} - {walk.start} for way in ("up", "down")]
    return depths, columns, sides[0], sides[1]


def write(catalogue: Catalogue, ids: dict[str, DatasetId], kept: dict, written: list) -> None:
    """Make each the edges of one origin of a dataset, in one unit."""
    with catalogue.unit(writes=True) as uow:
        for downstream, origin, rows in written:
            end = ids[NAMES[downstream]]
            edges = [
                Edge(upstream=ids[NAMES[upstream]], downstream=end, kind=kind, upstream_column=one,
                     downstream_column=other, origin=origin)
                for upstream, kind, one, other in rows
            ]  # fmt: skip
            kept[downstream, origin] = edges
            uow.edges.replace(end, origin=origin, edges=edges)
        uow.commit()


def visible_to(catalogue: Catalogue, hidden: set[str]) -> Visibility:
    """The rights of somebody who may find all but what is *hidden*: each name is a source, so it has a class."""
    with catalogue.unit() as uow:
        classes = uow.bundles.classes()
    shown = {number for number, labels in classes.datasets.items() if labels.source not in hidden}
    return Visibility(dataset_classes=frozenset(shown))


@pytest.fixture(scope="module")
def shared() -> Iterator[Catalogue]:
    """A catalogue to which each example adds datasets of its own, and edges between these alone."""
    with tempfile.TemporaryDirectory() as folder:
        opened = open_catalogue("sqlite://", graph_file=Path(folder) / "lineage.index")
        yield opened
        opened.close()


_serial = count()


@settings(max_examples=15, deadline=None, phases=[Phase.generate])
@given(before=_written, after=st.lists(_written, max_size=2), asked=_asked, hidden=st.sets(st.sampled_from(NAMES)))
def test_index_sql_and_a_plain_walk_agree(
    shared: Catalogue, before: list, after: list, asked: Walk, hidden: set[str]
) -> None:
    """Whatever is linked and taken away meanwhile: most of it stands beside the arrays, some in them."""
    schema = f"s{next(_serial)}"
    made = register(shared, *(described(name, source=name, schema=schema) for name in NAMES))
    ids = {each.address.table: each.dataset_id for each in made}
    walk = replace(asked, start=ids[asked.start])
    kept: dict = {}
    for written in [before, *after]:
        write(shared, ids, kept, written)
        visible, everything = visible_to(shared, hidden), visible_to(shared, set())
        depths, columns, up, down = expected((edge for rows in kept.values() for edge in rows), walk)
        with shared.unit() as uow:
            indexed = uow.walks.reach(walk, visible=visible, first=99)
            by_sql = uow.walks.reach(replace(walk, as_of=uow.epoch()), visible=visible, first=99)
            whole = uow.walks.reach(walk, visible=everything, first=99).page
        of_hidden = {ids[name] for name in hidden}

        assert {each.dataset_id: each.depth for each in whole} == depths
        assert {each.dataset_id: set(each.columns) for each in whole} == columns
        assert {each.dataset_id for each in whole if each.is_upstream} == up
        assert {each.dataset_id for each in whole if each.is_downstream} == down
        assert indexed.page == tuple(each for each in whole if each.dataset_id not in of_hidden)
        assert (indexed.total, indexed.restricted) == (len(indexed.page), len(depths.keys() & of_hidden))
        assert by_sql == indexed
