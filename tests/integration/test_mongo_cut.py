"""A server whose connection breaks after any answer of a crawl loses no collection, and the next crawl has them all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cut_crawls import assert_each_cut_is_mended
from hms_mongo import MongoAdapter, MongoConfig
from hms_registry.domain.sources import Source
from mongo_crawling import registry
from services.mongo import MongoDatabase
from services.tcp_proxy import MESSAGE, tcp_proxy

COLLECTIONS = ("t0", "t1")
SOURCE = Source(name="src", kind="mongo", url="mongodb://db.example/")


@pytest.mark.parametrize("was_crawled", [False, True])
def test_a_crawl_of_documents_cut_after_any_answer_is_mended_by_the_next(
    mongo_database: MongoDatabase, was_crawled: bool
) -> None:
    """After k of n answers, for every k, first crawl or later: nothing is gone, and each field is there in the end."""
    for name in COLLECTIONS:
        mongo_database.insert(name, [{"_id": at, "n": at} for at in range(3)])

    def change(number: int) -> None:
        for name in COLLECTIONS:
            mongo_database.insert(name, [{"_id": 100 + number, f"new_{number}": 1}])

    with tcp_proxy(mongo_database.port) as proxy:
        proxy.mark = MESSAGE
        url = f"mongodb://127.0.0.1:{proxy.port}/{mongo_database.name}"

        impatient = replace(
            MongoConfig.from_url(source="src", url=url, options={}), connect_timeout_s=0.3, operation_timeout_s=5.0
        )

        seen = assert_each_cut_is_mended(
            registry,
            lambda crawled: crawled.crawl(url),
            # The driver looks for a dead server until this is up, after every cut.
            crawl_cut=lambda crawled: crawled.crawl_by(lambda: MongoAdapter(impatient), SOURCE),
            proxy=proxy,
            change=change if was_crawled else None,
        )

    assert seen == ({len(COLLECTIONS)} if was_crawled else set(range(len(COLLECTIONS))))
