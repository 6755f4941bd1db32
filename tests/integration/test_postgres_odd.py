"""What a PostgreSQL database may hold and what may not be read: all of it registered, nothing in silence."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hms_registry.domain.crawls import CrawlState
from hms_registry.domain.names import always_quoted
from hms_registry.services.trino_types import to_arrow
from postgres_crawling import Registry, adapter_of, registry
from services.postgres import PASSWORD, Database, PostgresServer

# native type -> (as format_type spells it, Trino's)
TYPES: dict[str, tuple[str, str]] = {
    "boolean": ("boolean", "boolean"),
    "smallint": ("smallint", "smallint"),
    "integer": ("integer", "integer"),
    "bigint": ("bigint", "bigint"),
    "real": ("real", "real"),
    "double precision": ("double precision", "double"),
    "numeric": ("numeric", "varchar"),
    "numeric(12,2)": ("numeric(12,2)", "decimal(12,2)"),
    "numeric(38,10)": ("numeric(38,10)", "decimal(38,10)"),
    "numeric(39,1)": ("numeric(39,1)", "varchar"),
    "numeric(3,-2)": ("numeric(3,-2)", "decimal(5,0)"),
    "numeric(2,4)": ("numeric(2,4)", "decimal(4,4)"),
    "text": ("text", "varchar"),
    "varchar": ("character varying", "varchar"),
    "varchar(40)": ("character varying(40)", "varchar(40)"),
    "char(3)": ("character(3)", "char(3)"),
    "name": ("name", "varchar"),
    '"char"': ('"char"', "varchar"),
    "bytea": ("bytea", "varbinary"),
    "date": ("date", "date"),
    "time": ("time without time zone", "time(6)"),
    "time(3)": ("time(3) without time zone", "time(3)"),
    "timetz": ("time with time zone", "varchar"),
    "timestamp": ("timestamp without time zone", "timestamp(6)"),
    "timestamp(0)": ("timestamp(0) without time zone", "timestamp(0)"),
    "timestamptz": ("timestamp with time zone", "timestamp(6) with time zone"),
    "interval": ("interval", "varchar"),
    "interval year to month": ("interval year to month", "varchar"),
    "uuid": ("uuid", "uuid"),
    "json": ("json", "json"),
    "jsonb": ("jsonb", "json"),
    "jsonpath": ("jsonpath", "varchar"),
    "xml": ("xml", "varchar"),
    "bit": ("bit(1)", "boolean"),
    "bit(8)": ("bit(8)", "varchar"),
    "varbit": ("bit varying", "varchar"),
    "inet": ("inet", "varchar"),
    "cidr": ("cidr", "varchar"),
    "macaddr": ("macaddr", "varchar"),
    "money": ("money", "varchar"),
    "oid": ("oid", "bigint"),
    "regclass": ("regclass", "varchar"),
    "pg_lsn": ("pg_lsn", "varchar"),
    "point": ("point", "varchar"),
    "int4range": ("int4range", "varchar"),
    "tstzmultirange": ("tstzmultirange", "varchar"),
    "tsvector": ("tsvector", "varchar"),
    "integer[]": ("integer[]", "array(integer)"),
    "text[][]": ("text[]", "array(varchar)"),
    "numeric(6,2)[]": ("numeric(6,2)[]", "array(decimal(6,2))"),
    "timestamptz[]": ("timestamp with time zone[]", "array(timestamp(6) with time zone)"),
    "uuid[]": ("uuid[]", "array(uuid)"),
    "inet[]": ("inet[]", "array(varchar)"),
    "int2vector": ("int2vector", "varchar"),
    "odd.mood": ("odd.mood", "varchar"),
    "odd.mood[]": ("odd.mood[]", "array(varchar)"),
    "odd.pair": ("odd.pair", "varchar"),
    "odd.pair[]": ("odd.pair[]", "array(varchar)"),
    "odd.price": ("odd.price", "decimal(9,2)"),
    "odd.dear_price": ("odd.dear_price", "decimal(9,2)"),
    "odd.price[]": ("odd.price[]", "array(decimal(9,2))"),
    "odd.tags": ("odd.tags", "array(varchar)"),
    "odd.span": ("odd.span", "varchar"),
    'odd."Ty.pe"': ('odd."Ty.pe"', "varchar"),
}

SETUP = (
    "CREATE SCHEMA odd",
    "CREATE TYPE odd.mood AS ENUM ('sad', 'glad')",
    "CREATE TYPE odd.pair AS (a int, b text)",
    "CREATE TYPE odd.span AS RANGE (subtype = float8)",
    "CREATE TYPE odd.\"Ty.pe\" AS ENUM ('x')",
    "CREATE DOMAIN odd.price AS numeric(9,2) CHECK (value > 0)",
    "CREATE DOMAIN odd.dear_price AS odd.price CHECK (value > 100)",
    "CREATE DOMAIN odd.tags AS text[]",
    "CREATE TABLE odd.nothing ()",
    f"CREATE TABLE odd.wide ({', '.join(f'c{n} int' for n in range(1599))})",
    f"CREATE TABLE odd.types ({', '.join(f'c{n} {kind}' for n, kind in enumerate(TYPES))})",
    "CREATE TABLE odd.parted (at date NOT NULL, n int, PRIMARY KEY (at, n)) PARTITION BY RANGE (at)",
    *(
        f"CREATE TABLE odd.parted_{n} PARTITION OF odd.parted FOR VALUES"
        f" FROM ('2000-01-01'::date + {n}) TO ('2000-01-01'::date + {n + 1})"
        for n in range(298)
    ),
    "CREATE TABLE odd.sub PARTITION OF odd.parted FOR VALUES FROM ('2010-01-01') TO ('2011-01-01')"
    " PARTITION BY LIST (n)",
    "CREATE TABLE odd.sub_1 PARTITION OF odd.sub FOR VALUES IN (1)",
    "CREATE TABLE odd.sub_2 PARTITION OF odd.sub FOR VALUES IN (2)",
    "CREATE EXTENSION postgres_fdw",
    "CREATE SERVER dead FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1', dbname 'x')",
    "CREATE USER MAPPING FOR PUBLIC SERVER dead OPTIONS (user 'x')",
    "CREATE FOREIGN TABLE odd.far (a int, b numeric(5,1)) SERVER dead",
    "CREATE RECURSIVE VIEW odd.count_up (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM count_up WHERE n < 5",
    "CREATE MATERIALIZED VIEW odd.kept AS SELECT n FROM odd.parted WITH NO DATA",
    "CREATE TABLE odd.made (a int, twice int GENERATED ALWAYS AS (a * 2) STORED, id int GENERATED ALWAYS AS IDENTITY)",
    "CREATE TABLE odd.parent (a int)",
    "CREATE TABLE odd.child (b int) INHERITS (odd.parent)",
    "CREATE UNLOGGED TABLE odd.unlogged (a int)",
    "CREATE TABLE odd.told (a int)",
    "DO $$ BEGIN EXECUTE format('COMMENT ON TABLE odd.told IS %L', repeat('long ', 209716)); END $$",
)


@pytest.fixture(scope="module")
def odd(postgres_server: PostgresServer) -> Iterator[Database]:
    """One of everything."""
    with postgres_server.database() as database:
        database.execute(*SETUP)
        yield database


@pytest.fixture(scope="module")
def crawled(odd: Database) -> Iterator[Registry]:
    """A catalogue after one crawl of it."""
    with registry() as fresh:
        report = fresh.crawl(odd.url)
        assert (report.state, report.is_ok, report.failures) == (CrawlState.COMPLETE, True, ())
        yield fresh


def test_the_count_of_datasets_is_the_count_of_relations(odd: Database, crawled: Registry) -> None:
    """Nothing of pg_class is missing: partitions are in their root, everything else is a dataset."""
    ((relations, leaves),) = odd.rows(
        "SELECT count(*) FILTER (WHERE NOT relispartition), count(*) FILTER (WHERE relispartition AND relkind <> 'p')"
        " FROM pg_class WHERE relkind IN ('r','p','v','m','f') AND relnamespace = 'odd'::regnamespace"
    )

    datasets = crawled.datasets()

    assert len(datasets) == relations
    assert datasets["odd.parted"].observation.file_count == leaves == 300
    assert datasets["odd.parted"].properties["partitions"] == "300"
    assert datasets["odd.parted"].primary_key == ("at", "n")


def test_a_partitioned_table_that_was_analyzed_has_the_rows_and_bytes_of_its_partitions(
    postgres_database: Database,
) -> None:
    """ANALYZE writes -1 pages for the root itself: only what holds rows is added up."""
    postgres_database.execute(
        "CREATE TABLE loads (day date) PARTITION BY RANGE (day)",
        "CREATE TABLE loads_24 PARTITION OF loads FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
        "CREATE TABLE loads_25 PARTITION OF loads FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')",
        "INSERT INTO loads SELECT date '2024-12-31' + at % 2 FROM generate_series(0, 9) AS at",
        "ANALYZE loads",
    )
    with registry() as catalogue:
        report = catalogue.crawl(postgres_database.url)
        observed = catalogue.datasets()["public.loads"].observation

    assert report.state is CrawlState.COMPLETE
    assert (observed.row_count, observed.size_bytes, observed.file_count) == (10, 2 * 8192, 2)


def test_every_type_has_its_exact_text_and_its_trino_type(crawled: Registry) -> None:
    """Also domains, enums, composites, ranges and arrays of them; the Arrow type is the one that Trino's stands for."""
    columns = crawled.datasets()["odd.types"].columns

    assert {
        stated: (column.native_type, column.trino_type) for stated, column in zip(TYPES, columns, strict=True)
    } == TYPES
    assert [column.arrow_type for column in columns] == [str(to_arrow(column.trino_type)) for column in columns]


