"""A database that is locked, full, read-only, missing or damaged: one clear error, and committed data intact."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hms_registry.errors import CatalogueCorrupt, CatalogueUnavailable
from hms_registry.store import open_catalogue, sqlite
from store_samples import described, register


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users can reach."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    yield made
    made.chmod(0o755)
    shutil.rmtree(made)


@contextmanager
def without_privileges() -> Iterator[None]:
    """Root may write everything: become somebody who may not."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def tables_of(path: Path) -> list[str]:
    catalogue = open_catalogue(f"sqlite:///{path}")
    with catalogue.unit() as uow:
        found = [each.address.table for each in uow.datasets.iter()]
    catalogue.close()
    return found


def test_a_read_only_catalogue_says_so_and_keeps_what_it_has(folder: Path) -> None:
    """A file that may not be written fails with advice; what was committed is there once it may be."""
    path = folder / "c.db"
    catalogue = open_catalogue(f"sqlite:///{path}")
    register(catalogue, described("a"))
    catalogue.close()
    path.chmod(0o444)

    with without_privileges(), pytest.raises(CatalogueUnavailable) as caught:
        again = open_catalogue(f"sqlite:///{path}")
        register(again, described("b"))

    assert caught.value.hint == "check the rights on the file and its folder"
    path.chmod(0o644)
    assert tables_of(path) == ["a"]


def test_a_folder_that_cannot_be_made_says_so(folder: Path) -> None:
    """Neither a traceback nor an empty catalogue elsewhere."""
    folder.chmod(0o555)

    with without_privileges(), pytest.raises(CatalogueUnavailable) as caught:
        open_catalogue(f"sqlite:///{folder}/sub/c.db")

    assert "cannot be made: Permission denied" in caught.value.message


def test_a_folder_in_place_of_the_file_says_so(tmp_path: Path) -> None:
    """A path that is a folder is no catalogue."""
    with pytest.raises(CatalogueUnavailable, match="cannot be opened"):
        open_catalogue(f"sqlite:///{tmp_path}")


def test_a_locked_catalogue_says_so_after_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process that writes for too long is named as the cause; readers go on meanwhile."""
    monkeypatch.setattr(sqlite, "BUSY_S", 0.05)
    path = tmp_path / "c.db"
    catalogue = open_catalogue(f"sqlite:///{path}")
    register(catalogue, described("a"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(CatalogueUnavailable) as caught:
        register(catalogue, described("b"))

    assert caught.value.message == f"the catalogue {path} is locked by another process"
    assert caught.value.hint == "wait until that is done, or end it"
    assert tables_of(path) == ["a"]
    other.close()
    register(catalogue, described("b"))
    assert tables_of(path) == ["a", "b"]
    catalogue.close()


def test_a_full_disk_says_so_and_keeps_what_was_committed(tmp_path: Path) -> None:
    """A unit that does not fit is rolled back whole; once there is space, it fits."""
    path = tmp_path / "c.db"
    catalogue = open_catalogue(f"sqlite:///{path}")
    register(catalogue, described("a"))
    many = [described(f"t{at}", *(f"column_{step}" for step in range(50))) for at in range(200)]
    with catalogue.unit() as uow:
        connection = uow._session._connection.connection.driver_connection
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")

    with pytest.raises(CatalogueUnavailable) as caught:
        register(catalogue, *many)

    assert caught.value.message == f"the catalogue {path} cannot grow: its disk is full"
    catalogue.close()
    assert tables_of(path) == ["a"]
    catalogue = open_catalogue(f"sqlite:///{path}")
    register(catalogue, *many)
    catalogue.close()
    assert len(tables_of(path)) == 201


def test_a_file_that_is_no_database_is_damaged(tmp_path: Path) -> None:
    """Overwritten with something else."""
    path = tmp_path / "c.db"
    path.write_bytes(b"not a database, but long enough to be looked at" * 100)

    with pytest.raises(CatalogueCorrupt) as caught:
        open_catalogue(f"sqlite:///{path}")

    assert caught.value.message == f"the catalogue {path} is not an SQLite database"


def test_a_truncated_catalogue_is_damaged(tmp_path: Path) -> None:
    """Half a file is said to be damaged, with what to do, and never answers as if it were empty."""
    path = tmp_path / "c.db"
    catalogue = open_catalogue(f"sqlite:///{path}")
    register(catalogue, *(described(f"t{at}", *(f"column_{step}" for step in range(50))) for at in range(100)))
    catalogue.close()
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 4096 // 2 * 4096)

    with pytest.raises(CatalogueCorrupt) as caught:
        tables_of(path)

    assert caught.value.message == f"the catalogue {path} is damaged"
    assert caught.value.hint == "restore it from a backup, or move it away and crawl again"


def test_a_catalogue_that_was_removed_is_not_made_anew(tmp_path: Path) -> None:
    """A process whose catalogue goes away says so, instead of going on with an empty one."""
    path = tmp_path / "c.db"
    catalogue = open_catalogue(f"sqlite:///{path}")
    catalogue.close()
    path.unlink()

    with pytest.raises(CatalogueUnavailable, match="cannot be opened: it is not there"), catalogue.unit():
        pass

    assert not path.exists()
