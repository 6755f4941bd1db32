"""What a crawl of Hive costs, counted in answers of the metastore and in their bytes.

`make test-nightly` does the same with a million partitions.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest

from hive_crawling import registry
from hms_registry.domain.datasets import Dataset
from services.hive import HiveMetastore
from services.hive_tables import HiveDatabase
from services.tcp_proxy import REPLY, Fault, tcp_proxy

PARTITIONS = int(os.environ.get("HMS_DTA_PARTITIONS", "2000"))
AT_ONCE = 500


@dataclass(frozen=True)
class Cost:
    """What one first crawl took, and what it registered."""

    answers: int
    sent: int
    datasets: dict[str, Dataset]


@pytest.fixture
def database(hive_metastore: HiveMetastore) -> Iterator[HiveDatabase]:
    """A database that stays: to drop thousands of partitions takes longer than to make them."""
    made = hive_metastore.emptied()
    with closing(made.client):
        yield made


def _cost(database: HiveDatabase) -> Cost:
    with registry() as crawled, tcp_proxy(database.port) as proxy:
        proxy.mark, proxy.fault = REPLY, Fault(dies_after=1 << 30)
        assert crawled.crawl(f"thrift://127.0.0.1:{proxy.port}/{database.name}", call_timeout_s="60").is_ok
        return Cost(proxy.answered, proxy.passed, crawled.datasets())


def test_partitions_cost_a_count_however_many_there_are(database: HiveDatabase) -> None:
    """By the thousand they cost the calls and the bytes of three, and none of them is a dataset."""
    database.add("trips", {"id": "bigint"}, keys={"n": "int"})
    _partition(database, range(3))
    few = _cost(database)
    for start in range(3, PARTITIONS, AT_ONCE):
        _partition(database, range(start, min(start + AT_ONCE, PARTITIONS)))

    many = _cost(database)

    assert (many.answers, many.sent) == (few.answers, few.sent)
    assert [each.datasets["trips"].properties["hive.partitions"] for each in (few, many)] == ["3", str(PARTITIONS)]
    assert set(many.datasets) == {"trips"}


def _partition(database: HiveDatabase, numbers: range) -> None:
    """Add partitions, all at one place: none of them needs a folder of its own."""
    database.add_partitions("trips", [[str(at)] for at in numbers], places=[database.folder.as_uri()] * len(numbers))


def test_tables_cost_batches_and_partitioned_ones_a_call_each(database: HiveDatabase) -> None:
    """Twice as many tables take no call more, and each partitioned one takes one more."""
    answers = []
    for start in (0, 20, 40):
        for at in range(start, start + 20):
            database.add(f"t{at}", {"id": "bigint"}, keys={"dt": "string"} if at >= 40 else {})
        answers.append(_cost(database).answers)

    assert answers == [answers[0], answers[0], answers[0] + 20]
