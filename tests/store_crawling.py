"""Crawling one of a test's stores into a catalogue in memory, whatever adapter reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from hms_crawler import Report, crawl_all
from hms_registry.domain.datasets import Dataset
from hms_registry.domain.edges import Edge
from hms_registry.domain.names import Address
from hms_registry.domain.sources import Source
from hms_registry.ports.adapter import Adapter
from hms_registry.ports.catalogue import Catalogue
from hms_registry.store import open_catalogue


@dataclass(frozen=True, slots=True)
class CrawledStore:
    """A catalogue of one source, `src`."""

    catalogue: Catalogue

    def crawl_by(self, open_adapter: Callable[[], Adapter], source: Source) -> Report:
        """Crawl the source by the adapter that is opened for it."""
        (report,) = crawl_all(
            [source],
            open_adapter=lambda _source: open_adapter(),
            catalogue=self.catalogue,
            clock=lambda: datetime.now(UTC),
        )
        return report

    def registered(self) -> list[Dataset]:
        """Return what is registered and not gone."""
        with self.catalogue.unit() as uow:
            return list(uow.datasets.iter(source="src"))

    def edges(self, schema: str, table: str) -> list[Edge]:
        """Return the current edges that come into one dataset."""
        with self.catalogue.unit() as uow:
            dataset = uow.datasets.find(Address("src", schema, table))
            assert dataset is not None
            return [each.edge for each in uow.edges.around(dataset.id) if each.edge.downstream == dataset.id]


@contextmanager
def empty_catalogue() -> Iterator[Catalogue]:
    """Yield an empty catalogue in memory."""
    catalogue = open_catalogue("sqlite://")
    try:
        yield catalogue
    finally:
        catalogue.close()
