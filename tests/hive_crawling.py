"""Crawling a test's Hive into a catalogue in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hms_crawler import Report
from hms_hive import HiveAdapter, HiveConfig
from hms_registry.domain.datasets import Dataset
from hms_registry.domain.sources import Source
from store_crawling import CrawledStore, empty_catalogue

OPTIONS = {"connect_timeout_s": "2", "call_timeout_s": "20"}


def adapter_of(url: str, **options: str) -> HiveAdapter:
    """Make an adapter as the product does."""
    return HiveAdapter(HiveConfig.from_url(source="src", url=url, options={**OPTIONS, **options}))


class Registry(CrawledStore):
    """A catalogue, and how to crawl into it."""

    def crawl(self, url: str, **options: str) -> Report:
        """Crawl the Hive at a URL as source `src`."""
        source = Source(name="src", kind="hive", url="thrift://hive.example/", options=options)
        return self.crawl_by(lambda: adapter_of(url, **options), source)

    def datasets(self) -> dict[str, Dataset]:
        """Return what is registered and not gone, by table."""
        return {dataset.address.table: dataset for dataset in self.registered()}


@contextmanager
def registry() -> Iterator[Registry]:
    """Yield an empty catalogue."""
    with empty_catalogue() as catalogue:
        yield Registry(catalogue)
