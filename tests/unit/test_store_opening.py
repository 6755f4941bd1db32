"""Opening a catalogue: paths, schema, migrations, and what it refuses."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from hms_registry.errors import CatalogueTooNew, HmsError, SettingsInvalid
from hms_registry.store import open_catalogue
from hms_registry.store.dialect import Purpose
from hms_registry.store.engine import open_engine
from hms_registry.store.revisions import REVISIONS
from hms_registry.store.sqlite_searching import INDEXES
from hms_registry.store.tables import metadata
from hms_registry.store.upgrade import configuration
from moulds import migrate
from store_samples import described, get, register


@pytest.mark.parametrize(
    "name",
    ["plain.db", "with space.db", "100%.db", "%20.db", "a?b=c.db", "a#b.db", "Ångström 🚢.db", "file:x.db", "'q\".db"],
)
def test_a_path_is_taken_as_it_is_written(tmp_path: Path, name: str) -> None:
    """Nothing in the path of a catalogue is decoded: the file has exactly that name."""
    path = tmp_path / "new folder" / name
    first = open_catalogue(f"sqlite:///{path}")
    done = register(first, described("a"))[0]
    first.close()

    again = open_catalogue(f"sqlite:///{path}")

    assert path.is_file()
    assert get(again, done.dataset_id).address == done.address
    again.close()


def test_a_relative_path_is_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sqlite:///x.db` lies in the working folder, and stays there when that changes."""
    monkeypatch.chdir(tmp_path)
    catalogue = open_catalogue("sqlite:///sub/x.db")
    monkeypatch.chdir("/")

    register(catalogue, described("a"))

    assert (tmp_path / "sub" / "x.db").is_file()
    catalogue.close()


def test_a_catalogue_in_memory_is_nobody_elses() -> None:
    """Two catalogues in memory share nothing."""
    one, other = open_catalogue("sqlite://"), open_catalogue("sqlite://")

    register(one, described("a"))

    with other.unit() as uow:
        assert uow.sources.all() == []


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite:///", "sqlite:/x", "sqlite://x/y", "", "/x.db"])
def test_other_urls_are_refused_and_not_repeated_whole(url: str) -> None:
    """A URL that names no catalogue is a mistake in the settings."""
    with pytest.raises(SettingsInvalid) as caught:
        open_catalogue(url)

    assert "sqlite:///PATH" in caught.value.message + caught.value.hint


def test_a_database_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    """A path that names another program's database is refused, and nothing is written to it."""
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    before = path.read_bytes()

    with pytest.raises(SettingsInvalid, match="holds other tables and is no catalogue"):
        open_catalogue(f"sqlite:///{path}")

    assert path.read_bytes() == before


def test_a_newer_schema_is_refused_with_advice(tmp_path: Path) -> None:
    """A catalogue of a newer release is not touched; the message names both schemas."""
    path = tmp_path / "c.db"
    open_catalogue(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    with pytest.raises(CatalogueTooNew) as caught:
        open_catalogue(f"sqlite:///{path}")

    assert caught.value.message == (
        f"the catalogue {path} was written by a newer release (schema 9999, this one knows up to {REVISIONS[-1]})"
    )
    assert caught.value.hint == "install that release or a later one; nothing was changed"


def test_migrations_from_nothing_make_the_tables_that_the_code_expects() -> None:
    """Alembic finds no difference between a migrated database and the metadata."""
    opened = open_engine("sqlite://")
    derived = ("document_index", "naming_index", "name_index")

    def include(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or not (name or "").startswith(derived)

    with opened.connect(Purpose.READ) as connection:
        context = MigrationContext.configure(
            connection, opts={"include_name": include, "compare_type": True, "target_metadata": metadata}
        )
        differences = compare_metadata(context, metadata)

    assert differences == []


def test_the_known_revisions_are_those_of_the_migrations() -> None:
    """The list that opening compares with is the one that Alembic has, in its order."""
    scripts = ScriptDirectory.from_config(configuration())

    assert tuple(each.revision for each in reversed(list(scripts.walk_revisions()))) == REVISIONS


def test_an_upgrade_that_breaks_leaves_an_empty_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration runs wholly or not at all, and the next start does it."""
    path = tmp_path / "c.db"
    with monkeypatch.context() as patched:
        patched.setattr("hms_registry.store.upgrade.upgrade", migrate)
        patched.setattr("hms_registry.store.sqlite.Sqlite.search_indexes", (INDEXES[0], "CREATE NONSENSE"))
        with pytest.raises(HmsError):
            open_catalogue(f"sqlite:///{path}")

    catalogue = open_catalogue(f"sqlite:///{path}")

    with catalogue.unit() as uow:
        assert uow.epoch() == 0
    catalogue.close()


def test_opening_at_head_imports_neither_alembic_nor_importing_the_store_sqlalchemy(tmp_path: Path) -> None:
    """Start-up pays for SQLAlchemy only when a catalogue is opened, and for Alembic only when a schema is behind."""
    url = f"sqlite:///{tmp_path}/c.db"
    open_catalogue(url).close()
    script = (
        "import sys; import hms_registry.store as s; assert 'sqlalchemy' not in sys.modules;"
        f"s.open_catalogue({url!r}).close(); assert not {{'alembic', 'sqlalchemy.orm'}} & set(sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", script], env={"PYTHONPATH": ":".join(sys.path)}, check=False)

    assert done.returncode == 0


def test_many_may_open_a_new_catalogue_at_once(tmp_path: Path) -> None:
    """Who comes second waits for the migration of who came first."""
    url = f"sqlite:///{tmp_path}/c.db"
    failures: list[BaseException] = []

    def work() -> None:
        try:
            catalogue = open_catalogue(url)
            with catalogue.unit() as uow:
                uow.sources.all()
            catalogue.close()
        except BaseException as exc:  # noqa: BLE001 - a thread's failure must reach the test
            failures.append(exc)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert failures == []
