"""Versions of PostgreSQL relations: what changes a schema makes exactly one, and nothing else makes any."""

from __future__ import annotations

from functools import partial

from hms_postgres import PostgresAdapter, PostgresConfig
from services.postgres import Database
from truth import Change, assert_versions

SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN year AS int CHECK (value > 1900);
CREATE TABLE port (id int PRIMARY KEY, name varchar(20), opened year, note text DEFAULT 'x');
CREATE TABLE ship (id int PRIMARY KEY, port int REFERENCES port, crew pair, feels mood);
CREATE TABLE log (at timestamptz, ship int) PARTITION BY RANGE (at);
CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE VIEW ports AS SELECT id, name FROM port;
CREATE MATERIALIZED VIEW names AS SELECT name FROM port;
CREATE TABLE other (a int);
INSERT INTO port VALUES (1, 'Gdynia', 1926), (2, 'Duluth', 1901);
"""

CHANGES = (
    # rows
    ("INSERT INTO port VALUES (3, 'Haifa', 1933)", ""),
    ("UPDATE port SET name = 'Gdańsk' WHERE id = 1", ""),
    ("DELETE FROM port WHERE id = 3", ""),
    ("TRUNCATE port CASCADE", ""),
    ("ANALYZE port", ""),
    ("VACUUM FULL port", ""),
    ("REFRESH MATERIALIZED VIEW names", ""),
    # what no reader of a table meets
    ("CREATE INDEX ON ship (port)", ""),
    ("ALTER TABLE port ALTER COLUMN note SET DEFAULT 'y'", ""),
    ("ALTER TABLE port ADD CHECK (id > 0)", ""),
    ("COMMENT ON TABLE port IS 'harbours'", ""),
    ("ALTER TABLE ship ENABLE ROW LEVEL SECURITY", ""),
    ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", ""),
    ("CREATE SEQUENCE numbers", ""),
    # columns
    ("ALTER TABLE port ADD COLUMN depth real", "port"),
    ("ALTER TABLE port ALTER COLUMN depth TYPE double precision", "port"),
    ("ALTER TABLE port ALTER COLUMN note TYPE varchar(9)", "port"),
    ("ALTER TABLE port ALTER COLUMN depth SET NOT NULL", "port"),
    ("ALTER TABLE port RENAME COLUMN depth TO draught", "port"),
    ("ALTER TABLE port DROP COLUMN draught", "port"),
    ("ALTER TABLE log ADD COLUMN note text", "log"),  # a partition is a part of its table
    ("ALTER TYPE pair ADD ATTRIBUTE c int", ""),  # it is read as text, whatever it is made of
    # keys
    ("ALTER TABLE other ADD PRIMARY KEY (a)", "other"),
    ("ALTER TABLE other ADD FOREIGN KEY (a) REFERENCES ship", "other"),
    ("ALTER TABLE ship DROP CONSTRAINT ship_port_fkey", "ship"),
    # relations
    ("CREATE OR REPLACE VIEW ports AS SELECT id, name FROM port WHERE id > 1", ""),
    ("DROP VIEW ports; CREATE VIEW ports AS SELECT id FROM port", "ports"),
    ("CREATE TABLE fresh (a int)", "fresh"),
    ("ALTER TABLE fresh RENAME TO fresher", "fresher"),
    ("DROP TABLE fresher", ""),
    ("CREATE TABLE fresher (a int)", ""),  # it is back as it was
    ("DROP TABLE fresher; CREATE TABLE fresher (a bigint)", "fresher"),
    ("ALTER TABLE log DETACH PARTITION log_1", "log_1"),  # now it is a table
)


def test_each_statement_makes_one_version_or_none(postgres_database: Database) -> None:
    """Crawled after each."""
    postgres_database.execute(*SCHEMA.split(";\n")[:-1])
    config = PostgresConfig.from_url(source="truth", url=postgres_database.url, options={})
    changes = [Change(partial(postgres_database.execute, *sql.split("; ")), sql, told) for sql, told in CHANGES]

    assert_versions(changes, kind="postgres", open_adapter=lambda: PostgresAdapter(config))
