"""Why a hit stands where it does: what is deprecated comes last, and each hit says what put it there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from catalogues import Catalogues
from hms_registry.domain.curations import Curation, Deprecation
from hms_registry.domain.datasets import DatasetId, DatasetState, Observation
from hms_registry.domain.names import Address
from hms_registry.domain.search import EVERYTHING, Filter, Rank
from hms_registry.ports.catalogue import Catalogue
from hms_registry.store.asked import MOST_RANKED
from store_samples import column, described, everything, register

AT = datetime(2026, 3, 4, 5, 6, 7, 890, tzinfo=UTC)


def find(
    catalogue: Catalogue, text: str = "", narrowed: Filter = EVERYTHING, *, limit: int = 50, offset: int = 0
) -> list[tuple[str, Rank]]:
    """The table of each hit, in order, and why it stands there."""
    seen = everything(catalogue)
    with catalogue.unit() as uow:
        page = uow.search.search(text, visible=seen, limit=limit, offset=offset, narrowed=narrowed)
        found = {each.id: each.address.table for each in uow.datasets.get_many([hit.dataset_id for hit in page.hits])}
    return [(found[hit.dataset_id], hit.rank) for hit in page.hits]


def tables(catalogue: Catalogue, text: str = "", narrowed: Filter = EVERYTHING) -> list[str]:
    return [table for table, _ in find(catalogue, text, narrowed)]


def deprecate(catalogue: Catalogue, *ids: DatasetId, reason: str | None = "too old") -> None:
    """Say that they are not to be used any more, or that they are."""
    with catalogue.unit(writes=True) as uow:
        for each in ids:
            stated = Curation(deprecation=None if reason is None else Deprecation(reason=reason))
            event = "DatasetReinstated" if reason is None else "DatasetDeprecated"
            uow.curations.put(each, stated, event=event)
        uow.commit()


@pytest.fixture
def filled(catalogue: Catalogue) -> Catalogue:
    """Ships, in every part of a dataset."""
    with_column = described("berths_and_piers", "ship")
    said = described("cranes", description="Where a ship is unloaded")
    register(catalogue, described("ship"), described("ship_calls"), with_column, said)
    return catalogue


def test_each_hit_says_what_put_it_where_it_is(filled: Catalogue) -> None:
    """The worst place of a word decides; an exact name comes before all."""
    assert find(filled, "ship") == [
        ("ship", Rank.EXACT), ("ship_calls", Rank.NAME), ("berths_and_piers", Rank.COLUMN),
        ("cranes", Rank.DESCRIPTION),
    ]  # fmt: skip
    assert find(filled, "ship unloaded") == [("cranes", Rank.DESCRIPTION)]
    assert {rank for _, rank in find(filled, "", Filter(sources=frozenset({"lake"})))} == {Rank.LISTED}


def test_what_is_deprecated_comes_last_but_under_its_own_name(filled: Catalogue) -> None:
    """Until it is reinstated; a crawl, being gone and coming back change nothing of it."""
    with filled.unit() as uow:
        ids = {name: uow.datasets.find(Address("lake", "locks", name)) for name in ("ship", "ship_calls")}
    ship, calls = (found.id for found in ids.values() if found is not None)

    deprecate(filled, ship, calls)

    assert find(filled, "ship") == [
        ("ship", Rank.EXACT), ("berths_and_piers", Rank.COLUMN), ("cranes", Rank.DESCRIPTION),
        ("ship_calls", Rank.DEPRECATED),
    ]  # fmt: skip
    assert tables(filled, "lake") == ["cranes", "berths_and_piers", "ship", "ship_calls"]
    register(filled, described("ship_calls", "id", "ship"))
    with filled.unit(writes=True) as uow:
        uow.registrations.mark([ship], DatasetState.GONE)
        uow.commit()
    assert tables(filled, "ship") == ["berths_and_piers", "cranes", "ship_calls"]
    with filled.unit(writes=True) as uow:
        uow.registrations.mark([ship], DatasetState.PRESENT)
        uow.commit()
    assert find(filled, "lake")[2:] == [("ship", Rank.DEPRECATED), ("ship_calls", Rank.DEPRECATED)]
    deprecate(filled, ship, calls, reason=None)
    assert tables(filled, "lake") == ["ship", "cranes", "ship_calls", "berths_and_piers"]


def test_a_filter_asks_for_what_is_deprecated_or_for_the_rest(filled: Catalogue) -> None:
    """With words or without, and under an exact name."""
    with filled.unit() as uow:
        found = uow.datasets.find(Address("lake", "locks", "ship"))
        assert found is not None
    deprecate(filled, found.id)

    assert (
        tables(filled, "", Filter(is_deprecated=True)) == tables(filled, "ship", Filter(is_deprecated=True)) == ["ship"]
    )
    assert tables(filled, "ship", Filter(is_deprecated=False)) == ["ship_calls", "berths_and_piers", "cranes"]
    assert len(tables(filled, "", Filter(is_deprecated=False))) == 3


@pytest.fixture(scope="module")
def many(catalogues: Catalogues) -> Iterator[Catalogue]:
    """More hits than are ranked by their text, of which some are deprecated; nothing here changes them."""
    with catalogues.empty() as opened:
        named = register(opened, *(described(f"ship_{at:02}") for at in range(20)))
        others = register(opened, *(described(f"t{at}", "ship") for at in range(MOST_RANKED)))
        deprecate(opened, *(each.dataset_id for each in (*named[:5], *others[:5])))
        yield opened


def test_of_many_names_come_first_and_what_is_deprecated_last(many: Catalogue) -> None:
    """In the same order, however long a page is."""
    whole = find(many, "ship", limit=1_000)
    paged = [hit for at in range(0, 240, 30) for hit in find(many, "ship", limit=30, offset=at)]

    ranks = [rank for _, rank in whole]
    assert ranks == [Rank.NAME] * 15 + [Rank.ANYWHERE] * (MOST_RANKED - 5) + [Rank.DEPRECATED] * 10
    assert [table for table, _ in whole[-10:]] == [
        *(f"ship_{at:02}" for at in range(5)),
        *(f"t{at}" for at in range(5)),
    ]
    assert paged == whole


def test_a_filter_by_time_asks_when_the_store_changed_it(catalogue: Catalogue) -> None:
    """At that time or later, whatever zone it is told in; of what tells no time, nothing passes."""
    times = {"old": AT - timedelta(days=1), "then": AT, "later": AT + timedelta(microseconds=1), "never": None}
    register(
        catalogue,
        *(replace(described(name, "ship"), observation=Observation(modified_at=at)) for name, at in times.items()),
        replace(described("counted", column("ship")), observation=Observation(row_count=9_999, size_bytes=10)),
    )
    elsewhere = AT.astimezone(timezone(timedelta(hours=9)))

    for text in ("", "ship"):
        assert tables(catalogue, text, Filter(updated_since=elsewhere)) == ["then", "later"]
        assert tables(catalogue, text, Filter(updated_since=AT + timedelta(seconds=1))) == []
        assert len(tables(catalogue, text, Filter(updated_since=AT - timedelta(days=2)))) == 3
    assert tables(catalogue, "old", Filter(updated_since=AT)) == []
