"""The PostgreSQL adapter keeps the contract, on a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from hms_postgres import PostgresAdapter
from hms_registry.domain.names import always_quoted
from hms_registry.ports.adapter import Adapter
from hms_registry.testing import ODD_NAMES, SAMPLE_ROWS, AdapterContract
from services.postgres import Database, PostgresServer
from services.running import free_port

_NAMES = (*ODD_NAMES, "line\nbreak", "tab\tstop", "a/b", "\x01", "OTHER", "Other", "%", "*", "\u202edesrever", "$(id)")

_COLUMNS = "id bigint PRIMARY KEY, vessel text, tonnage double precision, passed_on date, lock bigint"


class TestTable(AdapterContract):
    """A plain table."""

    adapter: type[Adapter] = PostgresAdapter
    odd_names = _NAMES
    database: Database

    @pytest.fixture(autouse=True)
    def _database(self, postgres_server: PostgresServer) -> None:
        self.database = postgres_server.emptied("contract")

    def make(self, folder: Path) -> None:
        self.create()
        with self.database.connect() as session, session.transaction(), session.cursor() as cursor:
            rows = [tuple(row.values()) for row in SAMPLE_ROWS]
            cursor.executemany("INSERT INTO public.passages VALUES (%s, %s, %s, %s, %s)", rows)

    def create(self) -> None:
        """Make the empty sample."""
        self.database.execute(f"CREATE TABLE public.passages ({_COLUMNS})")

    def url(self, folder: Path) -> str:
        return self.database.url

    def sample_name(self) -> tuple[str, str]:
        return "public", "passages"

    def add_table(self, folder: Path, name: str) -> str:
        self.database.execute(f"CREATE TABLE public.{always_quoted(name)} (a int, {always_quoted(name)} text)")
        return name

    def change_schema(self, folder: Path) -> None:
        self.database.execute("ALTER TABLE public.passages ADD COLUMN captain text")

    def drop(self, folder: Path) -> None:
        self.database.execute("DROP TABLE public.passages")

    def analyze(self, folder: Path) -> None:
        self.database.execute("ANALYZE")

    def dead_url(self, folder: Path, canary: str) -> str:
        return f"postgresql://reader:{canary}@127.0.0.1:{free_port()}/{canary}"


class TestView(TestTable):
    """A view over the table."""

    def make(self, folder: Path) -> None:
        super().make(folder)
        self.database.execute(
            "ALTER TABLE public.passages RENAME TO kept", "CREATE VIEW public.passages AS SELECT * FROM public.kept"
        )

    def change_schema(self, folder: Path) -> None:
        self.database.execute("CREATE OR REPLACE VIEW public.passages AS SELECT *, 1 AS captain FROM public.kept")

    def drop(self, folder: Path) -> None:
        self.database.execute("DROP VIEW public.passages")


class TestPartitioned(TestTable):
    """A partitioned table, whose partitions are no datasets of their own."""

    def create(self) -> None:
        self.database.execute(
            f"CREATE TABLE public.passages ({_COLUMNS}) PARTITION BY HASH (id)",
            "CREATE TABLE public.p0 PARTITION OF public.passages FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
            "CREATE TABLE public.p1 PARTITION OF public.passages FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
        )
