"""Who leaves, or dies, leaves nothing behind in PostgreSQL: no statement runs on for nobody."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from faulty_stores import SECRETS, WHO, Home, faulty_stores
from services.postgres import PostgresServer
from services.seaweedfs import SeaweedServer
from serving import Server, eventually, serving

RUNNING = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name = 'hms-dta' AND state = 'active' AND query LIKE 'COPY%"public"%'
  AND datname = current_database()
"""
SLOW = "SELECT count(*) AS n FROM cdc.public.slow"
LARGE = "SELECT a.id AS id, a.s AS s FROM cdc.public.big a"

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path, postgres_server: PostgresServer, seaweed_server: SeaweedServer) -> Iterator[Home]:
    """A view that computes for an hour and has no row, and a table of fifty megabytes."""
    with seaweed_server.bucket() as bucket:
        database = postgres_server.emptied("left")
        database.execute(
            "CREATE TABLE big AS SELECT g AS id, repeat('x', 200) AS s FROM generate_series(1, 200000) g",
            "CREATE VIEW slow AS SELECT a.s FROM big a, big b WHERE a.id + b.id < 0",
        )
        with faulty_stores(tmp_path, database=database, bucket=bucket) as home:
            assert home.crawl("cdc")["cdc"]["ok"]
            yield home


@contextmanager
def asking(server: Server, home: Home, sql: str) -> Iterator[socket.socket]:
    """Send a query, and wait until PostgreSQL runs it."""
    place = urlsplit(server.url)
    assert place.hostname and place.port
    body = f'{{"sql": "{sql}", "format": "csv"}}'.encode()
    head = ["POST /dta/query HTTP/1.1", "Host: localhost", "Content-Type: application/json",
            f"Authorization: {server.token(WHO)['Authorization']}", f"Content-Length: {len(body)}"]  # fmt: skip
    with socket.create_connection((place.hostname, place.port), timeout=30) as link:
        link.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        eventually(lambda: home.database.rows(RUNNING) != [(0,)], seconds=30, told=lambda: server.log)
        yield link


def test_nobody_computes_for_who_has_gone(home: Home) -> None:
    """An asker who leaves before the first row or amid the rows; a registry that is killed with all its processes."""
    with serving(home.path) as server:
        with asking(server, home, SLOW):
            pass
        eventually(lambda: home.database.rows(RUNNING) == [(0,)], seconds=20, told=lambda: server.log)
        with asking(server, home, LARGE) as link:
            assert link.recv(100).startswith(b"HTTP/1.1 200 OK")
        eventually(lambda: home.database.rows(RUNNING) == [(0,)], seconds=20, told=lambda: server.log)
        with asking(server, home, SLOW):
            for pid in server.family():
                os.kill(pid, signal.SIGKILL)
            eventually(lambda: home.database.rows(RUNNING) == [(0,)], seconds=20, told=lambda: server.log)

    assert not [secret for secret in SECRETS if secret in server.log]
