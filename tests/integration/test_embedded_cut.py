"""A store without a server that goes away after dataset k of n loses nothing, and the next crawl mends what it left."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

import hms_crawler.run
from breaking_adapter import Breaking
from catalogue_contents import contents
from hms_crawler import Report, crawl_all
from hms_registry.domain.crawls import CrawlState
from hms_registry.domain.datasets import DatasetState
from hms_registry.domain.sources import Source
from hms_registry.ports.catalogue import Catalogue
from hms_registry.services.adapters import load_adapter
from hms_registry.store import open_catalogue

TABLES = 3


@dataclass(frozen=True)
class Place:
    """A store on a disk: how it is filled, and how it goes away."""

    kind: str
    path: Path
    url: str
    fill: Callable[[Path, int], None]

    def go(self) -> None:
        """A disk that is unmounted under us: what was open there is not what it was either."""
        if self.path.is_file():
            self.path.write_bytes(b"\0" * 4096)
        else:
            shutil.rmtree(self.path)


def _fill_folder(path: Path, columns: int) -> None:
    path.mkdir(exist_ok=True)
    for at in range(TABLES):
        (path / f"t{at}.csv").write_text(",".join("abc"[:columns]) + "\n" + ",".join("123"[:columns]) + "\n")


def _fill_database(path: Path, columns: int) -> None:
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as store:
        for at in range(TABLES):
            store.execute(f"CREATE TABLE t{at} ({', '.join('abc'[:columns])})")
        store.commit()


@pytest.fixture(params=["files", "sqlite"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A folder, then a database file."""
    if request.param == "files":
        return Place("files", tmp_path / "lake", f"file://{tmp_path}/lake", _fill_folder)
    return Place("sqlite", tmp_path / "t.db", f"sqlite:///{tmp_path}/t.db", _fill_database)


def _crawl(place: Place, catalogue: Catalogue, *, after: int | None = None) -> Report:
    adapter = load_adapter(place.kind)
    real = adapter(adapter.config.from_url(source="shop", url=place.url, options={}))
    opened = real if after is None else Breaking(real, after, place.go)
    (report,) = crawl_all(
        [Source(name="shop", kind=place.kind, url=place.url)],
        open_adapter=lambda _: opened,  # type: ignore[arg-type,return-value] # an adapter in all but its config
        catalogue=catalogue,
        clock=lambda: datetime.now(UTC),
    )
    return report


@pytest.mark.parametrize("was_crawled", [False, True])
@pytest.mark.parametrize("after", range(TABLES))
def test_a_store_that_goes_after_dataset_k_loses_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch, after: int, was_crawled: bool
) -> None:
    """The run says which store it was, its balance balances, and the next whole run has everything."""
    monkeypatch.setattr(hms_crawler.run, "BATCH", 1)
    with closing(open_catalogue("sqlite://")) as catalogue:
        if was_crawled:
            place.fill(place.path, 2)
            assert _crawl(place, catalogue).is_ok
        place.fill(place.path, 3)

        cut = _crawl(place, catalogue, after=after)

        with catalogue.unit() as uow:
            states = [known.state for known in uow.registrations.known("shop").values()]
        assert cut.state is not CrawlState.COMPLETE and cut.balance.is_balanced and cut.source == "shop"
        assert (cut.balance.gone, cut.balance.suspect) == (0, 0)
        assert "shop" in " ".join([cut.error, *(failure.subject for failure in cut.failures)])
        assert states == [DatasetState.PRESENT] * (TABLES if was_crawled else after)
        place.fill(place.path, 3)
        assert _crawl(place, catalogue).is_ok
        facts, _edges = contents(catalogue)
    assert len(facts) == TABLES
