"""Edges: replaced as a whole, kept with their epochs, and walked to any depth."""

from __future__ import annotations

import pytest
from sqlalchemy import insert

from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.edges import Edge, EdgeKind, RecordedEdge
from hms_registry.errors import DatasetNotFound
from hms_registry.ports.catalogue import Catalogue
from hms_registry.store import tables
from store_samples import described, link, register


@pytest.fixture
def ids(catalogue: Catalogue) -> list[DatasetId]:
    return [each.dataset_id for each in register(catalogue, *(described(name) for name in "abcd"))]


def closure(catalogue: Catalogue, start: DatasetId, direction: str, as_of: int | None = None) -> set[str]:
    with catalogue.unit() as uow:
        found = uow.edges.closure(start, direction="up" if direction == "up" else "down", as_of=as_of)
    return {each.upstream if direction == "up" else each.downstream for each in found}


def test_equal_edges_write_nothing(catalogue: Catalogue, ids: list[DatasetId]) -> None:
    """Only what differs is written, and counted."""
    assert link(catalogue, ids[0], ids[1], ("id", "id"), (None, None)) == 2
    assert link(catalogue, ids[0], ids[1], (None, None), ("id", "id"), ("id", "id")) == 0
    assert link(catalogue, ids[0], ids[1], ("id", "id"), has_unknown=True) == 2
    with catalogue.unit() as uow:
        assert uow.epoch() == 3


def test_origins_do_not_touch_each_other(catalogue: Catalogue, ids: list[DatasetId]) -> None:
    """A crawl of foreign keys leaves the edges of views, and that they are not all, alone."""
    link(catalogue, ids[0], ids[1], ("id", "id"), has_unknown=True)

    with catalogue.unit(writes=True) as uow:
        assert uow.edges.replace(ids[1], origin="foreign_key", edges=[]) == 0
        uow.commit()

    with catalogue.unit() as uow:
        assert len(uow.edges.around(ids[1])) == 1
        assert uow.datasets.get(ids[1]).labels.has_unknown_origin


def test_an_edge_to_nothing_is_refused(catalogue: Catalogue, ids: list[DatasetId]) -> None:
    """Both ends are registered."""
    with pytest.raises(DatasetNotFound, match="no dataset has the id 'none'"):
        link(catalogue, DatasetId("none"), ids[1])


def test_a_walk_passes_over_to_the_other_names_of_a_thing(catalogue: Catalogue, ids: list[DatasetId]) -> None:
    """A view of a table comes from its folder as well, and the folder leads to the view, however they are linked."""
    folder, table, view, other = ids
    link(catalogue, table, view)
    link(catalogue, table, folder, kind=EdgeKind.SAME_DATA)
    link(catalogue, other, view, kind=EdgeKind.REFERENCES)

    with catalogue.unit() as uow:
        up, down = (uow.edges.closure(end, direction=way) for end, way in ((view, "up"), (folder, "down")))

    assert {each.kind for each in up} == {each.kind for each in down} == {EdgeKind.DERIVES, EdgeKind.SAME_DATA}


def test_edges_around_a_dataset_are_its_current_ones(catalogue: Catalogue, ids: list[DatasetId]) -> None:
    """In and out, with the epoch since when they hold."""
    link(catalogue, ids[0], ids[1])
    link(catalogue, ids[1], ids[2], ("id", "id"), kind=EdgeKind.REFERENCES)

    with catalogue.unit() as uow:
        around = uow.edges.around(ids[1])
        references = uow.edges.around(ids[1], kind=EdgeKind.REFERENCES)

    assert [(each.edge.upstream, each.edge.downstream, each.first_epoch) for each in around] == [
        (ids[0], ids[1], 2), (ids[1], ids[2], 3),
    ]  # fmt: skip
    assert references == [
        RecordedEdge(
            edge=Edge(
                upstream=ids[1],
                downstream=ids[2],
                kind=EdgeKind.REFERENCES,
                upstream_column="id",
                downstream_column="id",
                origin=f"view of {ids[1]}",
            ),
            first_epoch=3,
        )
    ]


def test_lineage_is_walked_whole_both_ways_and_cycles_end(catalogue: Catalogue, ids: list[DatasetId]) -> None:
    """Along `derives` alone."""
    a, b, c, d = ids
    link(catalogue, a, b)
    link(catalogue, b, c)
    link(catalogue, c, a)
    link(catalogue, c, d, kind=EdgeKind.REFERENCES)

    assert closure(catalogue, b, "up") == closure(catalogue, b, "down") == {a, b, c}
    assert closure(catalogue, d, "up") == set()


def test_lineage_as_of_an_epoch_is_what_held_then(catalogue: Catalogue, ids: list[DatasetId]) -> None:
    """An edge holds from the commit that added it to before the one that ended it."""
    a, b, c, _ = ids
    link(catalogue, a, b)
    link(catalogue, b, c)
    with catalogue.unit(writes=True) as uow:
        uow.edges.replace(b, origin=f"view of {a}", edges=[])
        uow.commit()

    assert [closure(catalogue, c, "up", as_of=epoch) for epoch in (1, 2, 3, 4)] == [set(), set(), {a, b}, {b}]
    assert closure(catalogue, c, "up") == {b}


def test_an_edge_added_and_ended_in_one_unit_never_held(catalogue: Catalogue, ids: list[DatasetId]) -> None:
    """It leaves no trace."""
    a, b, _, _ = ids
    edge = Edge(upstream=a, downstream=b, kind=EdgeKind.DERIVES)

    with catalogue.unit(writes=True) as uow:
        uow.edges.replace(b, origin="view", edges=[edge])
        uow.edges.replace(b, origin="view", edges=[])
        epoch = uow.commit()

    assert [closure(catalogue, b, "up", as_of=at) for at in (epoch - 1, epoch, epoch + 1)] == [set(), set(), set()]


def test_a_chain_of_20000_is_walked_whole(catalogue: Catalogue) -> None:
    """There is no cap on the depth of lineage."""
    size = 20_000
    with catalogue.unit(writes=True) as uow:
        first = register_one(uow)
        session = uow._session
        row = dict(session.read(tables.datasets.select()).one()._mapping)
        chain = [{**row, "number": at, "id": f"{at}", "table_name": f"{at}", "address": f"{at}", "trino_table": f"{at}"} for at in range(2, size)]  # fmt: skip  # noqa: E501
        session.write(insert(tables.datasets), chain)
        steps = [(first, "2"), *((f"{at}", f"{at + 1}") for at in range(2, size - 1))]
        session.write(
            insert(tables.edges),
            [
                {"upstream": one, "downstream": other, "kind": "derives", "origin": "view", "first_epoch": 1}
                for one, other in steps
            ],
        )
        uow.commit()

    assert len(closure(catalogue, first, "down")) == size - 2
    assert len(closure(catalogue, DatasetId(f"{size - 1}"), "up")) == size - 2


def register_one(uow: object) -> DatasetId:
    from hms_registry.store.unit import SqlUnit
    from store_samples import LAKE

    assert isinstance(uow, SqlUnit)
    uow.sources.put(LAKE)
    return uow.registrations.register([described("first")])[0].dataset_id
