"""The crawl over a real catalogue: what is listed is accounted for, and absence is never guessed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hms_crawler import crawl_all
from hms_registry.domain.crawls import CrawlState, Discovery
from hms_registry.domain.datasets import DatasetRef, DatasetState, ForeignKey
from hms_registry.domain.edges import EdgeKind
from hms_registry.domain.names import Address
from hms_registry.domain.sources import Source
from hms_registry.errors import CrawlInProgress, SourceUnreachable
from hms_registry.ports.adapter import Adapter, Scope, ViewDefinition
from hms_registry.ports.catalogue import Catalogue
from hms_registry.services.adapters import load_adapter
from shelf_source import SHOP, Clock, Shelf, epoch, run, states


def test_a_first_crawl_registers_what_is_listed(catalogue: Catalogue) -> None:
    """Everything listed is new, and the balance says so."""
    report = run(Shelf(tables={"a": ["x"], "b": ["y", "z"]}), catalogue)

    assert (report.state, report.is_ok) == (CrawlState.COMPLETE, True)
    assert (report.balance.listed, report.balance.new) == (2, 2)
    assert states(catalogue) == {"a": DatasetState.PRESENT, "b": DatasetState.PRESENT}


def test_an_unchanged_source_describes_nothing_and_moves_no_epoch(catalogue: Catalogue) -> None:
    """The second crawl is one stamp and one crawl row."""
    shelf = Shelf(tables={"a": ["x"]})
    run(shelf, catalogue)
    before, shelf.described = epoch(catalogue), []

    report = run(shelf, catalogue)

    assert report.state is CrawlState.UNCHANGED
    assert report.balance.listed == report.balance.unchanged == 1
    assert (shelf.described, epoch(catalogue)) == ([], before)


def test_only_the_changed_table_is_described_again(catalogue: Catalogue) -> None:
    """A change costs its own table."""
    shelf = Shelf(tables={"a": ["x"], "b": ["y"]})
    run(shelf, catalogue)
    shelf.tables["b"], shelf.described = ["y", "z"], []

    report = run(shelf, catalogue)

    assert shelf.described == ["b"]
    assert (report.balance.changed, report.balance.unchanged) == (1, 1)


def test_a_table_missing_from_a_snapshot_is_gone_at_once(catalogue: Catalogue) -> None:
    """A transactional listing is believed."""
    shelf = Shelf(tables={"a": ["x"], "b": ["y"]})
    run(shelf, catalogue)
    del shelf.tables["b"]

    report = run(shelf, catalogue)

    assert report.balance.gone == 1
    assert states(catalogue)["b"] is DatasetState.GONE


def test_a_table_missing_from_a_plain_listing_is_suspect_and_gone_after_two(catalogue: Catalogue) -> None:
    """One listing of a store without transactions is no proof."""
    shelf = Shelf(tables={"a": ["x"], "b": ["y"]}, is_snapshot=False)
    run(shelf, catalogue)
    del shelf.tables["b"]

    first = run(shelf, catalogue)
    after_first = states(catalogue)["b"]
    second = run(shelf, catalogue)

    assert (first.balance.suspect, after_first) == (1, DatasetState.SUSPECT)
    assert (second.balance.gone, states(catalogue)["b"]) == (1, DatasetState.GONE)


def test_a_table_that_comes_back_is_present_again_under_its_id(catalogue: Catalogue) -> None:
    """Gone is not forgotten."""
    shelf = Shelf(tables={"a": ["x"], "b": ["y"]})
    run(shelf, catalogue)
    with catalogue.unit() as uow:
        first = uow.registrations.known("shop")[Address("shop", "public", "b")].dataset_id
    columns = shelf.tables.pop("b")
    run(shelf, catalogue)
    shelf.tables["b"] = columns

    run(shelf, catalogue)

    with catalogue.unit() as uow:
        again = uow.registrations.known("shop")[Address("shop", "public", "b")]
    assert (again.dataset_id, again.state) == (first, DatasetState.PRESENT)


@pytest.mark.parametrize("after", range(4))
def test_a_listing_that_breaks_after_table_k_deletes_nothing(catalogue: Catalogue, after: int) -> None:
    """Absent because the crawl failed is not dropped; the next run completes."""
    shelf = Shelf(tables={name: ["x"] for name in "abcd"})
    run(shelf, catalogue)
    shelf.tables["e"], shelf.breaks_listing_after = ["x"], after

    broken = run(shelf, catalogue)
    after_break = states(catalogue)
    shelf.breaks_listing_after = None
    whole = run(shelf, catalogue)

    assert not broken.is_ok and broken.error == "the shelf fell"
    assert set(after_break.values()) == {DatasetState.PRESENT}
    assert whole.is_ok and states(catalogue).keys() == set("abcde")


@pytest.mark.parametrize("after", range(1, 4))
def test_what_was_listed_before_the_listing_broke_off_is_registered(catalogue: Catalogue, after: int) -> None:
    """Not all of a batch has to arrive: what did is accounted for, and found."""
    shelf = Shelf(tables={name: ["x"] for name in "abcd"}, breaks_listing_after=after)

    broken = run(shelf, catalogue)

    assert (broken.state, broken.balance.listed, broken.balance.new) == (CrawlState.PARTIAL, after, after)
    assert states(catalogue).keys() == set("abcd"[:after])


def test_an_unreachable_source_keeps_its_datasets_stale(catalogue: Catalogue) -> None:
    """No answer is no news of anything but the source."""
    shelf = Shelf(tables={"a": ["x"]})
    run(shelf, catalogue)
    shelf.is_down = True

    report = run(shelf, catalogue)

    with catalogue.unit() as uow:
        assert uow.sources.get("shop").is_stale
    assert (report.state, report.hint) == (CrawlState.FAILED, "lift it up")
    assert states(catalogue) == {"a": DatasetState.PRESENT}


def test_a_source_that_answers_again_is_fresh(catalogue: Catalogue) -> None:
    """Staleness ends with the next whole run, even an unchanged one."""
    shelf = Shelf(tables={"a": ["x"]})
    run(shelf, catalogue)
    shelf.is_down = True
    run(shelf, catalogue)
    shelf.is_down = False

    run(shelf, catalogue)

    with catalogue.unit() as uow:
        assert not uow.sources.get("shop").is_stale


def test_a_stamp_that_breaks_costs_the_run_of_its_source_only(catalogue: Catalogue) -> None:
    """A stranger's bug is told by its type, in a first run and in one that has a stamp to compare with."""
    shelf = Shelf(tables={"a": ["x"]}, breaks_stamp=ValueError("hunter2"))
    broken = [run(shelf, catalogue)]
    shelf.breaks_stamp = None
    run(shelf, catalogue)
    shelf.breaks_stamp = ValueError("hunter2")

    broken.append(run(shelf, catalogue))

    assert [(each.state, each.error) for each in broken] == [(CrawlState.FAILED, "the adapter broke: ValueError")] * 2
    assert states(catalogue) == {"a": DatasetState.PRESENT}


