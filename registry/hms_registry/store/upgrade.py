"""Migrations, run from the package: importing this imports Alembic, which only a schema that is behind needs."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from hms_registry.store.dialect import Dialect

MIGRATIONS = Path(__file__).parent / "migrations"


def configuration(connection: Connection | None = None, dialect: Dialect | None = None) -> Config:
    """Return Alembic's configuration, on an open connection to a database of that kind."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["dialect"] = dialect
    return config


def upgrade(connection: Connection, dialect: Dialect) -> None:
    """Bring the schema to this release's, inside the transaction of *connection*: wholly or not at all."""
    command.upgrade(configuration(connection, dialect), "head")
