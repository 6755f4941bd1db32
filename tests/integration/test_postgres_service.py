"""The tests' own PostgreSQL: there, loopback only, and gone at its end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services import postgres
from services.fixtures import service_folder
from services.postgres import Database, PostgresServer
from services.running import ServiceFailed, free_port, is_listening, start_process


def test_a_database_is_new_and_gone_after_the_test(postgres_server: PostgresServer) -> None:
    """A database holds nothing at first, and is dropped even while a session is in it."""
    with postgres_server.database() as database:
        database.execute("CREATE TABLE t (a int)")
        left_open = database.connect()
        assert database.rows("SELECT relname FROM pg_class WHERE relname = 't'") == [("t",)]

    with postgres_server.database(template="postgres") as other:
        names = other.rows("SELECT datname FROM pg_database")

    assert (database.name,) not in names
    left_open.close()


def test_a_template_is_built_once_and_copied(postgres_server: PostgresServer) -> None:
    """What a template holds is in every copy, and it is built for the first only."""
    built = []

    def build(database: Database) -> None:
        built.append(database.name)
        database.execute("CREATE TABLE kept (a int)", "INSERT INTO kept VALUES (7)")

    for _copy in range(2):
        with postgres_server.database(template=postgres_server.template("kept", build)) as copy:
            assert copy.rows("SELECT a FROM kept") == [(7,)]

    assert len(built) == 1


def test_a_stopped_server_is_gone_by_its_pid() -> None:
    """Stopping ends every process of the server; stopping twice is no mistake."""
    with service_folder("postgres-stop") as folder:
        server = postgres.start(folder)
        assert is_listening(server.port)

        server.running.stop()
        server.running.stop()

    assert not is_listening(server.port)
    with pytest.raises(ProcessLookupError):
        os.kill(server.running.pid, 0)


def test_a_start_that_fails_shows_the_log(tmp_path: Path) -> None:
    """A server that ends at once fails with its exit code and what it said."""
    command = ["sh", "-c", "echo no licence for this moon >&2; exit 3"]

    with pytest.raises(ServiceFailed) as failed:
        start_process(command, url="x", log=tmp_path / "log", is_ready=lambda: is_listening(free_port()))

    assert str(failed.value) == "sh ended with 3; the end of its log:\nno licence for this moon"
