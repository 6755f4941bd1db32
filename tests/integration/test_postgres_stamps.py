"""What changes a stamp: each DDL and DML statement changes the stamp of the one table it is about, or of none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hms_postgres import PostgresAdapter, PostgresConfig
from hms_registry.domain.crawls import Unchanged
from hms_registry.domain.datasets import DatasetRef, Stamp
from hms_registry.ports.adapter import Scope
from services.postgres import Database, PostgresServer

SCHEMA = """
CREATE SCHEMA s;
CREATE TYPE s.mood AS ENUM ('sad', 'glad');
CREATE TYPE s.pair AS (a int, b text);
CREATE DOMAIN s.year AS int CHECK (value > 1900);
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE TABLE s.port (id int PRIMARY KEY, name varchar(20), opened s.year, note text DEFAULT 'x');
CREATE TABLE s.ship (id int PRIMARY KEY, port int REFERENCES s.port, crew s.pair, feels s.mood);
CREATE TABLE s.log (at timestamptz, ship int) PARTITION BY RANGE (at);
CREATE TABLE s.log_1 PARTITION OF s.log FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE s.log_2 (at timestamptz, ship int);
CREATE VIEW s.ports AS SELECT id, name FROM s.port;
CREATE MATERIALIZED VIEW s.names AS SELECT name FROM s.port;
CREATE FOREIGN TABLE s.remote (a int) SERVER files OPTIONS (filename '/nowhere');
CREATE TABLE s.other (a int);
INSERT INTO s.port VALUES (1, 'Gdynia', 1926), (2, 'Duluth', 1901);
"""

CHANGES: tuple[tuple[str, set[str]], ...] = (
    # Schema: one table
    ("ALTER TABLE s.port ADD COLUMN depth real", {"port"}),
    ("ALTER TABLE s.port DROP COLUMN note", {"port"}),
    ("ALTER TABLE s.port ALTER COLUMN note TYPE varchar(9)", {"port"}),
    ("ALTER TABLE s.ship RENAME COLUMN feels TO mood", {"ship"}),
    ("ALTER TABLE s.port ALTER COLUMN opened SET NOT NULL", {"port"}),
    ("ALTER TABLE s.port ALTER COLUMN note SET DEFAULT 'y'", {"port"}),
    ("ALTER TABLE s.port ALTER COLUMN note DROP DEFAULT", {"port"}),
    ("ALTER TABLE s.other ADD PRIMARY KEY (a)", {"other"}),
    ("ALTER TABLE s.ship DROP CONSTRAINT ship_pkey", {"ship"}),
    ("ALTER TABLE s.other ADD FOREIGN KEY (a) REFERENCES s.ship", {"other"}),
    ("ALTER TABLE s.ship DROP CONSTRAINT ship_port_fkey", {"ship"}),
    ("ALTER TABLE s.port ADD CHECK (id > 0)", {"port"}),
    ("CREATE INDEX ON s.ship (port)", {"ship"}),
    ("COMMENT ON TABLE s.port IS 'harbours'", {"port"}),
    ("COMMENT ON COLUMN s.port.name IS 'as on the chart'", {"port"}),
    ("ALTER TABLE s.ship OWNER TO other_owner", {"ship"}),
    ("ALTER TABLE s.ship ENABLE ROW LEVEL SECURITY", {"ship"}),
    ("CREATE OR REPLACE VIEW s.ports AS SELECT id, name FROM s.port WHERE id > 1", {"ports"}),
    ("ALTER TYPE s.mood ADD VALUE 'mad'", {"ship"}),
    ("ALTER TYPE s.mood RENAME TO temper", {"ship"}),
    ("ALTER TYPE s.pair ADD ATTRIBUTE c int", {"ship"}),
    ("ALTER DOMAIN s.year RENAME TO anno", {"port"}),
    ("ALTER TABLE s.log ATTACH PARTITION s.log_2 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')", {"log", "log_2"}),
    ("ALTER TABLE s.log DETACH PARTITION s.log_1", {"log", "log_1"}),
    ("ALTER FOREIGN TABLE s.remote OPTIONS (SET filename '/elsewhere')", {"remote"}),
    # Coming and going: one address each
    ("CREATE TABLE s.fresh (a int)", {"fresh"}),
    ("DROP TABLE s.other", {"other"}),
    ("DROP TABLE s.other; CREATE TABLE s.other (a int)", {"other"}),
    ("ALTER TABLE s.other RENAME TO another", {"other", "another"}),
    # What others say of a table is theirs to tell: a foreign key names its target
    ("ALTER TABLE s.port RENAME TO harbour", {"port", "harbour", "ship"}),
    ("ALTER TABLE s.port RENAME COLUMN id TO number", {"port", "ship"}),
    # Nothing that a description tells
    ("INSERT INTO s.port VALUES (3, 'Haifa', 1933)", set()),
    ("UPDATE s.port SET name = 'Gdańsk' WHERE id = 1", set()),
    ("DELETE FROM s.port", set()),
    ("TRUNCATE s.port CASCADE", set()),
    ("ANALYZE s.port", set()),
    ("VACUUM s.port", set()),
    ("VACUUM FULL s.port", set()),
    ("REFRESH MATERIALIZED VIEW s.names", set()),
    ("CREATE TEMPORARY TABLE t (a int)", set()),
    ("CREATE FUNCTION s.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", set()),
    ("CREATE SEQUENCE s.numbers", set()),
)  # fmt: skip


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[Database]:
    """A database with one of everything."""
    postgres_server.role("other_owner")
    template = postgres_server.template("stamps", lambda made: made.execute(*SCHEMA.split(";\n")[:-1]))
    with postgres_server.database(template=template) as made:
        yield made


def _open(database: Database) -> PostgresAdapter:
    return PostgresAdapter(PostgresConfig.from_url(source="src", url=database.url, options={}))


def _stamps(adapter: PostgresAdapter) -> dict[str, Stamp | None]:
    return {item.address.table: item.stamp for item in adapter.discover(Scope()) if isinstance(item, DatasetRef)}


@pytest.mark.parametrize(("change", "expected"), CHANGES, ids=[change for change, _ in CHANGES])
def test_a_change_is_seen_at_the_table_it_is_about_and_nowhere_else(
    database: Database, change: str, expected: set[str]
) -> None:
    """The stamps that differ afterwards are exactly those expected; the source's differs if and only if one does."""
    adapter = _open(database)
    whole, before = adapter.stamp(Scope()), _stamps(adapter)

    database.execute(*change.split("; "))
    after = _stamps(adapter)
    again = adapter.stamp(Scope(previous=whole))
    adapter.close()

    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert changed == expected
    assert (again != whole) == bool(expected)


