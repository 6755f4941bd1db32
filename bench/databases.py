"""What the PostgreSQL databases that are measured hold: many tables of twenty columns, or one of a million rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from bench.homes import Described, Homes
from bench.servers import READER, Servers
from services.postgres import Database

COLUMNS = 20
SCHEMAS = 20
JOINED_ROWS = 1_000_000

# Sixteen columns that every table shares, as tables of one house do, and four of its own.
_SHARED = """
    id bigint PRIMARY KEY, code varchar(12) NOT NULL, name text, agency varchar(40), state char(2), county integer,
    day date, opened timestamp(3), updated timestamptz NOT NULL DEFAULT now(), amount numeric(12,2),
    rate double precision, share real, is_open boolean NOT NULL DEFAULT true, tags text[], detail jsonb, row_id uuid
"""
_FILL = f"""
DO $$ BEGIN
    FOR at IN 0..{{last}} LOOP
        EXECUTE format(
            'CREATE TABLE area%1$s.station_%2$s ({_SHARED},
             reading_%2$s integer, note_%2$s text, unit_%3$s varchar(20), seen_%4$s timestamptz)',
            lpad((at %% {SCHEMAS})::text, 2, '0'), lpad(at::text, 6, '0'), at %% 97, at %% 13);
        EXECUTE format('COMMENT ON TABLE area%1$s.station_%2$s IS ''Readings of station %2$s''',
            lpad((at %% {SCHEMAS})::text, 2, '0'), lpad(at::text, 6, '0'));
        IF at %% 500 = 499 THEN COMMIT; END IF;
    END LOOP;
END $$
""".replace("%%", "%")

# All tables are empty: only the catalogue has something to be analyzed, by which both sides' queries are planned.
_CATALOGUE = "pg_class, pg_attribute, pg_attrdef, pg_constraint, pg_index, pg_description, pg_type, pg_depend"


@dataclass
class Databases:
    """Fills each database once, when it is first asked for."""

    servers: Servers
    folder: Path
    _filled: dict[int, Database] = field(default_factory=dict)

    def filled(self, size: int) -> Database:
        """Return a database of so many tables."""
        if size not in self._filled:
            self._filled[size] = self.servers.database(f"tables_{size}")
            if size:
                fill_tables(self._filled[size], size)
        return self._filled[size]

    @cached_property
    def trips(self) -> Database:
        """A database of one table, `public.trips`, of a million rows."""
        database = self.servers.database("trips")
        fill_trips(database)
        return database

    @cached_property
    def homes(self) -> Homes:
        """Homes over them."""
        return Homes(self.folder, lambda size: source_of(self.filled(size)))


def source_of(database: Database) -> Described:
    """Describe a database as a source."""
    url = f"postgresql://{READER}@127.0.0.1:{database.port}/{database.name}"
    return {"url": url, "options": {"password": "${BENCH_POSTGRES_PASSWORD}"}}


def table_name(at: int) -> tuple[str, str]:
    """Return schema and name of one of the tables."""
    return f"area{at % SCHEMAS:02}", f"station_{at:06}"


def fill_tables(database: Database, size: int) -> None:
    """Create *size* tables of twenty columns, each with a primary key and a comment, in twenty schemas."""
    database.execute(*(f"CREATE SCHEMA area{at:02}" for at in range(SCHEMAS)))
    database.execute(_FILL.format(last=size - 1), f"VACUUM ANALYZE {_CATALOGUE}")


def fill_trips(database: Database) -> None:
    """Create `public.trips`: a million rows that the objects of a bucket can be joined to."""
    database.execute(
        "CREATE TABLE trips (trip_id bigint PRIMARY KEY, harbor text, crew integer)",
        f"""INSERT INTO trips SELECT at, 'harbor ' || lpad((at % 97)::text, 2, '0'), at % 31
            FROM generate_series(0, {JOINED_ROWS - 1}) AS at""",
        "VACUUM ANALYZE trips",
    )
