"""A run that was cut goes on where it was, and one that still runs keeps its lease."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from threading import Event

import pytest

import hms_crawler.lease
import hms_crawler.run
from catalogue_contents import contents
from hms_registry.domain.crawls import CrawlState, Discovery
from hms_registry.domain.datasets import DatasetRef, ForeignKey
from hms_registry.domain.edges import EdgeKind
from hms_registry.domain.names import Address
from hms_registry.errors import CrawlInProgress
from hms_registry.ports.adapter import Scope, ViewDefinition
from hms_registry.ports.catalogue import Catalogue
from shelf_source import SHOP, Clock, Shelf, run


class Killed(BaseException):
    """Stands for kill -9: nothing of the crawl's own runs any more but to let go of the adapter."""


@pytest.fixture(autouse=True)
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch is one table."""
    monkeypatch.setattr(hms_crawler.run, "BATCH", 1)


def in_two_hours() -> Clock:
    return Clock(Clock().at + timedelta(hours=2))


def killed(shelf: Shelf, catalogue: Catalogue) -> None:
    with pytest.raises(Killed):
        run(shelf, catalogue)
    shelf.described.clear()


@dataclass
class DiesListing(Shelf):
    """Dies when so many tables were listed."""

    after: int = 0

    def discover(self, scope: Scope) -> Iterator[Discovery]:
        for at, item in enumerate(super().discover(scope)):
            if at == self.after:
                raise Killed
            yield item


class DiesBeforeViews(Shelf):
    """Dies before the edges of views are written, and after those of keys."""

    def definitions(self, refs: Sequence[DatasetRef]) -> Iterator[ViewDefinition]:
        raise Killed
        yield


@pytest.mark.parametrize("after", [1, 3, 5])
def test_what_a_killed_run_registered_is_not_described_again(memory: Catalogue, after: int) -> None:
    """A batch that was written is; the rest is described by the next run, each once."""
    tables = {name: ["x"] for name in "abcdef"}
    killed(DiesListing(tables=tables, after=after), memory)
    with memory.unit() as uow:
        registered = {address.table for address in uow.registrations.known("shop")}
    shelf = Shelf(tables=tables)

    report = run(shelf, memory, at=in_two_hours())

    assert registered == set("abcdef"[:after])
    assert sorted(shelf.described) == sorted(set(tables) - registered)
    assert (report.state, report.balance.unchanged) == (CrawlState.COMPLETE, after)


def test_a_killed_run_leaves_no_edge_out(memory: Catalogue) -> None:
    """Keys and views of tables that it registered have their edges from the next run, which describes none of them."""
    key = ForeignKey(columns=("x",), target=Address("shop", "public", "b"), target_columns=("x",))
    made = {
        "tables": {"a": ["x"], "b": ["x"], "v": ["x"]},
        "keys": {"a": key},
        "views": {"v": "CREATE VIEW v AS SELECT x FROM a"},
    }
    killed(DiesBeforeViews(**made), memory)  # type: ignore[arg-type] # fields of a shelf
    shelf = Shelf(**made)  # type: ignore[arg-type] # likewise

    run(shelf, memory, at=in_two_hours())

    assert shelf.described == []
    with memory.unit() as uow:
        ids = {address.table: known.dataset_id for address, known in uow.registrations.known("shop").items()}
        kinds = [end.edge.kind for end in uow.edges.around(ids["a"])]
    assert sorted(kinds) == [EdgeKind.DERIVES, EdgeKind.REFERENCES]


def test_an_edge_of_a_key_that_a_killed_run_saw_dropped_ends(memory: Catalogue) -> None:
    """The table was registered without the key; that no edge may stay is for the next run to see."""
    key = ForeignKey(columns=("x",), target=Address("shop", "public", "b"), target_columns=("x",))
    run(Shelf(tables={"a": ["x"], "b": ["x"], "c": ["x"]}, keys={"a": key}), memory)
    killed(DiesListing(tables={"a": ["x", "y"], "b": ["x"], "c": ["y"]}, after=2), memory)
    shelf = Shelf(tables={"a": ["x", "y"], "b": ["x"], "c": ["y"]})

    run(shelf, memory, at=in_two_hours())

    assert shelf.described == ["c"]
    facts, edges = contents(memory)
    assert (len(facts), edges) == (3, [])


def test_a_run_that_waits_for_its_source_keeps_its_lease(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listing may last longer than a lease: another crawl is refused all the while."""
    monkeypatch.setattr(hms_crawler.lease, "BEAT_S", 0.01)
    clock, renewed = Clock(), Event()

    class Slow(Shelf):
        def discover(self, scope: Scope) -> Iterator[Discovery]:
            clock.at += timedelta(seconds=100)  # most of a lease: who would not extend it had lost it at 200
            assert renewed.wait(30)
            clock.at += timedelta(seconds=100)
            with catalogue.unit(writes=True) as uow, pytest.raises(CrawlInProgress):
                uow.crawls.start("shop", now=clock.at, lease_s=1)
            yield from super().discover(scope)

    from hms_registry.store.crawls import SqlCrawls

    extend = SqlCrawls.renew

    def tell(*given: object, **named: object) -> None:
        extend(*given, **named)  # type: ignore[arg-type] # passed on
        renewed.set()

    monkeypatch.setattr(SqlCrawls, "renew", tell)

    report = run(Slow(tables={"a": ["x"]}), catalogue, SHOP, at=clock)

    assert report.is_ok


def test_every_write_of_a_run_is_under_its_lease(catalogue: Catalogue) -> None:
    """Another run took over while this one wrote edges: it writes no more, whatever it was at."""

    class Overtaken(Shelf):
        def definitions(self, refs: Sequence[DatasetRef]) -> Iterator[ViewDefinition]:
            with catalogue.unit(writes=True) as uow:
                uow.crawls.start("shop", now=in_two_hours().at, lease_s=3600)
                uow.commit()
            yield from super().definitions(refs)

    views = {"v": "CREATE VIEW v AS SELECT x FROM a"}

    report = run(Overtaken(tables={"a": ["x"], "v": ["x"]}, views=views), catalogue)

    assert (report.state, report.error.split(":")[0]) == (CrawlState.FAILED, "this crawl of shop lost its lease")
    assert contents(catalogue)[1] == []
