"""The search index is derived: whatever was written in whatever order, made anew it says the same."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from catalogues import Catalogues
from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.datasets import DatasetState
from hms_registry.domain.decisions import Visibility
from hms_registry.domain.manifests import Manifest
from hms_registry.domain.names import Address
from hms_registry.ports.catalogue import Catalogue
from hms_registry.store import tables
from hms_registry.store.unit import SqlUnit
from store_samples import column, described, everything, publish, register

NAMES = ("calls", "harbour calls", "Harbour_calls", "tollsPaid", "%", "vessel")
WORDS = ("tonnage", "vessel", "crew", "draft survey")
TIERS = st.sampled_from([None, *PrivacyTier])
REGISTER = st.tuples(
    st.just("register"), st.sampled_from(NAMES), st.lists(st.sampled_from(WORDS), min_size=1, max_size=3, unique=True),
    TIERS, st.sampled_from(["", "Calls of vessels"]),
)  # fmt: skip
WRITES = st.lists(
    REGISTER
    | st.tuples(st.just("gone"), st.sampled_from(NAMES))
    | st.tuples(st.just("annotate"), st.sampled_from(NAMES), st.sampled_from(WORDS))
    | st.tuples(st.just("publish"), st.sampled_from(WORDS)),
    min_size=3, max_size=12,
)  # fmt: skip
QUERIES = (*NAMES, *WORDS, "tolls", "paid", "harb", "calls vessel", "lake.locks.calls")


def write(catalogue: Catalogue, what: tuple, at: int) -> None:
    """Do one of the things that change what search knows."""
    kind, name, *rest = what
    address = Address("lake", "locks", name)
    if kind == "register":
        words, tier, description = rest
        columns = (column("id"), *(column(word, tier=tier, tags=[word]) for word in words))
        register(catalogue, described(name, *columns, description=description))
    elif kind == "publish":
        publish(catalogue, name, digest=f"d{at}")
    else:
        with catalogue.unit(writes=True) as uow:
            found = uow.datasets.find(address)
            if found is not None and kind == "gone":
                uow.registrations.mark([found.id], DatasetState.GONE)
            elif found is not None:
                uow.registrations.annotate(address, Manifest(name=rest[0], source="x", tags=frozenset(rest)))
            uow.commit()


def known(catalogue: Catalogue) -> list[object]:
    """All that the index holds, and what it answers to who may see everything and to who may see half of it."""
    seen = everything(catalogue)
    half = Visibility(
        dataset_classes=seen.dataset_classes, column_classes=frozenset(each for each in seen.column_classes if each % 2)
    )
    with catalogue.unit() as uow:
        assert isinstance(uow, SqlUnit)
        documents = uow._session.read(select(tables.search_documents).order_by(tables.search_documents.c.key)).all()
        names = uow._session.read(select(tables.search_names.c.dataset_number, tables.search_names.c.folded)).all()
        pages = [uow.search.search(text, visible=who, limit=50) for text in QUERIES for who in (seen, half)]
        near = [uow.search.nearest(text, visible=seen) for text in QUERIES]
    return [[tuple(row) for row in documents], sorted(map(tuple, names)), pages, near]


@settings(
    deadline=None, derandomize=True, max_examples=8, phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
@given(writes=WRITES)
def test_the_index_that_was_kept_is_the_one_that_is_made_anew(catalogues: Catalogues, writes: list[tuple]) -> None:
    """Rows, hits, order, totals and suggestions, on either database."""
    with catalogues.empty() as catalogue:
        register(catalogue, described("calls", "tonnage"))
        for at, what in enumerate(writes):
            write(catalogue, what, at)
        kept = known(catalogue)

        with catalogue.unit(writes=True) as uow:
            count = uow.search.rebuild()
            uow.commit()

        assert known(catalogue) == kept
        assert count == len(kept[0])  # type: ignore[arg-type]


def test_an_index_that_was_lost_is_made_anew(catalogue: Catalogue) -> None:
    """Whatever is left of it."""
    register(catalogue, described("calls", "tonnage"), described("vessels"))
    kept = known(catalogue)
    with catalogue.unit(writes=True) as uow:
        assert isinstance(uow, SqlUnit)
        uow._session.clear_index()
        uow._session.write(delete(tables.search_documents))
        uow.commit()
    with catalogue.unit() as uow:
        assert uow.search.search("tonnage", visible=Visibility(), limit=5).total == 0

    with catalogue.unit(writes=True) as uow:
        assert uow.search.rebuild() == 2
        uow.commit()

    assert known(catalogue) == kept