def test_one_dataset_that_breaks_costs_only_itself(catalogue: Catalogue) -> None:
    """A stranger's bug is a recorded failure, told without its text, which may hold a secret."""
    shelf = Shelf(tables={"a": ["x"], "b": ["y"], "c": ["z"]}, breaks_describing={"b": ValueError("hunter2")})

    report = run(shelf, catalogue)

    assert (report.state, report.balance.new, report.balance.failed) == (CrawlState.PARTIAL, 2, 1)
    assert [failure.reason for failure in report.failures] == ["the adapter broke: ValueError"]
    assert report.balance.is_balanced


def test_a_failed_dataset_is_not_gone(catalogue: Catalogue) -> None:
    """What could not be described is still there."""
    shelf = Shelf(tables={"a": ["x"], "b": ["y"]})
    run(shelf, catalogue)
    shelf.tables["b"], shelf.breaks_describing = ["y", "z"], {"b": OSError("boom")}

    run(shelf, catalogue)

    assert states(catalogue) == {"a": DatasetState.PRESENT, "b": DatasetState.PRESENT}


def test_what_the_scope_leaves_out_is_counted(catalogue: Catalogue) -> None:
    """Filtered is listed too; a pattern is a glob over schema.table, case-sensitive."""
    source = Source(name="shop", kind="shelf", url="shelf:", exclude=("public.tmp_*",))

    report = run(Shelf(tables={"a": ["x"], "tmp_b": ["y"], "TMP_c": ["z"]}), catalogue, source)

    assert (report.balance.listed, report.balance.new, report.balance.filtered) == (3, 2, 1)


@pytest.mark.parametrize("is_snapshot", [True, False])
@pytest.mark.parametrize("patterns", [{"exclude": ("public.b",)}, {"include": ("public.a",)}, {"include": ("*.a",)}])
def test_what_the_scope_leaves_out_afterwards_is_gone_at_once(
    catalogue: Catalogue, patterns: Mapping[str, tuple[str, ...]], is_snapshot: bool
) -> None:
    """It lies there and is not wanted any more: no second listing has to agree. Wanted again, it has its old id."""
    shelf = Shelf(tables={"a": ["x"], "b": ["y"]}, is_snapshot=is_snapshot)
    run(shelf, catalogue)

    left_out = run(shelf, catalogue, replace(SHOP, **patterns))
    gone = states(catalogue)
    run(shelf, catalogue)

    assert (left_out.balance.gone, left_out.is_ok, gone["b"]) == (1, True, DatasetState.GONE)
    assert states(catalogue) == {"a": DatasetState.PRESENT, "b": DatasetState.PRESENT}


