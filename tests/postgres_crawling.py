"""Crawling a test's PostgreSQL database into a catalogue in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hms_crawler import Report
from hms_postgres import PostgresAdapter, PostgresConfig
from hms_registry.domain.datasets import Dataset
from hms_registry.domain.sources import Source
from store_crawling import CrawledStore, empty_catalogue

OPTIONS = {"connect_timeout_s": "2", "statement_timeout_s": "10"}


def adapter_of(url: str, **options: str) -> PostgresAdapter:
    """Make an adapter as the product does."""
    return PostgresAdapter(PostgresConfig.from_url(source="src", url=url, options={**OPTIONS, **options}))


class Registry(CrawledStore):
    """A catalogue, and how to crawl into it."""

    def crawl(self, url: str, **options: str) -> Report:
        """Crawl the database at a URL as source `src`."""
        source = Source(name="src", kind="postgres", url="postgresql://db.example/db", options=options)
        return self.crawl_by(lambda: adapter_of(url, **options), source)

    def datasets(self) -> dict[str, Dataset]:
        """Return what is registered and not gone, by `schema.table`."""
        return {f"{each.address.schema}.{each.address.table}": each for each in self.registered()}


@contextmanager
def registry() -> Iterator[Registry]:
    """Yield an empty catalogue."""
    with empty_catalogue() as catalogue:
        yield Registry(catalogue)
