"""A crawl in which little changed: what is told in one go counts like what is listed, and few views are read again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from hms_registry.domain.crawls import CrawlState, Discovery, Unchanged
from hms_registry.domain.datasets import DatasetRef, DatasetState, Stamp
from hms_registry.domain.names import Address
from hms_registry.ports.adapter import Scope, ViewDefinition
from hms_registry.ports.catalogue import Catalogue
from shelf_source import SHOP, Shelf, epoch, run, states

UNBELIEVED = "it is told to be unchanged, and nothing is known of it"


@dataclass
class Brief(Shelf):
    """Tells what is unchanged in one go, and whatever else it is told to tell so.

    Attributes:
        listed: the tables of which it yielded a ref in the last run.
        also: tables that it says are unchanged as well.
        asked: the views whose SQL was asked for in the last run.
    """

    listed: list[str] = field(default_factory=list)
    also: tuple[str, ...] = ()
    asked: list[str] = field(default_factory=list)

    def discover(self, scope: Scope) -> Iterator[Discovery]:
        self.listed.clear()
        for item in super().discover(scope):
            if isinstance(item, DatasetRef):
                self.listed.append(item.address.table)
            yield item

    def changes(self, scope: Scope, *, known: Mapping[str, Mapping[str, Stamp]]) -> Iterator[Discovery | Unchanged]:
        self.listed.clear()
        before = known.get("public", {})
        same = [*self.also]
        for item in super().discover(scope):
            if not isinstance(item, DatasetRef):
                yield Unchanged(schema="public", tables=same)
                yield item
            elif before.get(item.address.table) == item.stamp:
                same.append(item.address.table)
            else:
                self.listed.append(item.address.table)
                yield item

    def definitions(self, refs: Sequence[DatasetRef]) -> Iterator[ViewDefinition]:
        self.asked += [ref.address.table for ref in refs]
        yield from super().definitions(refs)


def crawled(catalogue: Catalogue, **made: object) -> Brief:
    """Return a shelf that was crawled."""
    shelf = Brief(**made)  # type: ignore[arg-type] # fields of a shelf
    run(shelf, catalogue)
    shelf.described.clear()
    shelf.asked.clear()
    return shelf


def origins(catalogue: Catalogue, view: str) -> tuple[list[str], bool]:
    """Return the tables that a view is made of, and whether it is made of something unknown as well."""
    with catalogue.unit() as uow:
        dataset = uow.datasets.find(Address("shop", "public", view))
        assert dataset is not None
        ids = [end.edge.upstream for end in uow.edges.around(dataset.id) if end.edge.downstream == dataset.id]
        found = {each.address.table for each in uow.datasets.get_many(ids)}
    return sorted(found), dataset.labels.has_unknown_origin


def test_one_that_changed_is_listed_alone_and_all_are_accounted_for(memory: Catalogue) -> None:
    """What is told in one go is unchanged; the balance counts it, and only the changed one is described."""
    shelf = crawled(memory, tables={name: ["x"] for name in "abcde"})
    shelf.tables["c"] = ["x", "y"]
    before = epoch(memory)

    report = run(shelf, memory)

    assert (shelf.listed, shelf.described) == (["c"], ["c"])
    assert (report.state, report.balance.listed) == (CrawlState.COMPLETE, 5)
    assert (report.balance.changed, report.balance.unchanged, report.is_ok) == (1, 4, True)
    assert epoch(memory) == before + 1


def test_what_is_neither_listed_nor_told_is_gone(memory: Catalogue) -> None:
    """Absence is judged as in any other listing."""
    shelf = crawled(memory, tables={name: ["x"] for name in "abcde"})
    del shelf.tables["b"]

    report = run(shelf, memory)

    assert (report.balance.gone, report.balance.unchanged) == (1, 4)
    assert states(memory)["b"] is DatasetState.GONE


def test_what_comes_back_is_listed_by_itself(memory: Catalogue) -> None:
    """Its stamp is the one it had, but it was gone: only what is there can be unchanged."""
    shelf = crawled(memory, tables={name: ["x"] for name in "abc"})
    del shelf.tables["b"]
    run(shelf, memory)
    shelf.tables["b"] = ["x"]

    report = run(shelf, memory)

    assert (shelf.listed, report.balance.changed, report.is_ok) == (["b"], 1, True)
    assert set(states(memory).values()) == {DatasetState.PRESENT}


def test_what_the_patterns_leave_out_is_counted_as_filtered(memory: Catalogue) -> None:
    """It is no part of what the adapter is told of, so it cannot be told to be unchanged."""
    shelf = crawled(memory, tables={name: ["x"] for name in "abc"})
    without = replace(SHOP, exclude=("public.b",))
    run(shelf, memory, without)
    shelf.tables["c"] = ["x", "y"]

    report = run(shelf, memory, without)

    assert shelf.listed == ["b", "c"]
    assert (report.balance.listed, report.balance.filtered, report.balance.unchanged) == (3, 1, 1)


@pytest.mark.parametrize("also", ["nobody", "changed", "left_out"])
def test_what_nothing_is_known_of_cannot_be_unchanged(memory: Catalogue, also: str) -> None:
    """An adapter that says so is wrong: that is a failure, nothing is gone by it, and the next run looks at all."""
    source = replace(SHOP, exclude=("public.left_out",))
    shelf = Brief(tables={"a": ["x"], "changed": ["x"], "left_out": ["x"]})
    run(shelf, memory, source)
    shelf.tables["changed"] = ["x", "y"]
    shelf.also = (also,)

    report = run(shelf, memory, source)
    shelf.also = ()
    again = run(shelf, memory, source)

    assert report.state is CrawlState.PARTIAL
    assert [(failure.subject, failure.reason) for failure in report.failures] == [(f"public.{also}", UNBELIEVED)]
    assert (report.balance.is_balanced, report.balance.gone) == (True, 0)
    assert (again.state, shelf.listed) == (CrawlState.COMPLETE, ["a", "changed", "left_out"])


def test_after_a_run_that_failed_everything_is_listed(memory: Catalogue) -> None:
    """What that run left out may be any of it, so nothing is told in one go."""
    shelf = crawled(memory, tables={"a": ["x"], "b": ["x"]})
    shelf.tables["b"], shelf.breaks_describing = ["x", "y"], {"b": OSError("boom")}
    run(shelf, memory)
    shelf.breaks_describing = {}

    report = run(shelf, memory)

    assert (shelf.listed, report.is_ok) == (["a", "b"], True)


VIEWS = {"over_a": "CREATE VIEW over_a AS SELECT x FROM a", "over_b": "CREATE VIEW over_b AS SELECT x FROM b"}


def test_only_views_over_what_changed_are_read_again(catalogue: Catalogue) -> None:
    """The SQL of a view says the same as long as it and what it reads do."""
    shelf = crawled(catalogue, tables={name: ["x"] for name in ("a", "b", "over_a", "over_b")}, views=VIEWS)
    shelf.tables["a"] = ["x", "y"]

    run(shelf, catalogue)

    assert shelf.asked == ["over_a"]
    assert (origins(catalogue, "over_a"), origins(catalogue, "over_b")) == ((["a"], False), (["b"], False))


def test_a_view_over_what_is_gone_has_an_unknown_origin(catalogue: Catalogue) -> None:
    """Its table went, and it stayed: it is read again, and says so."""
    shelf = crawled(catalogue, tables={name: ["x"] for name in ("a", "b", "over_a", "over_b")}, views=VIEWS)
    del shelf.tables["a"]

    run(shelf, catalogue)

    assert shelf.asked == ["over_a"]
    assert (origins(catalogue, "over_a"), origins(catalogue, "over_b")) == (([], True), (["b"], False))


def test_a_view_over_something_unknown_is_read_whenever_anything_changed(catalogue: Catalogue) -> None:
    """What it names may have come; until then it is as strict as its source."""
    shelf = crawled(catalogue, tables={name: ["x"] for name in ("b", "over_a", "over_b")}, views=VIEWS)
    shelf.tables["c"] = ["x"]
    run(shelf, catalogue)
    before = origins(catalogue, "over_a")
    shelf.asked.clear()
    shelf.tables["a"] = ["x"]

    run(shelf, catalogue)

    assert shelf.asked == ["over_a"]
    assert (before, origins(catalogue, "over_a")) == (([], True), (["a"], False))


def test_a_name_that_becomes_ambiguous_is_none(catalogue: Catalogue) -> None:
    """A table came whose name is the same to the dialect: what a view means by it is unknown from then on."""
    shelf = crawled(catalogue, tables={name: ["x"] for name in ("a", "b", "over_a", "over_b")}, views=VIEWS)
    shelf.tables["A"] = ["x"]
    run(shelf, catalogue)
    asked, beside = list(shelf.asked), origins(catalogue, "over_a")
    del shelf.tables["A"]

    run(shelf, catalogue)

    assert (asked, beside) == (["over_a"], ([], True))
    assert origins(catalogue, "over_a") == (["a"], False)


def test_a_name_that_is_ambiguous_again_is_none_again(catalogue: Catalogue) -> None:
    """The table that came had been there before, and is what it was."""
    shelf = crawled(catalogue, tables={name: ["x"] for name in ("A", "a", "b", "over_a", "over_b")}, views=VIEWS)
    del shelf.tables["A"]
    run(shelf, catalogue)
    between = origins(catalogue, "over_a")
    shelf.tables["A"] = ["x"]

    run(shelf, catalogue)

    assert (between, origins(catalogue, "over_a")) == ((["a"], False), ([], True))


def test_views_over_views_follow_one_another(catalogue: Catalogue) -> None:
    """The view between was changed: what is made of it is read again, what it is made of is not."""
    tables = {name: ["x"] for name in ("a", "middle", "b", "over_b", "top")}
    views = {
        "middle": "CREATE VIEW middle AS SELECT x FROM a",
        "over_b": VIEWS["over_b"],
        "top": "CREATE VIEW top AS SELECT x FROM middle",
    }
    shelf = crawled(catalogue, tables=tables, views=views)
    shelf.views["middle"], shelf.tables["middle"] = "CREATE VIEW middle AS SELECT x, x AS y FROM b", ["x", "y"]

    run(shelf, catalogue)

    assert sorted(shelf.asked) == ["middle", "top"]
    assert (origins(catalogue, "middle"), origins(catalogue, "top")) == ((["b"], False), (["middle"], False))