def test_a_moment_without_a_commit_answers_with_the_stamp_it_was_given(database: Database) -> None:
    """Where nothing was committed, the previous stamp comes back without a look at the catalogue."""
    adapter = _open(database)
    whole = adapter.stamp(Scope())

    again = adapter.stamp(Scope(previous=whole))

    assert again == whole
    assert adapter._look is not None  # the session that the crawl would go on with
    assert adapter._look._listing is None  # and nothing was listed in it
    adapter.close()


def test_a_copy_of_a_database_is_another_database(database: Database, postgres_server: PostgresServer) -> None:
    """The stamps of a copy differ in every table: nothing is taken for known because it looks alike."""
    with postgres_server.database(template=database.name) as copy:
        original, copied = _stamps(_open(database)), _stamps(_open(copy))

    assert original.keys() == copied.keys()
    assert not set(original.values()) & set(copied.values())


def test_what_the_account_may_read_is_part_of_the_stamp(database: Database, postgres_server: PostgresServer) -> None:
    """A GRANT changes the stamp of its table for the account that gained by it."""
    postgres_server.role("reader")
    config = PostgresConfig.from_url(source="src", url=database.url_of("reader"), options={})
    adapter = PostgresAdapter(config)
    database.execute("GRANT USAGE ON SCHEMA s TO reader")
    before = _stamps(adapter)

    database.execute("GRANT SELECT ON s.port TO reader")

    after = _stamps(adapter)
    assert {name for name in before if before[name] != after[name]} == {"port"}


def test_what_did_not_change_is_told_in_one_go(database: Database) -> None:
    """Of all that `discover` lists, only what has another stamp than is known comes as a ref."""
    adapter = PostgresAdapter(PostgresConfig.from_url(source="src", url=database.url, options={}))
    scope = Scope()
    adapter.stamp(scope)
    listed = [each for each in adapter.discover(scope) if isinstance(each, DatasetRef)]
    known = {"s": {each.address.table: each.stamp for each in listed if each.stamp and each.address.table != "port"}}
    known["s"]["ship"] = Stamp("another")

    found = list(adapter.changes(scope, known=known))
    adapter.close()

    refs = [each for each in found if isinstance(each, DatasetRef)]
    assert refs == [each for each in listed if each.address.table in ("port", "ship")]
    (told,) = [each for each in found if isinstance(each, Unchanged)]
    assert set(told.tables) == {each.address.table for each in listed} - {"port", "ship"}
