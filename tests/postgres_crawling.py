"""Crawling a test's PostgreSQL database into a catalogue in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from hms_crawler import Report, crawl_all
from hms_postgres import PostgresAdapter, PostgresConfig
from hms_registry.domain.datasets import Dataset
from hms_registry.domain.edges import Edge
from hms_registry.domain.names import Address
from hms_registry.domain.sources import Source
from hms_registry.ports.catalogue import Catalogue
from hms_registry.store import open_catalogue

OPTIONS = {"connect_timeout_s": "2", "statement_timeout_s": "10"}


def adapter_of(url: str, **options: str) -> PostgresAdapter:
    """Make an adapter as the product does."""
    return PostgresAdapter(PostgresConfig.from_url(source="src", url=url, options={**OPTIONS, **options}))


@dataclass(frozen=True, slots=True)
class Registry:
    """A catalogue, and how to crawl into it."""

    catalogue: Catalogue

    def crawl(self, url: str, **options: str) -> Report:
        """Crawl the database at a URL as source `src`."""
        (report,) = crawl_all(
            [Source(name="src", kind="postgres", url="postgresql://db.example/db", options=options)],
            open_adapter=lambda _source: adapter_of(url, **options),
            catalogue=self.catalogue,
            clock=lambda: datetime.now(UTC),
        )
        return report

    def datasets(self) -> dict[str, Dataset]:
        """Return what is registered and not gone, by `schema.table`."""
        with self.catalogue.unit() as uow:
            found = list(uow.datasets.iter(source="src"))
        return {f"{dataset.address.schema}.{dataset.address.table}": dataset for dataset in found}

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