def test_a_source_that_does_not_answer_loses_nothing_to_its_new_patterns(catalogue: Catalogue) -> None:
    """A source that is down is stale, whatever sources.yml says of it meanwhile."""
    run(Shelf(tables={"a": ["x"], "b": ["y"]}), catalogue)

    run(Shelf(is_down=True), catalogue, replace(SHOP, exclude=("public.b",)))

    assert states(catalogue)["b"] is DatasetState.PRESENT


def test_a_foreign_key_is_an_edge_whatever_the_order(catalogue: Catalogue) -> None:
    """The target may be listed after the table that refers to it."""
    key = ForeignKey(columns=("x",), target=Address("shop", "public", "z"), target_columns=("x",))

    run(Shelf(tables={"a": ["x"], "z": ["x"]}, keys={"a": key}), catalogue)

    with catalogue.unit() as uow:
        dataset = uow.datasets.find(Address("shop", "public", "a"))
        assert dataset is not None
        (edge,) = uow.edges.around(dataset.id, kind=EdgeKind.REFERENCES)
    assert (edge.edge.upstream_column, edge.edge.downstream_column) == ("x", "x")


@pytest.mark.parametrize("is_down_between", [False, True])
def test_a_foreign_key_finds_its_target_when_an_earlier_run_did_not(
    catalogue: Catalogue, is_down_between: bool
) -> None:
    """The target could not be described in the run that described the key: the next run writes the edge."""
    key = ForeignKey(columns=("x",), target=Address("shop", "public", "z"), target_columns=("x",))
    shelf = Shelf(tables={"a": ["x"], "z": ["x"]}, keys={"a": key}, breaks_describing={"z": OSError("boom")})
    run(shelf, catalogue)
    if is_down_between:
        shelf.is_down = True
        run(shelf, catalogue)
    shelf.breaks_describing, shelf.is_down, shelf.described = {}, False, []

    run(shelf, catalogue)

    assert shelf.described == ["z"]
    with catalogue.unit() as uow:
        dataset = uow.datasets.find(Address("shop", "public", "a"))
        assert dataset is not None
        assert len(uow.edges.around(dataset.id, kind=EdgeKind.REFERENCES)) == 1


def test_views_whose_sql_could_not_be_had_have_their_edges_from_the_next_run(catalogue: Catalogue) -> None:
    """Nothing changed since, and they are asked for again all the same."""

    class Mumbling(Shelf):
        def definitions(self, refs: Sequence[DatasetRef]) -> Iterator[ViewDefinition]:
            raise SourceUnreachable("the shelf is locked", hint="wait")

    tables, views = {"t": ["x"], "v": ["x"]}, {"v": "CREATE VIEW v AS SELECT x FROM t"}
    mumbled = run(Mumbling(tables=tables, views=views), catalogue)

    report = run(Shelf(tables=tables, views=views), catalogue)

    assert (mumbled.state, report.state, report.balance.edges) == (CrawlState.PARTIAL, CrawlState.COMPLETE, 2)


def test_a_view_whose_sql_could_not_be_had_is_as_strict_as_its_source(catalogue: Catalogue) -> None:
    """New, or changed since its edges were written: what it shows may come from anywhere in it."""

    class Mumbling(Shelf):
        def definitions(self, refs: Sequence[DatasetRef]) -> Iterator[ViewDefinition]:
            raise SourceUnreachable("the shelf is locked", hint="wait")

    def has_unknown_origin() -> bool:
        with catalogue.unit() as uow:
            view = uow.datasets.find(Address("shop", "public", "v"))
            assert view is not None
            return view.labels.has_unknown_origin

    tables, views = {"t": ["x"], "v": ["x"]}, {"v": "CREATE VIEW v AS SELECT x FROM t"}
    told = []
    for shelf in (Mumbling, Shelf, Mumbling, Shelf):
        run(shelf(tables=dict(tables), views=views), catalogue)
        told.append(has_unknown_origin())
        if len(told) == 2:
            tables["v"] = ["x", "y"]

    assert told == [True, False, True, False]


