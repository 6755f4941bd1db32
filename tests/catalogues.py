"""Empty catalogues on each database there is, so that one suite holds for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from hms_registry.ports.catalogue import Catalogue
from hms_registry.store import open_catalogue
from hms_registry.store.tables import metadata
from services.postgres import Database, PostgresServer

KINDS = ("sqlite", "postgresql")


@dataclass(slots=True)
class Catalogues:
    """Empty catalogues of one kind.

    Attributes:
        database: where they lie; None = in SQLite, in memory or in a folder.
    """

    database: Database | None = None

    @contextmanager
    def empty(self, folder: Path | None = None) -> Iterator[Catalogue]:
        """Open an empty one. In PostgreSQL it is the same database each time, so there is one at a time.

        Args:
            folder: where its file lies in SQLite, for who needs more than one connection.
        """
        opened = open_catalogue(self.url(folder))
        try:
            yield opened
        finally:
            opened.close()

    def url(self, folder: Path | None = None) -> str:
        """Return the URL of an empty one."""
        if self.database is None:
            return "sqlite://" if folder is None else f"sqlite:///{folder}/c.db"
        truncate(self.database)
        return self.database.url


def truncate(database: Database) -> None:
    """Empty a catalogue's tables: a tenth of the time of making them."""
    tables = [sql.Identifier(name) for name in metadata.tables if name != "epoch"]
    with psycopg.connect(database.url, autocommit=True) as session:
        if session.execute("SELECT to_regclass('epoch')").fetchone() == (None,):
            open_catalogue(database.url).close()
        session.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(sql.SQL(", ").join(tables)))
        session.execute("UPDATE epoch SET value = 0")


@pytest.fixture(scope="session", params=KINDS)
def catalogues(request: pytest.FixtureRequest) -> Iterator[Catalogues]:
    """Empty catalogues, on each database in turn."""
    if request.param == "sqlite":
        yield Catalogues()
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database() as database:
        yield Catalogues(database)


@pytest.fixture
def catalogue(catalogues: Catalogues) -> Iterator[Catalogue]:
    """An empty catalogue, on each database in turn."""
    with catalogues.empty() as opened:
        yield opened


@pytest.fixture
def memory() -> Iterator[Catalogue]:
    """An empty catalogue in memory, for what does not lie with the database."""
    with Catalogues().empty() as opened:
        yield opened
