"""Upgrades of a catalogue that are killed, and releases that run on while a newer one upgrades, on both databases."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from catalogue_dumps import KEPT, path_of, restore_postgres, restore_sqlite, told
from catalogues import KINDS
from hms_registry.errors import CatalogueTooNew, CatalogueUnavailable
from hms_registry.store import open_catalogue
from hms_registry.store.revisions import REVISIONS
from services.postgres import PostgresServer
from store_samples import LAKE, put

HERE = Path(__file__).parent
NOTHING = "nothing"


def run(script: str, *words: str) -> subprocess.Popen[str]:
    env = {"PYTHONPATH": ":".join([str(HERE), *sys.path])}
    command = [sys.executable, str(HERE / script), *words]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)


def ask(process: subprocess.Popen[str], line: str) -> str:
    """Send it a line and return the next that it prints."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    return process.stdout.readline().rstrip("\n")


@pytest.fixture(scope="module")
def forks() -> Iterator[subprocess.Popen[str]]:
    """What opens catalogues and is killed at it; it keeps nothing from one to the next."""
    with run("upgrade_forks.py") as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each database."""
    found: str = request.param
    return found


@pytest.fixture
def nothing(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of an empty database."""
    if kind == "sqlite":
        yield f"sqlite:///{tmp_path}/new.db"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database() as empty:
        yield empty.url


@pytest.fixture
def first(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a catalogue as the first schema left it."""
    dump = path_of(KEPT[0], kind)
    if kind == "sqlite":
        yield restore_sqlite(dump, tmp_path)
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database() as database:
        yield restore_postgres(dump, database)


def shape(url: str) -> tuple[str, frozenset[tuple[str, str]]]:
    """Return the revision of a catalogue, and the columns of its tables."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        tables = inspect(connection).get_multi_columns()
        columns = frozenset((str(name), each["name"]) for (_, name), found in tables.items() for each in found)
        revision = connection.scalar(text("SELECT version_num FROM alembic_version")) if columns else NOTHING
    engine.dispose()
    return revision, columns


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize(("start", "every"), [("first", 1), ("nothing", 6)])
def test_an_upgrade_killed_before_any_of_its_steps_is_done_by_the_next(
    forks: subprocess.Popen[str], start: str, every: int, request: pytest.FixtureRequest
) -> None:
    """Killed before each change it makes, and before its commit, it leaves the schema that was there; the next opening
    does all of it, and nothing that was kept is another."""
    url, step = request.getfixturevalue(start), 0
    before = shape(url) if start == "first" else (NOTHING, frozenset())

    while (how := ask(forks, f"{step} {url}")) == "killed":
        assert shape(url) == before
        step += every

    assert how == "ended"
    assert step > 8
    assert shape(url)[0] == REVISIONS[-1]
    with closing(open_catalogue(url)) as catalogue, catalogue.unit() as uow:
        if start == "nothing":
            assert uow.epoch() == 0
    if start == "first":
        with closing(open_catalogue(url)) as catalogue:
            assert told(catalogue) == json.loads(path_of(KEPT[0], "told").read_text())


def test_a_release_that_runs_on_while_a_newer_one_upgrades_is_refused(nothing: str) -> None:
    """What it had begun is there and upgraded; after that it writes nothing and decides nothing, and says why."""
    with run("older_release.py", nothing) as older:
        assert older.stdout is not None and older.stdin is not None
        assert older.stdout.readline() == "ready\n"
        newer = threading.Thread(target=lambda: open_catalogue(nothing).close())  # it waits for the turn

        newer.start()
        older.stdin.write("\n")
        older.stdin.flush()
        newer.join()
        answers = [ask(older, ""), older.stdout.readline().rstrip("\n")]

    for answer in answers:
        assert answer.startswith("CatalogueTooNew: the catalogue ")
        assert answer.endswith(
            f" was written by a newer release (schema {REVISIONS[-1]}, this one knows up to {REVISIONS[-2]}); "
            "install that release or a later one; nothing was changed"
        )
    assert shape(nothing)[0] == REVISIONS[-1]
    with closing(open_catalogue(nothing)) as catalogue, catalogue.unit() as uow:
        assert [each.source.name for each in uow.sources.all()] == ["early"]


@pytest.mark.parametrize(
    ("revision", "error", "message"),
    [
        ("9999", CatalogueTooNew, r"was written by a newer release \(schema 9999"),
        (REVISIONS[0], CatalogueUnavailable, f"was put back to schema {REVISIONS[0]} while it was open$"),
    ],
)
def test_a_catalogue_that_is_of_another_schema_by_now_is_left_alone(
    nothing: str, revision: str, error: type[Exception], message: str
) -> None:
    """A newer one that another process upgraded, or an older one that was restored below an open catalogue."""
    with closing(open_catalogue(nothing)) as catalogue:
        engine = create_engine(nothing.replace("postgresql://", "postgresql+psycopg://"))
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": revision})

        with pytest.raises(error, match=message):
            put(catalogue, LAKE)

        with engine.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM sources")) == 0
        engine.dispose()