def test_a_view_finds_its_table_when_that_comes_later(catalogue: Catalogue) -> None:
    """A view that did not change gets its edge from the crawl that brings its table."""
    shelf = Shelf(tables={"v": ["x"]}, views={"v": "CREATE VIEW v AS SELECT x FROM t"})
    run(shelf, catalogue)
    shelf.tables["t"] = ["x"]

    run(shelf, catalogue)

    with catalogue.unit() as uow:
        view = uow.datasets.find(Address("shop", "public", "v"))
        assert view is not None
        (edge,) = uow.edges.closure(view.id, direction="up")
    assert (edge.kind, edge.upstream_column, edge.downstream_column) == (EdgeKind.DERIVES, "x", "x")


def test_a_table_in_the_place_of_a_view_derives_from_nothing(catalogue: Catalogue) -> None:
    """The view was dropped, and a table made under its name: its lineage and labels are those of a table."""
    views = {"v": "CREATE VIEW v AS SELECT x FROM t"}
    run(Shelf(tables={"t": ["x"], "v": ["x"]}, views=views), catalogue)

    run(Shelf(tables={"t": ["x"], "v": ["x", "y"]}), catalogue)

    with catalogue.unit() as uow:
        table = uow.datasets.find(Address("shop", "public", "v"))
        assert table is not None
        assert uow.edges.closure(table.id, direction="up") == []
        assert not table.labels.has_unknown_origin


def test_a_crawl_that_another_process_runs_is_left_alone(catalogue: Catalogue) -> None:
    """One wins the lease; the other says so and writes nothing."""
    shelf = Shelf(tables={"a": ["x"]})
    with catalogue.unit(writes=True) as uow:
        uow.sources.put(SHOP)
        uow.crawls.start("shop", now=datetime(2026, 1, 1, tzinfo=UTC), lease_s=3600)
        uow.commit()

    report = run(shelf, catalogue)

    assert (report.state, shelf.described) == (CrawlState.FAILED, [])
    assert states(catalogue) == {}


def test_a_run_that_lost_its_lease_writes_nothing_more(catalogue: Catalogue) -> None:
    """The fencing token of a crawl that was taken over is refused in each write."""
    with catalogue.unit(writes=True) as uow:
        uow.sources.put(SHOP)
        old = uow.crawls.start("shop", now=datetime(2026, 1, 1, tzinfo=UTC), lease_s=1)
        uow.commit()
    later = datetime(2026, 1, 2, tzinfo=UTC)
    with catalogue.unit(writes=True) as uow:
        uow.crawls.start("shop", now=later, lease_s=3600)
        uow.commit()

    with catalogue.unit(writes=True) as uow, pytest.raises(CrawlInProgress):
        uow.crawls.renew(old, now=later, lease_s=60)


def test_a_name_listed_twice_is_reported_once_registered(catalogue: Catalogue) -> None:
    """Paging that repeats itself ends, and is told."""

    class Stuttering(Shelf):
        def discover(self, scope: Scope) -> Iterator[Discovery]:
            for item in super().discover(scope):
                yield item
                if isinstance(item, DatasetRef):
                    yield item

    report = run(Stuttering(tables={"a": ["x"]}), catalogue)

    assert (report.balance.new, report.balance.failed, report.balance.is_balanced) == (1, 1, True)
    assert report.failures[0].reason == "listed twice in one run"


def test_a_manifest_beside_the_data_holds_from_the_first_version(catalogue: Catalogue, tmp_path: Path) -> None:
    """What a person stated is merged before the first version is made; a mistake in it is a failure, told by place."""
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "calls.csv").write_text("day,tons\n2024-05-01,7\n")
    (tmp_path / "locks" / "calls.manifest.yml").write_text(
        "name: Calls\nsource: calls.csv\nschema:\n  - tons: {type: double, unit: t}\n"
    )
    (tmp_path / "locks" / "wrong.manifest.yml").write_text("name: Nothing\nsource: nothing.csv\n")
    source = Source(name="lake", kind="files", url=f"file://{tmp_path}")

    (report,) = crawl_all([source], open_adapter=_files(tmp_path), catalogue=catalogue, clock=Clock())

    with catalogue.unit() as uow:
        dataset = uow.datasets.find(Address("lake", "locks", "calls"))
    assert dataset is not None
    column = dataset.find_column("tons")
    assert column is not None
    assert (dataset.version, column.trino_type, column.unit, column.is_guessed) == (1, "double", "t", False)
    assert [failure.subject for failure in report.failures] == ["locks/wrong.manifest.yml"]


def _files(folder: Path) -> Callable[[str], Adapter]:
    adapter = load_adapter("files")
    return lambda name: adapter(adapter.config.from_url(source=name, url=f"file://{folder}", options={}))
