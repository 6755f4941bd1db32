"""Crawling a test's MongoDB into a catalogue in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hms_crawler import Report
from hms_mongo import MongoAdapter, MongoConfig
from hms_registry.domain.datasets import Dataset
from hms_registry.domain.sources import Source
from store_crawling import CrawledStore, empty_catalogue

OPTIONS = {"connect_timeout_s": "2", "operation_timeout_s": "5"}


def adapter_of(url: str, *, kind: type[MongoAdapter] = MongoAdapter, **options: str) -> MongoAdapter:
    """Make an adapter as the product does."""
    return kind(MongoConfig.from_url(source="src", url=url, options={**OPTIONS, **options}))


class Registry(CrawledStore):
    """A catalogue, and how to crawl into it."""

    def crawl(self, url: str, *, include: str = "", kind: type[MongoAdapter] = MongoAdapter, **options: str) -> Report:
        """Crawl the server at a URL as source `src`."""
        wanted = (include,) if include else ()
        source = Source(name="src", kind="mongo", url="mongodb://db.example/", options=options, include=wanted)
        return self.crawl_by(lambda: adapter_of(url, kind=kind, **options), source)

    def datasets(self) -> dict[str, Dataset]:
        """Return what is registered and not gone, by collection."""
        return {dataset.address.table: dataset for dataset in self.registered()}


@contextmanager
def registry() -> Iterator[Registry]:
    """Yield an empty catalogue."""
    with empty_catalogue() as catalogue:
        yield Registry(catalogue)
