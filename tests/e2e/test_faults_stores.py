"""Faults of real stores, from the crawl to the answer: a PostgreSQL database and a bucket, each behind a proxy."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Iterator

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from faulty_stores import Home, faulty_stores
from hms_registry.bootstrap import Registry
from hms_registry.domain.names import always_quoted, quote_identifier
from services.postgres import PASSWORD, PostgresServer
from services.seaweedfs import SeaweedServer
from services.tcp_proxy import Fault

NAMES = [
    "a.b", "b", "x'; DROP TABLE victim; --", 'x"; DROP TABLE victim; --', "per%cent", "foo*", "foobar", "Ünï",
    "U\u0308ni\u0308", "\u202egnp.exe", "UPPER", "upper", "<script>{{7*7}}${jndi:ldap:x}", "victim", "tab\tstop",
]  # fmt: skip
CANARY = "zaunkoenig-55d1"
JOIN = "SELECT count(*) AS n, sum(x.id) AS s FROM cdc.public.big x JOIN lake.t.big y ON x.id = y.id"


@pytest.fixture(scope="module")
def stores(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, seaweed_server: SeaweedServer
) -> Iterator[Home]:
    """One home for all tests here; PostgreSQL lets a role in that may do nothing but connect."""
    postgres_server.role("faults_reader")
    path = tmp_path_factory.mktemp("faulty")
    with seaweed_server.bucket() as bucket:
        database = postgres_server.emptied("e2e_faults")
        with faulty_stores(path, database=database, bucket=bucket, user="faults_reader") as home:
            yield home


@pytest.fixture
def home(stores: Home) -> Home:
    """Empty stores, and a catalogue that has met neither."""
    stores.empty()
    stores.database.execute("GRANT USAGE ON SCHEMA public TO faults_reader")
    return stores


def _parquet(**columns: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, compression="none")
    return sink.getvalue()


def _granted(home: Home, *statements: str) -> None:
    home.database.execute(*statements, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO faults_reader")


def _small(home: Home) -> None:
    """A table and an object of three rows."""
    _granted(home, "CREATE TABLE t (id int, n text)", "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    home.bucket.put({"s/t.csv": b"id,n\n1,a\n2,b\n3,c\n"})
    assert all(report["ok"] for report in home.crawl().values())


# Names: 1 to 5


def _in_postgres(home: Home) -> str:
    statements = []
    for schema in ("s0", "s0.a"):
        statements.append(f"CREATE SCHEMA {always_quoted(schema)}")
        for at, name in enumerate(NAMES):
            table = f"{always_quoted(schema)}.{always_quoted(name)}"
            statements.append(f"CREATE TABLE {table} AS SELECT '{schema}:{at}' AS {always_quoted(name)}")
        statements.append(f"GRANT USAGE ON SCHEMA {always_quoted(schema)} TO faults_reader")
        statements.append(f"GRANT SELECT ON ALL TABLES IN SCHEMA {always_quoted(schema)} TO faults_reader")
    home.database.execute(*statements)
    return "cdc"


def _in_s3(home: Home) -> str:
    for at, name in enumerate(NAMES):
        home.bucket.put({f"{schema}/{name}.csv": f"n,x\n{schema}:{at},1\n".encode() for schema in ("s0", "s0.a")})
    return "lake"


@pytest.mark.parametrize("fill", [_in_postgres, _in_s3])
def test_each_odd_name_is_a_dataset_of_its_own_with_rows_of_its_own(home: Home, fill: Callable[[Home], str]) -> None:
    """Dots, quotes, commands, wildcards, twins, markup: as many datasets as names, each answering for itself alone."""
    source = fill(home)
    report = home.crawl(source)[source]
    with Registry.open(home.path) as registry, registry.catalogue.unit() as uow:
        datasets = list(uow.datasets.iter(source=source))
    assert report["ok"] and report["new"] == len(datasets) == len({each.trino_name for each in datasets})
    assert {(each.address.schema, each.address.table) for each in datasets} == {
        (schema, name) for schema in ("s0", "s0.a") for name in NAMES
    }
    selects = [
        f"SELECT {quote_identifier(each.columns[0].name.lower())} AS n FROM {each.trino_name}" for each in datasets
    ]

    for at in range(0, len(selects), 10):
        rows = home.rows(" UNION ALL ".join(selects[at : at + 10]))

        wanted = [f"{each.address.schema}:{NAMES.index(each.address.table)}" for each in datasets[at : at + 10]]
        assert sorted(rows) == sorted(wanted)


def test_a_name_is_printed_inert(home: Home) -> None:
    """What would turn the line around, or colour it, is escaped."""
    _in_s3(home)
    home.crawl("lake")

    shown = home.told("search", "gnp", "--as", "role:steward")

    assert "\u202e" not in shown.out and "gnp.exe" in shown.out


# What may not, or cannot, be read: 9, 10, 20


def test_what_cannot_be_read_in_postgres_is_registered_and_says_why(home: Home) -> None:
    """A dead server's table, an empty materialized view, a table of no columns, one without rights."""
    home.database.execute(
        "CREATE EXTENSION IF NOT EXISTS postgres_fdw",
        "CREATE SERVER IF NOT EXISTS dead FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1')",
        "DROP USER MAPPING IF EXISTS FOR PUBLIC SERVER dead",
        f"CREATE USER MAPPING FOR PUBLIC SERVER dead OPTIONS (user 'x', password '{CANARY}')",
        "CREATE FOREIGN TABLE far (a int) SERVER dead",
        "CREATE TABLE nothing ()",
        "INSERT INTO nothing DEFAULT VALUES",
        "CREATE MATERIALIZED VIEW kept AS SELECT 1 AS a WITH NO DATA",
    )
    _granted(home)
    home.database.execute("CREATE TABLE shut (a int)")

    report = home.crawl("cdc")["cdc"]
    told = {name: home.query(f"SELECT count(*) AS n FROM cdc.public.{name}") for name in ("far", "kept", "shut")}

    assert report["ok"] and report["new"] == 4
    assert home.rows("SELECT count(*) AS n FROM cdc.public.nothing") == ["1"]
    assert {name: (done.code, done.out) for name, done in told.items()} == {
        "far": (5, ""), "kept": (5, ""), "shut": (3, "")
    }  # fmt: skip
    assert "cdc.public.far: its server broke" in told["far"].err
    assert "cdc.public.kept holds nothing yet" in told["kept"].err
    assert "cannot be read with the registry's own account" in told["shut"].err
    assert all(CANARY not in done.err for done in told.values())


