"""The brake: a crawl that would take away more of its source than it may takes away nothing, and says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from hms_registry.domain.crawls import CrawlState, Discovery
from hms_registry.domain.datasets import DatasetState
from hms_registry.errors import SourceUnreachable
from hms_registry.ports.adapter import Scope
from hms_registry.ports.catalogue import Catalogue
from shelf_source import SHOP, Shelf, run, states

GONE, PRESENT, SUSPECT = DatasetState.GONE, DatasetState.PRESENT, DatasetState.SUSPECT


def full() -> Shelf:
    return Shelf(tables={name: ["x"] for name in "abcd"})


@pytest.mark.parametrize("is_snapshot", [True, False])
def test_an_emptied_listing_takes_nothing_away(memory: Catalogue, is_snapshot: bool) -> None:
    """However often it is listed empty and whole: all is suspect, and found as before."""
    run(full(), memory)
    shelf = Shelf(is_snapshot=is_snapshot)

    reports = [run(shelf, memory) for _ in range(3)]

    assert reports[-1].state is CrawlState.STOPPED and not reports[-1].is_ok
    assert [report.balance.gone for report in reports] == [0, 0, 0]
    assert states(memory) == dict.fromkeys("abcd", SUSPECT)
    with memory.unit() as uow:
        assert len(list(uow.datasets.iter())) == 4


def test_a_run_that_was_stopped_says_what_it_would_have_done_and_what_to_do(memory: Catalogue) -> None:
    """In the report, and in the catalogue for who looks later."""
    run(full(), memory)

    report = run(Shelf(tables={"a": ["x"]}), memory)

    assert report.error == (
        "source shop: 3 of its 4 datasets would be taken away, and max_removed_fraction is 0.5: none was"
    )
    assert report.hint.endswith("if they are really gone: hms-dta crawl shop --accept-removals")
    with memory.unit() as uow:
        (last,) = uow.crawls.latest(source="shop", limit=1)
        status = uow.sources.get("shop")
    assert (last.state, last.error) == (CrawlState.STOPPED, report.error)
    assert (status.stamp, status.is_stale) == (None, False)


def test_who_accepts_removals_lets_the_run_through(memory: Catalogue) -> None:
    """Once: the next run has a brake again."""
    run(full(), memory)
    shelf = Shelf(tables={"a": ["x"]})
    run(shelf, memory)

    report = run(shelf, memory, accepts_removals=True)

    assert (report.state, report.balance.gone) == (CrawlState.COMPLETE, 3)
    assert states(memory) == {"a": PRESENT, "b": GONE, "c": GONE, "d": GONE}
    assert run(Shelf(), memory).state is CrawlState.STOPPED


def test_what_comes_back_after_a_stopped_run_is_present_and_the_source_settled(memory: Catalogue) -> None:
    """The right that was taken is given again: nothing is described anew."""
    run(full(), memory)
    run(Shelf(), memory)
    shelf = full()

    returned, settled = run(shelf, memory), run(shelf, memory)

    assert (returned.state, returned.balance.changed, shelf.described) == (CrawlState.COMPLETE, 4, [])
    assert settled.state is CrawlState.UNCHANGED
    assert states(memory) == dict.fromkeys("abcd", PRESENT)


def test_a_stopped_run_registers_what_is_new(memory: Catalogue) -> None:
    """Only the removals are held back."""
    run(full(), memory)

    report = run(Shelf(tables={"e": ["x"]}), memory)

    assert (report.state, report.balance.new, report.balance.suspect) == (CrawlState.STOPPED, 1, 4)
    assert states(memory) == dict.fromkeys("abcd", SUSPECT) | {"e": PRESENT}


@pytest.mark.parametrize(
    ("fraction", "left", "state"),
    [
        (0.5, "ab", CrawlState.COMPLETE),
        (0.49, "ab", CrawlState.STOPPED),
        (0.0, "abc", CrawlState.STOPPED),
        (1.0, "", CrawlState.COMPLETE),
    ],
)
def test_the_source_says_how_much_is_too_much(memory: Catalogue, fraction: float, left: str, state: CrawlState) -> None:
    """Exactly that part may go; of what was gone before, nothing counts."""
    source = replace(SHOP, max_removed_fraction=fraction)
    shelf = full()
    shelf.tables["e"] = ["x"]
    run(shelf, memory, source)
    del shelf.tables["e"]
    run(shelf, memory, source, accepts_removals=True)

    report = run(Shelf(tables={name: ["x"] for name in left}), memory, source)

    assert report.state is state


def test_a_typing_error_in_the_patterns_takes_nothing_away(memory: Catalogue) -> None:
    """What the patterns leave out is counted like anything else that would go."""
    shelf = full()
    run(shelf, memory)

    report = run(shelf, memory, replace(SHOP, include=("pubic.*",)))

    assert (report.state, report.balance.filtered) == (CrawlState.STOPPED, 4)
    assert states(memory) == dict.fromkeys("abcd", SUSPECT)


def test_a_source_that_breaks_on_the_way_takes_nothing_away(memory: Catalogue) -> None:
    """Not even where a schema was listed to its end: what the report tells is what broke."""

    class Falling(Shelf):
        def discover(self, scope: Scope) -> Iterator[Discovery]:
            yield from super().discover(scope)
            raise SourceUnreachable("the shelf fell", hint="lift it up")

    run(full(), memory)

    reports = [run(Falling(tables={name: ["x"] for name in left}), memory) for left in ("abc", "e")]

    assert [(report.state, report.error) for report in reports] == [(CrawlState.PARTIAL, "the shelf fell")] * 2
    assert states(memory) == dict.fromkeys("abcde", PRESENT)