def test_extremes_are_registered_as_they_are(crawled: Registry) -> None:
    """No columns, 1,599 columns, a dead server's table, a recursive view, an empty one, a comment of a megabyte."""
    datasets = crawled.datasets()

    assert datasets["odd.nothing"].columns == ()
    assert len(datasets["odd.wide"].columns) == 1599
    assert datasets["odd.far"].properties == {"relation": "foreign table", "foreign_server": "dead"}
    assert [column.trino_type for column in datasets["odd.count_up"].columns] == ["integer"]
    assert datasets["odd.kept"].properties["relation"] == "materialized view"
    assert [column.name for column in datasets["odd.made"].columns] == ["a", "twice", "id"]
    assert [column.name for column in datasets["odd.child"].columns] == ["a", "b"]
    assert len(datasets["odd.told"].description) == 5 * 209_716


def test_names_are_kept_byte_for_byte(postgres_database: Database) -> None:
    """Dots, quotes, SQL, wildcards, twins by case and by normal form: each its own dataset, and the victim is there."""
    schemas = ["s0", "s0.a"]
    names = [
        "a.b", "b", 'quo"te', "it's", "x'; DROP TABLE s0.victim; --", "new\nline", "tab\t", "per%cent", "under_score",
        "st*r", "what?", "bra[ck]et", "Ünï", "U\u0308ni\u0308", "\u202egnp.exe", "😀", "n" * 63, "UPPER", "upper",
        "<script>alert(1)</script>", "{{7*7}}", "${jndi:ldap://x}", "urn:li:dataset:1", "victim", "pg_class",
    ]  # fmt: skip
    for schema in schemas:
        postgres_database.execute(f"CREATE SCHEMA {always_quoted(schema)}")
        for name in names:
            column = always_quoted(name)
            postgres_database.execute(f"CREATE TABLE {always_quoted(schema)}.{column} ({column} int)")

    with registry() as fresh:
        report = fresh.crawl(postgres_database.url)
        with fresh.catalogue.unit() as uow:
            found = list(uow.datasets.iter(source="src"))

    assert report.is_ok
    assert {(each.address.schema, each.address.table) for each in found} == {(s, n) for s in schemas for n in names}
    assert all(each.columns[0].name == each.address.table for each in found)
    assert len({each.id for each in found}) == len({each.trino_name for each in found}) == len(found)