DAMAGED = {
    "corrupt.parquet": b"PAR1" + b"\x00" * 200 + b"\x40\x00\x00\x00PAR1",
    "lies.parquet": b"PAR1" + b"\x00" * 200 + (2 << 30).to_bytes(4, "little") + b"PAR1",
    "cut.parquet": _parquet(id=list(range(1000)))[:-100],
    "empty.csv": b"",
    "line.jsonl": b'{"a": "' + b"x" * 2_000_000,
}


def test_damaged_objects_cost_only_themselves(home: Home) -> None:
    """Each is reported, the rest is registered, and few bytes of them cross the wire; the next crawl tries again."""
    bomb = gzip.compress(b"a,b\n" + b"1,2\n" * 8_000_000)
    home.bucket.put({f"d/{name}": body for name, body in DAMAGED.items()})
    home.bucket.put({"d/bomb.csv.gz": bomb, "d/wide.csv": "é,b\n1,2\n".encode("utf-16"), "d/ok.csv": b"a,b\n1,2\n"})
    before = home.s3.passed

    report = home.crawl("lake")["lake"]

    assert (report["state"], report["new"], report["failed"]) == ("partial", 3, len(DAMAGED))
    assert {each["subject"] for each in report["failures"]} == {
        str(f"lake.d.{quote_identifier(name.partition('.')[0])}") for name in DAMAGED
    }
    assert home.s3.passed - before < 600_000
    assert home.rows('SELECT "é" FROM lake.d.wide') == ["1"]
    for name, body in {"corrupt.parquet": _parquet(id=[1]), "empty.csv": b"a\n1\n"}.items():
        home.bucket.put({f"d/{name}": body})
    assert (again := home.crawl("lake")["lake"])["new"] == 2 and again["failed"] == 3


