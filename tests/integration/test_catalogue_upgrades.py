"""Catalogues that earlier schemas left: today's code opens, upgrades, reads and writes each, and loses nothing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from catalogue_dumps import FOLDER, KEPT, dumped, path_of, restore_postgres, restore_sqlite, told
from hms_registry.domain.names import Address
from hms_registry.store import open_catalogue
from hms_registry.store.revisions import REVISIONS
from hms_registry.store.tables import metadata
from services.postgres import PostgresServer
from store_samples import described, register

REMAKE = "the schema changed and its dump did not: run `python tests/catalogue_dumps.py`"


def restored(kind: str, revision: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    if kind == "sqlite":
        yield restore_sqlite(path_of(revision, kind), folder)
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database() as database:
        yield restore_postgres(path_of(revision, kind), database)


@pytest.fixture(params=KEPT)
def revision(request: pytest.FixtureRequest) -> str:
    """Each schema that somebody may have."""
    found: str = request.param
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
def url(revision: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A catalogue as that schema left it, on each database."""
    yield from restored(request.param, revision, tmp_path, request)


def test_todays_code_reads_what_was_kept(url: str, revision: str) -> None:
    """Every fact, label, edge, event and search result is what it was."""
    with closing(open_catalogue(url)) as catalogue:
        assert told(catalogue) == json.loads(path_of(revision, "told").read_text())


def test_todays_code_writes_on(url: str) -> None:
    """The next write takes the next epoch, and the ids after those that are there."""
    with closing(open_catalogue(url)) as catalogue:
        with catalogue.unit() as uow:
            before, count = uow.epoch(), len(uow.registrations.known("lake"))
        register(catalogue, described("new one"))

        with catalogue.unit() as uow:
            assert uow.epoch() == before + 1
            assert len(uow.registrations.known("lake")) == count + 1
            assert uow.datasets.find(Address("lake", "locks", "new one")) is not None


def test_every_table_of_the_dumps_holds_something(tmp_path: Path) -> None:
    """An upgrade that is tried on empty tables is not tried."""
    url = restore_sqlite(path_of(REVISIONS[-1], "sqlite"), tmp_path)

    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as session:
        counts = {name: session.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in metadata.tables}

    assert [name for name, count in counts.items() if not count] == []


def test_the_last_dumps_are_of_todays_schema(tmp_path: Path, postgres_server: PostgresServer) -> None:
    """What is kept is what this code makes, on both databases."""
    kept, fresh = tmp_path / "restored.db", tmp_path / "fresh.db"
    restore_sqlite(path_of(REVISIONS[-1], "sqlite"), tmp_path)
    open_catalogue(f"sqlite:///{fresh}").close()
    with postgres_server.database() as one, postgres_server.database() as other:
        restore_postgres(path_of(REVISIONS[-1], "postgresql"), one)
        open_catalogue(other.url).close()
        statements = [_statements(dumped(each)) for each in (one, other)]

    assert _schema(kept) == _schema(fresh), REMAKE
    assert statements[0] == statements[1], REMAKE


def _schema(file: Path) -> set[str]:
    with closing(sqlite3.connect(file)) as session:
        return {sql for (sql,) in session.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")}


def _statements(dump: str) -> list[str]:
    return [each for each in dump.split(";\n") if each.startswith(("CREATE", "ALTER"))]


def test_each_schema_that_somebody_may_have_has_its_dumps() -> None:
    """A new migration comes with dumps of what it makes."""
    kinds = {each.name for each in FOLDER.iterdir()}

    assert kinds == {path_of(each, kind).name for each in KEPT for kind in ("sqlite", "postgresql", "told")}
