"""From a URL to an engine on a catalogue of this release's schema. Alembic is imported only if it has work to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Engine, event, inspect, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import TimeoutError as PoolTimeout

from hms_registry.errors import CatalogueUnavailable, NotInstalled, SettingsInvalid
from hms_registry.store.dialect import Dialect, Purpose
from hms_registry.store.revisions import REVISIONS, check_known

_PURPOSE: Final = "hms_purpose"


@dataclass(frozen=True, slots=True)
class Opened:
    """An engine, and what is particular to its database."""

    engine: Engine
    dialect: Dialect

    def connect(self, purpose: Purpose) -> Connection:
        """Return a connection whose transactions begin as they should.

        Raises:
            CatalogueUnavailable, CatalogueCorrupt
        """
        try:
            return self.engine.connect().execution_options(**{_PURPOSE: purpose})
        except PoolTimeout as exc:
            raise CatalogueUnavailable(
                f"{self.dialect} has too many units open", hint="let some of them end first"
            ) from exc


def open_engine(url: str) -> Opened:
    """Open the catalogue at *url*, see `open_catalogue`."""
    dialect = _dialect(url)
    opened = Opened(_wire(dialect), dialect)
    try:
        _bring_to_head(opened)
    except BaseException:
        opened.engine.dispose()
        raise
    return opened


def _dialect(url: str) -> Dialect:
    """Choose by the scheme; who uses one database pays for no other."""
    if url.startswith("sqlite://"):
        from hms_registry.store.sqlite import Sqlite

        return Sqlite.at(url)
    if url.startswith(("postgresql://", "postgres://")):
        try:
            from hms_registry.store.postgresql import Postgresql
        except ModuleNotFoundError as exc:
            raise NotInstalled(
                f"a catalogue on PostgreSQL is not installed: {exc.name} is missing",
                hint="pip install 'hms-dta[postgres]'",
            ) from exc
        return Postgresql.at(url)
    raise SettingsInvalid(
        "a catalogue is named by sqlite:///PATH or postgresql://USER@HOST/DATABASE",
        hint="or by sqlite:// for one in memory",
    )


def _wire(dialect: Dialect) -> Engine:
    engine = dialect.engine()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        dialect.begin(connection, purpose=connection.get_execution_options().get(_PURPOSE, Purpose.READ))

    @event.listens_for(engine, "handle_error")
    def translate(context: ExceptionContext) -> None:
        """The one seam for driver errors. A pre-ping asks whether a connection still lives: the pool makes another."""
        cause = context.original_exception
        if isinstance(cause, context.dialect.loaded_dbapi.Error) and not context.is_pre_ping:
            raise dialect.error(cause) from cause

    return engine


def _bring_to_head(opened: Opened) -> None:
    with opened.connect(Purpose.READ) as connection:
        revision = _revision(connection, opened.dialect)
    if revision == REVISIONS[-1]:
        return
    from hms_registry.store.upgrade import upgrade

    opened.dialect.create()
    with opened.connect(Purpose.UPGRADE) as connection, connection.begin():
        if _revision(connection, opened.dialect) != REVISIONS[-1]:  # another process may have been faster
            upgrade(connection, opened.dialect)


def _revision(connection: Connection, dialect: Dialect) -> str | None:
    """Return the revision of the schema; None = an empty database.

    Raises:
        CatalogueTooNew, SettingsInvalid
    """
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return None
    if "alembic_version" not in tables or "epoch" not in tables:
        raise SettingsInvalid(
            f"{dialect} holds other tables and is no catalogue", hint=f"{dialect.elsewhere}; it was left as it is"
        )
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if revision is not None:
        check_known(revision, dialect)
    return revision
