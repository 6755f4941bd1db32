"""Sources that are not described any more, and names that no catalogue holds."""

from __future__ import annotations

from hms_crawler import crawl_removed, removed_sources
from hms_registry.domain.crawls import CrawlState
from hms_registry.domain.datasets import DatasetState
from hms_registry.ports.catalogue import Catalogue
from shelf_source import SHOP, Clock, Shelf, epoch, run, states

GONE, PRESENT = DatasetState.GONE, DatasetState.PRESENT


def test_a_source_that_is_not_described_any_more_keeps_its_datasets_stale(catalogue: Catalogue) -> None:
    """It is told each time, and only the first time is news to readers."""
    run(Shelf(tables={"a": ["x"], "b": ["x"]}), catalogue)
    assert removed_sources(["shop"], catalogue=catalogue) == []
    assert removed_sources([], catalogue=catalogue) == ["shop"]

    reports, epochs = [], []
    for _ in range(2):
        reports.append(crawl_removed("shop", catalogue=catalogue, clock=Clock(), accepts_removals=False))
        epochs.append(epoch(catalogue))

    assert {report.state for report in reports} == {CrawlState.FAILED} and epochs[0] == epochs[1]
    assert reports[0].error == "sources.yml does not describe it any more; its 2 datasets stay as they were last seen"
    assert reports[0].hint.endswith("hms-dta crawl shop --accept-removals")
    assert states(catalogue) == {"a": PRESENT, "b": PRESENT}
    with catalogue.unit() as uow:
        assert uow.sources.get("shop").is_stale


def test_who_accepts_it_takes_its_datasets_away_until_it_is_described_again(catalogue: Catalogue) -> None:
    """Then it is spoken of no more; what comes back has its id."""
    shelf = Shelf(tables={"a": ["x"]})
    run(shelf, catalogue)
    with catalogue.unit() as uow:
        before = uow.registrations.known("shop")

    report = crawl_removed("shop", catalogue=catalogue, clock=Clock(), accepts_removals=True)

    assert (report.is_ok, report.balance.gone, states(catalogue)) == (True, 1, {"a": GONE})
    assert removed_sources([], catalogue=catalogue) == []
    run(shelf, catalogue, SHOP)
    with catalogue.unit() as uow:
        after = uow.registrations.known("shop")
    assert [each.dataset_id for each in after.values()] == [each.dataset_id for each in before.values()]
    assert states(catalogue) == {"a": PRESENT}


def test_a_removed_source_that_is_being_crawled_is_left_alone(catalogue: Catalogue) -> None:
    """By a home that describes it still."""
    run(Shelf(tables={"a": ["x"]}), catalogue)
    with catalogue.unit(writes=True) as uow:
        uow.crawls.start("shop", now=Clock().at, lease_s=3600)
        uow.commit()

    report = crawl_removed("shop", catalogue=catalogue, clock=Clock(), accepts_removals=True)

    assert report.error.startswith("shop is being crawled since")
    assert states(catalogue) == {"a": PRESENT}


def test_a_name_that_no_catalogue_holds_fails_alone(catalogue: Catalogue) -> None:
    """The rest of its batch is registered: also beside one that is barely short enough, or grows in lower case."""
    held = "".join(chr(0x4E00 + at) for at in range(850))  # three bytes each, and nothing that compresses
    growing = "".join(chr(0x23A) + chr(0x4E00 + at) for at in range(500))
    tables = {"a": ["x"], held: ["x"], held + held[:20]: ["x"], growing: ["x"], "z": ["x"]}

    report = run(Shelf(tables=tables), catalogue)

    assert (report.state, report.balance.new, report.balance.failed) == (CrawlState.PARTIAL, 3, 2)
    assert {failure.reason for failure in report.failures} == {
        "its name is longer than the 2600 bytes that a catalogue holds"
    }
    assert states(catalogue).keys() == {"a", held, "z"}
