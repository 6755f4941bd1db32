"""Opening a catalogue on PostgreSQL: its schema is made once, checked each time, and left alone if it is not ours."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from hms_registry.errors import CatalogueTooNew, HmsError, SettingsInvalid
from hms_registry.store import open_catalogue
from hms_registry.store.dialect import Purpose
from hms_registry.store.engine import open_engine
from hms_registry.store.postgresql.searching import INDEXES
from hms_registry.store.revisions import REVISIONS
from hms_registry.store.tables import metadata
from services.postgres import Database
from store_samples import described, register

TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"


def test_many_may_open_an_empty_database_at_once(postgres_database: Database) -> None:
    """Who comes second waits for the migration of who came first, and none makes it twice."""
    failures: list[BaseException] = []

    def work() -> None:
        try:
            open_catalogue(postgres_database.url).close()
        except BaseException as exc:  # noqa: BLE001 - a thread's failure must reach the test
            failures.append(exc)

    threads = [threading.Thread(target=work) for _ in range(5)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert failures == []
    assert postgres_database.rows("SELECT version_num FROM alembic_version") == [(REVISIONS[-1],)]
    assert postgres_database.rows("SELECT id, value FROM epoch") == [(1, 0)]


def test_the_migrations_make_the_tables_that_the_code_expects(postgres_database: Database) -> None:
    """Alembic finds no difference but the search indexes; text compares by bytes, and no number runs out."""
    opened = open_engine(postgres_database.url)

    def include(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "index" or name not in ("ix_search_documents_tokens", "ix_search_names_pieces")

    with opened.connect(Purpose.READ) as connection:
        options = {"include_name": include, "compare_type": False, "target_metadata": metadata}
        differences = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    opened.engine.dispose()

    assert differences == []
    columns = """SELECT table_name, column_name, data_type, collation_name FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name <> 'alembic_version'"""
    kinds = {(kind, collation) for _, _, kind, collation in postgres_database.rows(columns)}
    assert kinds == {("text", "C"), ("bigint", None), ("boolean", None)}


def test_an_upgrade_that_breaks_leaves_an_empty_database(
    postgres_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A migration runs wholly or not at all, and the next start does it."""
    with monkeypatch.context() as patched:
        broken = (INDEXES[0], "CREATE NONSENSE")
        patched.setattr("hms_registry.store.postgresql.database.Postgresql.search_indexes", broken)
        with pytest.raises(HmsError):
            open_catalogue(postgres_database.url)

    assert postgres_database.rows(TABLES) == []
    with closing(open_catalogue(postgres_database.url)) as catalogue, catalogue.unit() as uow:
        assert uow.epoch() == 0


def test_a_database_of_somebody_else_is_left_alone(postgres_database: Database) -> None:
    """Other tables in its schema: it is refused, with a way out, and nothing is written to it."""
    postgres_database.execute("CREATE TABLE theirs (a int)")

    with pytest.raises(SettingsInvalid) as caught:
        open_catalogue(postgres_database.url)

    where = f"the catalogue postgresql://127.0.0.1:{postgres_database.port}/{postgres_database.name}"
    assert caught.value.message == f"{where} holds other tables and is no catalogue"
    assert "?options=-csearch_path%3DNAME" in caught.value.hint
    assert postgres_database.rows(TABLES) == [("theirs",)]


def test_a_schema_of_its_own_holds_the_catalogue_beside_others(postgres_database: Database) -> None:
    """As that hint says: the URL names the schema, and the tables of others stay as they are."""
    postgres_database.execute("CREATE TABLE epoch (theirs int)", "CREATE SCHEMA one", "CREATE SCHEMA two")

    for name in ("one", "two"):
        url = f"{postgres_database.url}?options=-csearch_path%3D{name}"
        with closing(open_catalogue(url)) as catalogue:
            register(catalogue, described(name))
        with closing(open_catalogue(url)) as catalogue, catalogue.unit() as uow:
            assert [each.address.table for each in uow.datasets.iter()] == [name]

    assert postgres_database.rows(TABLES) == [("epoch",)]


def test_a_newer_schema_is_refused_with_advice(postgres_database: Database) -> None:
    """A catalogue of a newer release is not touched; the message names both schemas."""
    open_catalogue(postgres_database.url).close()
    postgres_database.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(CatalogueTooNew) as caught:
        open_catalogue(postgres_database.url)

    assert caught.value.message.endswith(
        f" was written by a newer release (schema 9999, this one knows up to {REVISIONS[-1]})"
    )
    assert caught.value.hint == "install that release or a later one; nothing was changed"
    assert postgres_database.rows("SELECT version_num FROM alembic_version") == [("9999",)]


def test_who_uses_one_database_pays_for_no_other(postgres_database: Database, tmp_path: Path) -> None:
    """SQLite imports nothing of PostgreSQL; at head neither imports Alembic or the object mapper."""
    file = f"sqlite:///{tmp_path}/c.db"
    for url in (file, postgres_database.url):
        open_catalogue(url).close()
    script = (
        f"import sys, hms_registry.store as s; s.open_catalogue({file!r}).close();"
        "assert not {'psycopg', 'sqlalchemy.dialects.postgresql', 'sqlalchemy.orm', 'alembic'} & set(sys.modules);"
        f"s.open_catalogue({postgres_database.url!r}).close();"
        "assert not {'sqlalchemy.orm', 'alembic'} & set(sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", script], env={"PYTHONPATH": ":".join(sys.path)}, check=False)

    assert done.returncode == 0
