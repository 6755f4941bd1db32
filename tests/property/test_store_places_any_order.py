"""What must hold of links between datasets at one place, whatever came and went, in whatever order."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from hms_registry.domain.datasets import DatasetKind, DatasetState, DescribedDataset
from hms_registry.domain.edges import EdgeKind
from hms_registry.domain.places import place_at
from hms_registry.ports.catalogue import Catalogue
from hms_registry.store import open_catalogue
from store_samples import described, register

_KINDS = {"lake": DatasetKind.FOLDER, "copy": DatasetKind.FILE, "hive": DatasetKind.TABLE, "ice": DatasetKind.TABLE}
_PATHS = ("a", "a/b", "a/b/c", "a/bb", "x")
MOVES = st.lists(
    st.tuples(
        st.sampled_from(sorted(_KINDS)),
        st.sampled_from(["t0", "t1"]),
        st.sampled_from(_PATHS) | st.none(),
        st.sampled_from(["", "one", "two"]),
        st.booleans(),
    ),
    min_size=1,
    max_size=10,
)


@settings(deadline=None, derandomize=True, max_examples=20)
@given(MOVES)
def test_links_kept_step_by_step_are_those_made_at_once(moves: list[tuple[str, str, str | None, str, bool]]) -> None:
    """Whatever came to a place or left it in whatever order, the links are those of a catalogue that is told the end
    alone; and what lies at one place of one store is one thing by them, but for what a source lists as two."""
    kept, fresh = open_catalogue("sqlite://"), open_catalogue("sqlite://")
    last: dict[tuple[str, str], tuple[DescribedDataset, bool]] = {}
    for source, table, path, store, is_gone in moves:
        each = described(table, source=source, kind=_KINDS[source])
        each = replace(each, place=None if path is None else place_at("s3://lake", path, store=store))
        _move(kept, each, is_gone=is_gone)
        last[source, table] = each, is_gone

    for each, is_gone in last.values():
        _move(fresh, each, is_gone=is_gone)

    links = _same(kept)
    assert links == _same(fresh)
    there = {key: each.place for key, (each, is_gone) in last.items() if each.place and not is_gone}
    for one, place in there.items():
        together = _reached(one, links)
        assert together <= there.keys()
        assert {other for other, its in there.items() if its == place and not _are_listed(one, other)} <= together
    kept.close()
    fresh.close()


def _are_listed(one: tuple[str, str], other: tuple[str, str]) -> bool:
    return one[0] == other[0] and _KINDS[one[0]] is not DatasetKind.TABLE and one != other


def _move(catalogue: Catalogue, each: DescribedDataset, *, is_gone: bool) -> None:
    done = register(catalogue, each)[0]
    if is_gone:
        with catalogue.unit(writes=True) as uow:
            uow.registrations.mark([done.dataset_id], DatasetState.GONE)
            uow.commit()


def _same(catalogue: Catalogue) -> set[frozenset[tuple[str, str]]]:
    with catalogue.unit() as uow:
        known = {
            one.dataset_id: (address.source, address.table)
            for source in uow.sources.all()
            for address, one in uow.registrations.known(source.source.name).items()
        }
        edges = [each.edge for one in known for each in uow.edges.around(one, kind=EdgeKind.SAME_DATA)]
    return {frozenset((known[edge.upstream], known[edge.downstream])) for edge in edges}


def _reached(start: tuple[str, str], links: set[frozenset[tuple[str, str]]]) -> set[tuple[str, str]]:
    met, todo = {start}, [start]
    while todo:
        at = todo.pop()
        beside = {end for link in links if at in link for end in link} - met
        met |= beside
        todo += beside
    return met
