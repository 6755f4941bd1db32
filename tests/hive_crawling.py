"""Crawling a test's Hive into a catalogue in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from hms_crawler import Report, crawl_all
from hms_hive import HiveAdapter, HiveConfig
from hms_registry.domain.datasets import Dataset
from hms_registry.domain.edges import Edge
from hms_registry.domain.names import Address
from hms_registry.domain.sources import Source
from hms_registry.ports.catalogue import Catalogue
from hms_registry.store import open_catalogue

OPTIONS = {"connect_timeout_s": "2", "call_timeout_s": "20"}


def adapter_of(url: str, **options: str) -> HiveAdapter:
    """Make an adapter as the product does."""
    return HiveAdapter(HiveConfig.from_url(source="src", url=url, options={**OPTIONS, **options}))


@dataclass(frozen=True, slots=True)
class Registry:
    """A catalogue, and how to crawl into it."""

    catalogue: Catalogue

    def crawl(self, url: str, **options: str) -> Report:
        """Crawl the Hive at a URL as source `src`."""
        (report,) = crawl_all(
            [Source(name="src", kind="hive", url="thrift://hive.example/", options=options)],
            open_adapter=lambda _source: adapter_of(url, **options),
            catalogue=self.catalogue,
            clock=lambda: datetime.now(UTC),
        )
        return report

    def datasets(self) -> dict[str, Dataset]:
        """Return what is registered and not gone, by table."""
        with self.catalogue.unit() as uow:
            return {dataset.address.table: dataset for dataset in uow.datasets.iter(source="src")}

    def edges(self, schema: str, table: str) -> list[Edge]:
        """Return the current edges that come into one dataset."""
        with self.catalogue.unit() as uow:
            dataset = uow.datasets.find(Address("src", schema, table))
            assert dataset is not None
            return [each.edge for each in uow.edges.around(dataset.id) if each.edge.downstream == dataset.id]


@contextmanager
def registry() -> Iterator[Registry]:
    """Yield an empty catalogue."""
    catalogue = open_catalogue("sqlite://")
    try:
        yield Registry(catalogue)
    finally:
        catalogue.close()