def test_what_may_not_be_read_is_registered_as_not_readable(
    postgres_database: Database, postgres_server: PostgresServer
) -> None:
    """A table, a whole schema or single columns: seen, said, and never missing."""
    postgres_server.role("reader")
    postgres_database.execute(
        "CREATE SCHEMA open",
        "CREATE SCHEMA shut",
        "GRANT USAGE ON SCHEMA open TO reader",
        "CREATE TABLE open.all (a int, b int)",
        "CREATE TABLE open.some (a int, b int)",
        "CREATE TABLE open.none (a int)",
        "CREATE TABLE shut.granted (a int)",
        "GRANT SELECT ON open.all, shut.granted TO reader",
        "GRANT SELECT (a) ON open.some TO reader",
    )

    with registry() as fresh:
        report = fresh.crawl(postgres_database.url_of("reader"))
        datasets = fresh.datasets()

    assert report.is_ok
    assert {name: (each.is_readable, each.findings) for name, each in datasets.items()} == {
        "open.all": (True, ()),
        "open.some": (True, ("the account that reads rows may not read 1 of its columns: b",)),
        "open.none": (False, ("the account that reads rows may not read it",)),
        "shut.granted": (False, ("the account that reads rows may not read it",)),
    }
    assert all(each.columns for each in datasets.values())


def test_what_the_crawler_says_of_itself_is_true(postgres_database: Database) -> None:
    """Its sessions are read-only, have their timeouts and their name, and end with the adapter."""
    adapter = adapter_of(postgres_database.url)
    from hms_registry.ports.adapter import Scope

    adapter.stamp(Scope())
    assert adapter._look is not None
    settings = ("transaction_read_only", "default_transaction_read_only", "statement_timeout", "application_name")
    said = [adapter._look.session.rows("SELECT current_setting(%s)", name)[0][0] for name in settings]
    adapter.close()

    assert said == ["on", "on", "10s", "hms-dta"]
    left = postgres_database.rows("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hms-dta'")
    assert left == [(0,)]


def test_no_secret_is_printed_with_a_configuration(postgres_database: Database) -> None:
    """Neither the configuration's text nor a dataset's location holds the password."""
    adapter = adapter_of(postgres_database.url)

    assert PASSWORD not in repr(adapter._config)
    assert PASSWORD not in adapter._config.location
