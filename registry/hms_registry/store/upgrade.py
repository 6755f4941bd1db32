"""Migrations, run from the package: importing this imports Alembic, which only a schema that is behind needs."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, func, select

from hms_registry.store.classes import ClassCache
from hms_registry.store.column_forms import ColumnForms
from hms_registry.store.dialect import Dialect
from hms_registry.store.rebuilding import rebuild_index
from hms_registry.store.session import Session
from hms_registry.store.tables import datasets

MIGRATIONS = Path(__file__).parent / "migrations"


def configuration(connection: Connection | None = None, dialect: Dialect | None = None) -> Config:
    """Return Alembic's configuration, on an open connection to a database of that kind."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["dialect"] = dialect
    return config


def upgrade(connection: Connection, dialect: Dialect) -> None:
    """Bring the schema to this release's, inside the transaction of *connection*: wholly or not at all. What search
    knows is made anew."""
    command.upgrade(configuration(connection, dialect), "head")
    if connection.execute(select(func.count()).select_from(datasets)).scalar():
        forms, classes = ColumnForms(), ClassCache()
        rebuild_index(Session(connection, dialect=dialect, writes=True, classes=classes, forms=forms))
