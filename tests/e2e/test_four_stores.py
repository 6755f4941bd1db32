"""One statement over four kinds of store, under one policy: S3, PostgreSQL, Hive and MongoDB, each a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from command import hms
from four_stores import ANSWERS, FourStores
from services.hive_tables import HiveDatabase
from services.mongo import MongoDatabase
from services.postgres import Database
from services.seaweedfs import Bucket


@pytest.fixture
def stores(
    tmp_path: Path,
    bucket: Bucket,
    postgres_database: Database,
    hive_database: HiveDatabase,
    mongo_database: MongoDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> FourStores:
    """The four with a home over them, crawled, its policy in force."""
    stores = FourStores(bucket=bucket, postgres=postgres_database, hive=hive_database, mongo=mongo_database)
    for name, value in stores.environ.items():
        monkeypatch.setenv(name, value)
    stores.fill()
    stores.make_home(tmp_path)
    return stores


@pytest.mark.slow
@pytest.mark.parametrize("role", ["shipper", "nurse", "clerk"])
def test_one_statement_joins_all_four_stores_under_policy(stores: FourStores, tmp_path: Path, role: str) -> None:
    """They read the same four tables in one statement, and nobody sees what is another's."""
    done = hms(tmp_path, "query", stores.question, "--as", f"role:{role}", "--json")

    assert done.code == 0, done.err
    assert isinstance(done.json, list)
    assert [tuple(map(str, row.values())) for row in done.json] == ANSWERS[role]
