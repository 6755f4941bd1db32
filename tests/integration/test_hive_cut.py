"""A Hive whose connection breaks after any answer of a crawl loses nothing, and the next whole crawl has it all."""

from __future__ import annotations

import pytest

from cut_crawls import assert_each_cut_is_mended
from hive_crawling import registry
from services.hive import HiveServer
from services.hive_tables import HiveDatabase
from services.tcp_proxy import REPLY, Proxy, tcp_proxy

TABLES = 3


@pytest.fixture
def database(hive_database: HiveDatabase) -> HiveDatabase:
    """Two tables, one of them partitioned, and a view of the other."""
    hive_database.add("t0", {"id": "int"})
    hive_database.add("t1", {"id": "int"}, keys={"dt": "string"})
    hive_database.add("v", {"id": "int"}, view=f"SELECT `t0`.`id` AS `id` FROM `{hive_database.name}`.`t0`")
    return hive_database


def _alter(database: HiveDatabase, number: int) -> None:
    """Give each a column that it did not have."""
    for name in ("t0", "t1"):
        altered = database.get(name)
        altered.sd.cols[1:] = database.table(name, {f"new_{number}": "string"}).sd.cols
        database.alter(name, altered)


def _url(scheme: str, proxy: Proxy, database: HiveDatabase) -> str:
    return f"{scheme}://127.0.0.1:{proxy.port}/{database.name}"


@pytest.mark.parametrize("was_crawled", [False, True])
def test_a_crawl_of_a_metastore_cut_after_any_answer_is_mended_by_the_next(
    database: HiveDatabase, was_crawled: bool
) -> None:
    """After k of n answers, for every k, first crawl or later: nothing is gone, and the next crawl has it all."""
    with tcp_proxy(database.port) as proxy:
        proxy.mark = REPLY
        url = _url("thrift", proxy, database)

        seen = assert_each_cut_is_mended(
            registry,
            lambda crawled: crawled.crawl(url),
            proxy=proxy,
            change=(lambda number: _alter(database, number)) if was_crawled else None,
        )

    assert seen == ({TABLES} if was_crawled else set(range(TABLES)))


@pytest.mark.slow
def test_a_crawl_of_hiveserver2_cut_on_its_way_is_mended_by_the_next(
    database: HiveDatabase, hive_server: HiveServer
) -> None:
    """Login, sessions, bulk calls, pages and each DESCRIBE: cut after every eleventh answer, nothing is lost."""
    with tcp_proxy(hive_server.port) as proxy:
        proxy.mark = REPLY
        url = _url("hive", proxy, database)

        seen = assert_each_cut_is_mended(
            registry, lambda crawled: crawled.crawl(url, connections="1"), proxy=proxy, step=11
        )

    assert seen >= set(range(TABLES))