def test_an_object_that_is_cut_short_after_the_crawl_is_no_shorter_answer(home: Home) -> None:
    """Packed text without its end, Parquet without its footer: an error that names them."""
    packed, table = gzip.compress(b"id\n" + b"7\n" * 300_000), _parquet(id=list(range(100_000)))
    home.bucket.put({"t/a.csv.gz": packed, "u/b.parquet": table})
    home.crawl("lake")
    home.bucket.put({"t/a.csv.gz": packed[: len(packed) // 2], "u/b.parquet": table[: len(table) // 2]})

    for name, table_name in (("t/a.csv.gz", "lake.t.a"), ("u/b.parquet", "lake.u.b")):
        done = home.query(f"SELECT sum(id) AS n FROM {table_name}")

        assert (done.code, done.out) == (5, ""), done
        assert done.err.startswith(f"error: {name} "), done


# Away, and back again: 11, 12


@pytest.mark.parametrize("how", ["refused", "breaks", "breaks within its first answer"])
def test_stores_that_are_away_lose_nothing(home: Home, how: str) -> None:
    """Crawls fail and say so, all is present and stale, queries name the source; then they go on as before."""
    _small(home)
    fault = Fault(cut_after=0) if how == "breaks" else Fault(cut_after=150)
    for proxy in (home.postgres, home.s3):
        proxy.revive(fault if how != "refused" else Fault())
        proxy.is_dead = how == "refused"

    reports = home.crawl()
    asked = {source: home.query(f"SELECT n FROM {source}") for source in ("cdc.public.t", "lake.s.t")}
    shown = home.told("show", "cdc.public.t", "--as", "role:steward")

    assert {(each["state"], each["gone"], each["suspect"]) for each in reports.values()} == {("failed", 0, 0)}
    for source, report in reports.items():
        assert report["error"].startswith(f"source {source}: ") and report["hint"]
    for name, done in asked.items():
        assert (done.code, done.out) == (5, "") and f"source {name.partition('.')[0]}: " in done.err, done
    assert "stale" in shown.out
    assert {*home.states("cdc").values(), *home.states("lake").values()} == {"present"}
    for proxy in (home.postgres, home.s3):
        proxy.revive(Fault())
    assert all(report["ok"] for report in home.crawl().values())
    assert home.rows("SELECT count(*) AS n FROM cdc.public.t x JOIN lake.s.t y ON x.id = y.id") == ["3"]


# Other rights and other tables since the crawl: 10, 14


def test_a_password_that_was_changed_since_the_crawl_is_a_rejected_credential(home: Home) -> None:
    """Neither the crawl nor the query tells it, and nothing is gone."""
    _small(home)
    role = psycopg.sql.Identifier("faults_reader")
    change = psycopg.sql.SQL("ALTER ROLE {} PASSWORD {}")
    try:
        with home.database.connect() as session:
            session.execute(change.format(role, psycopg.sql.Literal(CANARY)))

        report, done = home.crawl("cdc")["cdc"], home.query("SELECT n FROM cdc.public.t")
    finally:
        with home.database.connect() as session:
            session.execute(change.format(role, psycopg.sql.Literal(PASSWORD)))

    assert (report["state"], report["error"]) == ("failed", "source cdc: its server does not let this account in")
    assert (done.code, done.out) == (5, "") and "source cdc: its server does not let this account in" in done.err
    assert home.states("cdc") == {"public.t": "present"}
    assert home.crawl("cdc")["cdc"]["ok"]


def test_a_right_that_was_taken_since_the_crawl_is_told_and_then_registered(home: Home) -> None:
    """First the store refuses, and after the next crawl the registry does."""
    _small(home)
    home.database.execute("REVOKE SELECT ON t FROM faults_reader")

    before = home.query("SELECT n FROM cdc.public.t")
    report = home.crawl("cdc")["cdc"]
    after = home.query("SELECT n FROM cdc.public.t")

    assert (before.code, before.out) == (5, "") and "cdc.public.t: this account may not read it" in before.err
    assert report["ok"] and report["changed"] == 1
    assert (after.code, after.out) == (3, "") and "own account" in after.err


@pytest.mark.parametrize(
    "statements",
    [
        ("ALTER TABLE t RENAME n TO x", "ALTER TABLE t RENAME secret TO n"),
        ("ALTER TABLE t RENAME TO old", "ALTER TABLE other RENAME TO t"),
        ("CREATE OR REPLACE VIEW v AS SELECT id, secret AS n FROM t",),
        ("DROP VIEW v", "ALTER TABLE t DROP n", "ALTER TABLE t ADD n text", f"UPDATE t SET n = '{CANARY}'"),
    ],
)
def test_nothing_is_read_under_the_name_of_something_else(home: Home, statements: tuple[str, ...]) -> None:
    """What nobody labelled yet is not shown as what was labelled, however the names went around."""
    _granted(
        home,
        "CREATE TABLE t (id int, n text, secret text)",
        f"INSERT INTO t VALUES (1, 'a', '{CANARY}')",
        "CREATE TABLE other (id int, n text, secret text)",
        f"INSERT INTO other VALUES (1, '{CANARY}', 'x')",
        "CREATE VIEW v AS SELECT id, n FROM t",
    )
    home.crawl("cdc")
    name = "v" if "VIEW v AS" in statements[0] else "t"
    assert home.rows(f"SELECT n FROM cdc.public.{name}") == ["a"]
    _granted(home, *statements)

    done = home.query(f"SELECT n FROM cdc.public.{name}")

    assert (done.code, done.out) == (5, ""), done
    assert "crawl cdc again" in done.err and CANARY not in done.err
    assert home.crawl("cdc")["cdc"]["ok"]
    assert home.rows(f"SELECT n FROM cdc.public.{name}") == [CANARY]


# One of two dies in a join: 42


@pytest.fixture
def joined(home: Home) -> Home:
    """A table and an object, two megabytes each."""
    _granted(home, "CREATE TABLE big AS SELECT g::bigint AS id, repeat('x', 60) AS s FROM generate_series(1, 30000) g")
    home.bucket.put({"t/big.parquet": _parquet(id=list(range(1, 30_001)), s=[f"{at:060}" for at in range(30_000)])})
    assert all(report["ok"] for report in home.crawl().values())
    assert home.rows(f"{JOIN} AND x.s <> y.s") == ["30000,450015000"]
    return home


@pytest.mark.parametrize(("source", "after"), [("cdc", 300_000), ("cdc", 5000), ("lake", 300_000), ("lake", 20_000)])
def test_one_of_two_stores_that_dies_in_a_join_is_named(joined: Home, source: str, after: int) -> None:
    """The answer is an error with its name, and no rows are printed for the whole."""
    proxy = joined.postgres if source == "cdc" else joined.s3
    proxy.revive(Fault(cut_after=after))

    done = joined.query(f"{JOIN} AND x.s <> y.s")

    assert (done.code, done.out) == (5, ""), done
    assert f"source {source}" in done.err or f"{source}.public.big: its server broke" in done.err
    proxy.revive(Fault())
    assert joined.rows(JOIN) == ["30000,450015000"]
