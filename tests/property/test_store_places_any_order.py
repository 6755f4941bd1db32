"""What must hold of links between datasets at one place, whatever came and went, in whatever order."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from hms_registry.domain.datasets import DatasetId, DatasetKind, DatasetState
from hms_registry.domain.edges import EdgeKind
from hms_registry.domain.places import place_at
from hms_registry.ports.catalogue import Catalogue
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


def test_links_kept_step_by_step_are_those_made_at_once(memory: Catalogue) -> None:
    """Whatever came to a place or left it in whatever order, the links are those of a catalogue that is told the end
    alone; and what lies at one place of one store is one thing by them, but for what a source lists as two."""
    number = count()  # each time in a bucket of its own, and twice in sources of their own

    @settings(deadline=None, derandomize=True, max_examples=25)
    @given(MOVES)
    def hold(moves: list[tuple[str, str, str | None, str, bool]]) -> None:
        last = {(source, table): (path, store, is_gone) for source, table, path, store, is_gone in moves}
        kept, fresh = (f"s3://lake{next(number)}" for _ in range(2))
        for source, table, *state in moves:
            _move(memory, kept, source, table, *state)
        for key, state_at_the_end in last.items():
            _move(memory, fresh, *key, *state_at_the_end)

        links = _same(memory, kept)
        assert links == _same(memory, fresh)
        there = {key: (path, store) for key, (path, store, is_gone) in last.items() if path and not is_gone}
        for one, place in there.items():
            together = _reached(one, links)
            assert together <= there.keys()
            assert {other for other, its in there.items() if its == place and not _are_listed(one, other)} <= together

    hold()


def _move(
    catalogue: Catalogue, bucket: str, source: str, table: str, path: str | None, store: str, is_gone: bool
) -> None:
    each = described(table, source=f"{source}_{bucket[5:]}", kind=_KINDS[source])
    place = None if path is None else place_at(bucket, path, store=store)
    done = register(catalogue, replace(each, place=place))[0]
    if is_gone:
        with catalogue.unit(writes=True) as uow:
            uow.registrations.mark([done.dataset_id], DatasetState.GONE)
            uow.commit()


def _same(catalogue: Catalogue, bucket: str) -> set[frozenset[tuple[str, str]]]:
    known: dict[str, tuple[str, str]] = {}
    with catalogue.unit() as uow:
        for source in _KINDS:
            found = uow.registrations.known(f"{source}_{bucket[5:]}")
            known |= {one.dataset_id: (source, address.table) for address, one in found.items()}
        ids = [DatasetId(each) for each in known]
        edges = [each.edge for one in ids for each in uow.edges.around(one, kind=EdgeKind.SAME_DATA)]
    return {frozenset((known[edge.upstream], known[edge.downstream])) for edge in edges}


def _are_listed(one: tuple[str, str], other: tuple[str, str]) -> bool:
    return one[0] == other[0] and _KINDS[one[0]] is not DatasetKind.TABLE and one != other


def _reached(start: tuple[str, str], links: set[frozenset[tuple[str, str]]]) -> set[tuple[str, str]]:
    met, todo = {start}, [start]
    while todo:
        at = todo.pop()
        beside = {end for link in links if at in link for end in link} - met
        met |= beside
        todo += beside
    return met
