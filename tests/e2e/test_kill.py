"""kill -9 at any moment of a crawl, or before any of its commits: the next crawl mends what it left."""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from catalogues import truncate
from hms_crawler import crawl_all
from hms_registry.bootstrap import Registry, now
from services.postgres import PASSWORD, Database, PostgresServer

FORKS = Path(__file__).with_name("crawl_forks.py")
MOMENTS = 50


@pytest.fixture(scope="module")
def forks() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(FORKS)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    with process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    (home / "lake" / "locks").mkdir(parents=True)
    for number in range(13):
        (home / "lake" / "locks" / f"t{number}.csv").write_text(f"id,c{number}\n1,2\n")
    with closing(sqlite3.connect(home / "cdc.db")) as store:
        store.execute("CREATE TABLE region (id INTEGER PRIMARY KEY, name TEXT)")
        for number in range(7):
            store.execute(f"CREATE TABLE t{number} (id INTEGER, region INTEGER REFERENCES region (id))")
            store.execute(f"CREATE VIEW v{number} AS SELECT id AS i FROM t{number} WHERE region > 1")
        store.commit()
    (home / "sources.yml").write_text("sources:\n  lake: {url: 'file:lake'}\n  cdc: {url: 'sqlite:///cdc.db'}\n")
    return home


def crawl(home: Path) -> None:
    with Registry.open(home) as registry:
        sources = list(registry.sources.values())
        reports = crawl_all(sources, open_adapter=registry.adapters, catalogue=registry.catalogue, clock=now)
    assert all(report.is_ok for report in reports), reports


def contents(home: Path) -> set[tuple[object, ...]]:
    """What a reader can tell of the catalogue, without ids, epochs and times: so small that a difference is seen."""
    with Registry.open(home) as registry, registry.catalogue.unit() as uow:
        datasets = list(uow.datasets.iter())
        name = {dataset.id: str(dataset.address) for dataset in datasets}
        edges: set[tuple[object, ...]] = {
            (str(end.edge.kind), name[end.edge.upstream], end.edge.upstream_column, name[end.edge.downstream],
             end.edge.downstream_column)
            for dataset in datasets
            for end in uow.edges.around(dataset.id)
            if end.last_epoch is None
        }  # fmt: skip
        facts: set[tuple[object, ...]] = {
            (name[each.id], what, told)
            for each in datasets
            for what, told in (
                ("trino_name", str(each.trino_name)),
                ("version", each.version),
                ("columns", each.columns),
                ("stamp", each.stamp),
                ("state", each.state),
                ("labels", each.labels),
            )
        }
        return facts | edges


@pytest.mark.slow
def test_a_killed_crawl_leaves_nothing_that_the_next_does_not_mend(
    home: Path, tmp_path: Path, forks: subprocess.Popen[str]
) -> None:
    """Fifty crawls are killed at fifty moments; each next crawl ends where an undisturbed one does."""
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(home, undisturbed, symlinks=True)
    how, lasts = crawl_in_fork(forks, undisturbed)
    assert how == "ended"
    # Stamps hold mtime and file identity: compare over one tree, whose catalogue is thrown away each time.
    crawl(home)
    expected = contents(home)
    chance = random.Random(20261121)
    killed = 0

    for _ in range(MOMENTS):
        shutil.rmtree(home / ".hms-dta")
        how, _ = crawl_in_fork(forks, home, seconds=chance.uniform(0, 0.8 * lasts))
        killed += how == "killed"
        crawl(home)
        assert contents(home) ^ expected == set()

    assert killed > MOMENTS // 5  # how fast the machine is from one run to the next is not ours to say


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, home: Path) -> Iterator[Database | None]:
    """The database of the home's catalogue; None = a file of the home."""
    if request.param == "sqlite":
        yield None
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database() as database:
        (home / "password").write_text(PASSWORD)
        url = f"postgresql://postgres@127.0.0.1:{database.port}/{database.name}"
        (home / "settings.yml").write_text(f"catalogue:\n  url: {url}\n  password_file: password\n")
        yield database


@pytest.mark.slow
def test_a_crawl_killed_before_any_of_its_commits_is_mended_by_the_next(
    home: Path, shared: Database | None, forks: subprocess.Popen[str]
) -> None:
    """Every state that a killed crawl can leave lies between two of its commits: each one is tried, and every third on
    a server, where the commits are the same."""
    crawl(home)
    expected = contents(home)
    number, how = 0, "killed"

    while how == "killed":
        forget(home, shared)
        how, _ = crawl_in_fork(forks, home, commits=number)
        crawl(home)
        assert (number, contents(home) ^ expected) == (number, set())
        number += 1 if shared is None else 3

    assert number > 10


def forget(home: Path, shared: Database | None) -> None:
    """Throw the catalogue away."""
    if shared is None:
        shutil.rmtree(home / ".hms-dta")
    else:
        truncate(shared)


def crawl_in_fork(
    forks: subprocess.Popen[str], home: Path, *, seconds: float = 60, commits: int = 1_000_000
) -> tuple[str, float]:
    """Crawl in a process that is killed after so many seconds or commits; how it ended, and how long it lasted."""
    assert forks.stdin is not None and forks.stdout is not None
    forks.stdin.write(f"{seconds} {commits} {home}\n")
    how, lasted = forks.stdout.readline().split()
    return how, float(lasted)
