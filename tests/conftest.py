"""What every test may ask for: the real servers, each started by the first test that does."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalogues import catalogue, catalogues, memory
from moulds import use_moulds
from services.fixtures import (
    bucket,
    governed_trino,
    hive_database,
    hive_metastore,
    hive_server,
    kept_bucket,
    mongo_database,
    mongo_server,
    odd_mongo,
    plain_trino,
    postgres_database,
    postgres_server,
    redis_server,
    seaweed_server,
)
from shares import pytest_collection_modifyitems, pytest_xdist_make_scheduler

__all__ = [
    "bucket",
    "catalogue",
    "catalogues",
    "governed_trino",
    "hive_database",
    "hive_metastore",
    "hive_server",
    "kept_bucket",
    "memory",
    "mongo_database",
    "mongo_server",
    "odd_mongo",
    "plain_trino",
    "postgres_database",
    "postgres_server",
    "pytest_collection_modifyitems",
    "pytest_xdist_make_scheduler",
    "redis_server",
    "seaweed_server",
]


def pytest_configure() -> None:
    """Before any test, and in each process that tests."""
    use_moulds()


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """A shell that starts the tests in the background has them ignore SIGINT, and with them all that they start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def temporary_folder_of_this_process() -> Iterator[None]:
    """Where several processes test side by side, none sees what another leaves for a moment."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        yield
        return
    folder = tempfile.mkdtemp(prefix=f"hms-dta-{worker}-")
    Path(folder).chmod(0o711)  # PostgreSQL runs as an account of its own, and must get through
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        try:
            yield
        finally:
            shutil.rmtree(folder, ignore_errors=True)
