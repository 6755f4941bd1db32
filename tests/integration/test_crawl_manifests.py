"""Manifests that go away from beside the data: what they stated is doubted once, then taken back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hms_crawler import Report, crawl_all
from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.crawls import CrawlState
from hms_registry.domain.datasets import Dataset
from hms_registry.domain.manifests import Manifest
from hms_registry.domain.names import Address
from hms_registry.domain.sources import Source
from hms_registry.ports.catalogue import Catalogue
from hms_registry.services.adapters import load_adapter
from hms_registry.store import open_catalogue
from shelf_source import Clock

CALLS = Address("lake", "locks", "calls")
STATED = "name: Calls\nsource: calls.csv\nprivacy_tier: RESTRICTED\nschema:\n  - tons: {type: double, unit: t}\n"


class Lake:
    """A folder with one table and its manifest, and a catalogue of it."""

    def __init__(self, root: Path, catalogue: Catalogue) -> None:
        self.root, self.catalogue = root, catalogue
        self.manifest = root / "locks" / "calls.manifest.yml"
        (root / "locks").mkdir()
        (root / "locks" / "calls.csv").write_text("day,tons\n2024-05-01,7\n")
        self.manifest.write_text(STATED)

    def crawl(self) -> Report:
        adapter = load_adapter("files")
        source = Source(name="lake", kind="files", url=f"file://{self.root}", privacy_tier=PrivacyTier.PUBLIC)
        (report,) = crawl_all(
            [source],
            open_adapter=lambda name: adapter(adapter.config.from_url(source=name, url=source.url, options={})),
            catalogue=self.catalogue,
            clock=Clock(),
        )
        return report

    def calls(self) -> Dataset:
        with self.catalogue.unit() as uow:
            found = uow.datasets.find(CALLS)
        assert found is not None
        return found

    def holds(self) -> bool:
        """Say whether what was stated of it holds: all of it, or nothing."""
        calls = self.calls()
        column = calls.find_column("tons")
        assert column is not None
        told = (calls.labels.privacy_tier, column.trino_type, column.unit, calls.title)
        assert told in {
            (PrivacyTier.RESTRICTED, "double", "t", "Calls"), (PrivacyTier.PUBLIC, "bigint", "", ""),
        }  # fmt: skip
        return told[3] == "Calls"

    def epoch(self) -> int:
        with self.catalogue.unit() as uow:
            return uow.epoch()


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    """One that was crawled."""
    with closing(open_catalogue("sqlite://")) as catalogue:
        made = Lake(tmp_path, catalogue)
        assert made.crawl().is_ok and made.holds()
        yield made


def test_what_a_removed_manifest_stated_is_taken_back_by_the_second_whole_run(lake: Lake) -> None:
    """One listing is no proof; then the types, units and tier are those of the data and its source again."""
    lake.manifest.unlink()

    held, states = [], []
    for _ in range(4):
        states.append(lake.crawl().state)
        held.append(lake.holds())

    assert held == [True, False, False, False]
    assert states == [CrawlState.COMPLETE] * 2 + [CrawlState.UNCHANGED] * 2
    assert lake.calls().version == 2


def test_a_manifest_that_comes_back_in_time_holds_on(lake: Lake) -> None:
    """And has to be missed twice anew."""
    lake.manifest.unlink()
    lake.crawl()
    lake.manifest.write_text(STATED)
    lake.crawl()
    lake.manifest.unlink()
    lake.crawl()

    assert lake.holds() and lake.calls().version == 1


def test_a_manifest_that_became_wrong_takes_nothing_back(lake: Lake) -> None:
    """It lies there, and says something of the dataset: what it said last holds, and the run says what is wrong."""
    lake.manifest.write_text("name: Calls\nsource: calls.csv\nprivacy: open\n")

    reports = [lake.crawl() for _ in range(3)]

    assert lake.holds() and {report.state for report in reports} == {CrawlState.PARTIAL}


def test_nothing_is_taken_back_while_a_manifest_does_not_say_what_it_is_about(lake: Lake) -> None:
    """It may be the one that is missed, with a typing error in its `source`."""
    lake.manifest.write_text(STATED.replace("calls.csv", "cals.csv"))

    reports = [lake.crawl() for _ in range(3)]

    assert lake.holds() and {report.state for report in reports} == {CrawlState.PARTIAL}


def test_what_was_ingested_stays_whatever_lies_beside_the_data(lake: Lake) -> None:
    """A steward's word is taken back by a steward."""
    with lake.catalogue.unit(writes=True) as uow:
        uow.registrations.annotate(CALLS, Manifest(name="Ours", source="calls.csv", is_ingested=True))
        uow.commit()
    lake.manifest.unlink()

    for _ in range(3):
        lake.crawl()

    assert lake.calls().title == "Ours"


def test_a_manifest_that_is_missed_moves_no_epoch_before_it_is_believed(lake: Lake) -> None:
    """Nobody's answer changes by a doubt."""
    before = lake.epoch()
    lake.manifest.unlink()

    lake.crawl()

    assert lake.epoch() == before
