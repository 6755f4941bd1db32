"""kill -9 of a crawl of real stores before any of its commits: mended by the next, and nothing is left in the store."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalogue_contents import contents
from faulty_stores import Home, faulty_stores
from hms_registry.bootstrap import Registry
from services.postgres import PostgresServer
from services.seaweedfs import SeaweedServer
from serving import eventually

FORKS = Path(__file__).with_name("crawl_forks.py")
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hms-dta'"

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path, postgres_server: PostgresServer, seaweed_server: SeaweedServer) -> Iterator[Home]:
    """Tables with keys and views, and objects."""
    with seaweed_server.bucket() as bucket:
        database = postgres_server.emptied("killed")
        database.execute(
            *(f"CREATE TABLE t{at} (id int PRIMARY KEY, n text)" for at in range(2)),
            "ALTER TABLE t0 ADD FOREIGN KEY (id) REFERENCES t1",
            "CREATE VIEW v AS SELECT id AS number FROM t1",
        )
        bucket.put({f"a/{at}x.csv": b"id,n\n1,2\n" for at in "ab"})
        with faulty_stores(tmp_path, database=database, bucket=bucket) as home:
            yield home


def _contents(home: Home) -> object:
    with Registry.open(home.path) as registry:
        return contents(registry.catalogue)


def test_a_crawl_of_stores_killed_before_any_of_its_commits_is_mended_by_the_next(home: Home) -> None:
    """Either old or new of each dataset, and the next crawl ends where an undisturbed one does."""
    assert all(report["ok"] for report in home.crawl().values())
    expected = _contents(home)
    number, how = 0, "killed"

    with subprocess.Popen(
        [sys.executable, str(FORKS)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as forks:
        assert forks.stdin is not None and forks.stdout is not None
        while how == "killed":
            home.forget()
            forks.stdin.write(f"60 {number} {home.path}\n")
            how = forks.stdout.readline().split()[0]
            eventually(lambda: home.database.rows(SESSIONS) == [(0,)], seconds=20)
            assert all(report["ok"] for report in home.crawl().values()), number
            assert _contents(home) == expected, number
            number += 1
        forks.stdin.close()

    assert number > 6, number
