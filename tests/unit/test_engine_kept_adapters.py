"""Adapters outlive their query only where that is sound, and are one query's at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa
import pytest

from engine_fakes import Store, planned, scanned
from hms_federation.engine.kept_adapters import KeptAdapters
from hms_federation.engine.limits import Limits
from hms_federation.engine.run import run
from hms_registry.errors import HmsError

IDS = planned("SELECT id FROM __scan_1", scanned("Id"), id="bigint")


@dataclass
class Resting(Store):
    """A store whose adapters may be kept."""

    is_fit: bool = True

    def rest(self) -> bool:
        return self.is_fit


@dataclass
class Shelf:
    """Opens a new adapter each time, and has a clock that a test moves."""

    kind: type[Store] = Resting
    options: dict[str, object] = field(default_factory=dict)
    opened: list[Store] = field(default_factory=list)
    at: float = 0.0

    def __call__(self, _source: str) -> Store:
        self.opened.append(self.kind(**self.options))  # type: ignore[arg-type]
        return self.opened[-1]

    def kept(self) -> KeptAdapters:
        return KeptAdapters(self, clock=lambda: self.at)  # type: ignore[arg-type]

    def closed(self) -> list[int]:
        return [store.adapters_closed for store in self.opened]


def rows(kept: KeptAdapters) -> int:
    with run(IDS, open_adapter=kept, limits=Limits()) as answer:
        return pa.Table.from_batches(list(answer), schema=answer.schema).num_rows


def test_the_next_query_has_the_adapter_of_the_one_before() -> None:
    """It is closed once, with what kept it."""
    shelf = Shelf()
    kept = shelf.kept()

    assert [rows(kept), rows(kept)] == [30, 30]
    assert shelf.closed() == [0]

    kept.close()
    assert shelf.closed() == [1]


def test_two_queries_at_once_have_an_adapter_each() -> None:
    """None is shared while it is in use, and both are kept."""
    shelf = Shelf()
    kept = shelf.kept()
    with run(IDS, open_adapter=kept, limits=Limits()) as first:
        next(first)
        assert rows(kept) == 30
        list(first)

    rows(kept)

    assert shelf.closed() == [0, 0]


@pytest.mark.parametrize(
    "shelf",
    [Shelf(kind=Store), Shelf(options={"is_fit": False}), Shelf(options={"breaks_at": 1})],
    ids=["does not rest", "is not fit", "broke"],
)
def test_what_is_not_sound_is_closed_after_its_query(shelf: Shelf) -> None:
    """The next query then opens its own."""
    kept = shelf.kept()
    for _ in range(2):
        try:
            rows(kept)
        except HmsError:
            assert "breaks_at" in shelf.options

    assert shelf.closed() == [1, 1]


def test_an_answer_that_was_left_half_way_costs_its_adapter() -> None:
    """Who knows what its connections still have in them."""
    shelf = Shelf(options={"batches": 50, "rows": 5000})
    with run(IDS, open_adapter=shelf.kept(), limits=Limits()) as answer:
        next(answer)

    assert shelf.closed() == [1]


def test_an_old_adapter_is_not_handed_out_again() -> None:
    """Secrets change; after ten minutes they are read again."""
    shelf = Shelf()
    kept = shelf.kept()
    rows(kept)
    shelf.at = 601.0
    rows(kept)

    assert shelf.closed() == [1, 0]


def test_what_comes_back_after_the_end_is_closed() -> None:
    """A query may outlast the registry that it was asked of."""
    shelf = Shelf()
    kept = shelf.kept()
    with run(IDS, open_adapter=kept, limits=Limits()) as answer:
        next(answer)
        kept.close()
        list(answer)

    assert shelf.closed() == [1]
