"""A crawl's memory does not follow the number of tables: it streams, whatever a source holds.

`make test-nightly` does the same with 100,000 tables.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from command import HMS_DTA, hms
from faulty_stores import SECRETS
from services.postgres import PASSWORD, Database, PostgresServer

TABLES = int(os.environ.get("HMS_DTA_TABLES", "2400"))
AT_MOST = 512 << 20
A_TABLE = 3 << 10
"""What a table may cost until the end: its address, its stamp and its id."""
WATCH = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
"""
"""A process of its own: the kernel counts what the parent held at the fork as held by the child."""
MAKE = """
DO $$ BEGIN
    FOR at IN {} .. {} LOOP
        EXECUTE format('CREATE TABLE many.t%s (id int, at date, n numeric(6,2))', at);
    END LOOP;
END $$
"""


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[Database]:
    """No table yet; they are made a thousand a transaction, as locks are counted."""
    with postgres_server.database() as made:
        made.execute("CREATE SCHEMA many")
        yield made


def _make(database: Database, first: int, last: int) -> None:
    with database.connect() as session:
        for at in range(first, last + 1, 1000):
            session.execute(MAKE.format(at, min(at + 999, last)).encode())


def _crawl(home: Path) -> tuple[dict[str, object], int]:
    """Crawl in a process of its own; its report, and the most memory that it held at once."""
    words = [sys.executable, "-c", WATCH, str(HMS_DTA), "--home", str(home), "crawl", "--json"]
    env = {**os.environ, "PG_PASSWORD": PASSWORD, "PYTHONUTF8": "1"}
    done = subprocess.run(words, env=env, capture_output=True, timeout=1800, check=True)
    told = done.stdout + done.stderr
    assert not [secret for secret in SECRETS if secret.encode() in told]
    (report,) = json.loads(done.stdout)["crawls"]
    return report, int(done.stderr.split()[-1]) * 1024


def test_memory_stays_as_the_tables_grow_in_number(database: Database, tmp_path: Path) -> None:
    """Twice the tables, several batches of them, take little more of it than before, and never half a gigabyte."""
    peaks = []
    for number in (TABLES // 2, TABLES):
        home = tmp_path / str(number)
        assert hms(home, "init").code == 0
        url = f"postgresql://postgres:${{PG_PASSWORD}}@127.0.0.1:{database.port}/{database.name}"
        (home / "sources.yml").write_text(json.dumps({"sources": {"cdc": {"url": url}}}))
        _make(database, 1 if not peaks else TABLES // 2 + 1, number)

        report, peak = _crawl(home)

        assert (report["state"], report["new"]) == ("complete", number)
        peaks.append(peak)

    assert peaks[1] < AT_MOST
    assert peaks[1] - peaks[0] < (16 << 20) + TABLES * A_TABLE, peaks
