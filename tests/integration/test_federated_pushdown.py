"""What leaves the stores: rows that PostgreSQL sends, by its own count, and bytes that S3 sends, by a proxy's."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from governed import STEWARD, crawl_sources, publish_policies
from hms_registry.bootstrap import Registry
from hms_registry.home import make_home
from services.postgres import PASSWORD, Database, PostgresServer
from services.seaweedfs import SECRET, Bucket, SeaweedServer
from services.tcp_proxy import Proxy, tcp_proxy

ROWS = 40_000
BIG = f"""CREATE TABLE passages AS SELECT n AS id, n % 1000 AS lock, 'ship ' || n % 7 AS ship, repeat('x', 50) AS note,
  DATE '2020-01-01' + (n % 365) AS day FROM generate_series(1, {ROWS}) AS n"""
SENT = """SELECT coalesce(sum(rows), 0)::int, coalesce(string_agg(query, ' '), '') FROM pg_stat_statements
  WHERE query LIKE 'COPY%passages%'"""
STRICT = """
# Analysts see the first passages.
row_filter(p: Principal, d: Dataset, "id <= 500") if d.source = "pg" and not "steward" in p.roles;
"""


@dataclass(frozen=True, slots=True)
class Stores:
    """A database with one large table, and a bucket behind a proxy that counts, with a large object and a small one."""

    database: Database
    bucket: Bucket
    proxy: Proxy
    size: int


@pytest.fixture(scope="module")
def stores(postgres_server: PostgresServer, seaweed_server: SeaweedServer) -> Iterator[Stores]:
    with (
        postgres_server.database() as database,
        seaweed_server.bucket() as bucket,
        tcp_proxy(seaweed_server.port) as proxy,
    ):
        database.execute(
            BIG, "ALTER TABLE passages ADD PRIMARY KEY (id)", "ANALYZE passages", "CREATE EXTENSION pg_stat_statements"
        )
        body = _parquet()
        bucket.put(
            {"tolls/tolls.parquet": body, "locks/locks.csv": b"id,name\n7,Snell\n11,Eisenhower\n90000,Nowhere\n"}
        )
        yield Stores(database, bucket, proxy, len(body))


def _parquet() -> bytes:
    sink = io.BytesIO()
    ids = list(range(1, 100_001))
    columns = {"id": pa.array(ids), "note": [f"{at:060}" for at in ids], "toll": pa.array([at % 90 for at in ids])}
    pq.write_table(pa.table(columns), sink, row_group_size=5_000, compression="none")
    return sink.getvalue()


@contextmanager
def registry_of(stores: Stores, home: Path, *, tiers: Mapping[str, str], policy: str = "") -> Iterator[Registry]:
    """Open a registry over both stores, crawled."""
    said = {name: f", privacy_tier: {tier}" if tier else "" for name, tier in tiers.items()}
    endpoint = f"http://127.0.0.1:{stores.proxy.port}"
    database = stores.database
    (home / "sources.yml").write_text(
        f"""sources:
  pg: {{url: 'postgresql://postgres@127.0.0.1:{database.port}/{database.name}', agency: DOT{said["pg"]}, options: {{
    password: '${{PG_SECRET}}'}}}}
  s3: {{url: 's3://{stores.bucket.name}', agency: USACE{said["s3"]}, options: {{
    endpoint: '{endpoint}', access_key: '${{S3_KEY}}', secret_key: '${{S3_SECRET}}'}}}}
"""
    )
    make_home(home, steward=STEWARD)
    if policy:
        (home / "policies" / "more.polar").write_text(policy)
    environ = {**os.environ, "PG_SECRET": PASSWORD, "S3_KEY": stores.bucket.reader, "S3_SECRET": SECRET}
    with Registry(home, environ=environ) as opened:
        publish_policies(opened)
        crawl_sources(opened)
        yield opened


PUBLIC = {"pg": "PUBLIC", "s3": "PUBLIC"}


@pytest.fixture(scope="module")
def registry(stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry_of(stores, tmp_path_factory.mktemp("public"), tiers=PUBLIC) as opened:
        yield opened


def asked(registry: Registry, sql: str, who: str = "role:steward") -> int:
    """Ask and return how many rows there are."""
    with registry.sql.ask(sql, principal=registry.principal(who)) as answer:
        return sum(batch.num_rows for batch in answer)


def sent(stores: Stores, registry: Registry, sql: str, who: str = "role:steward") -> tuple[int, int, str]:
    """Return the rows of the answer, those that PostgreSQL sent for it, and what it was asked."""
    stores.database.execute("SELECT pg_stat_statements_reset()")
    rows = asked(registry, sql, who)
    ((count, text),) = stores.database.rows(SENT)
    return rows, int(str(count)), str(text)


LOCKS, PASSAGES, TOLLS = "s3.locks.locks", "pg.public.passages", "s3.tolls.tolls"


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        (f"SELECT l.name, p.day FROM {LOCKS} AS l JOIN {PASSAGES} AS p ON p.id = l.id", 2),
        (f"SELECT l.name, p.day FROM {LOCKS} AS l LEFT JOIN {PASSAGES} AS p USING (id)", 3),
        (f"SELECT day FROM {PASSAGES} WHERE id IN (SELECT id FROM {LOCKS})", 2),
        (f"SELECT day FROM {PASSAGES} AS p WHERE EXISTS (SELECT 1 FROM {LOCKS} AS l WHERE l.id = p.id)", 2),
    ],
    ids=["join", "left join", "in", "exists"],
)
def test_postgresql_sends_the_rows_that_match_a_small_side_and_no_others(
    stores: Stores, registry: Registry, sql: str, rows: int
) -> None:
    """Three keys out of a file: two rows of 40,000 cross the wire."""
    found, count, text = sent(stores, registry, sql)

    assert (found, count) == (rows, 2)
    assert "passages" in text and "90000" in text


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT p.id FROM {PASSAGES} AS p LEFT JOIN {LOCKS} AS l ON p.id = l.id",
        f"SELECT p.id FROM {PASSAGES} AS p WHERE p.id NOT IN (SELECT l.id FROM {LOCKS} AS l)",
        f"SELECT p.id FROM {LOCKS} AS l FULL JOIN {PASSAGES} AS p ON p.id = l.id",
    ],
    ids=["left join the other way", "not in", "full join"],
)
def test_where_every_row_may_matter_every_row_is_sent(stores: Stores, registry: Registry, sql: str) -> None:
    """An anti join and a side that is kept whole need the rows without a match."""
    _, count, text = sent(stores, registry, sql)

    assert count == ROWS
    assert "90000" not in text


def test_projection_filter_and_limit_reach_postgresql(stores: Stores, registry: Registry) -> None:
    """It sends the rows and columns that are needed, by its own count."""
    where = "WHERE lock = 7 AND day >= DATE '2020-06-01'"
    found, count, text = sent(stores, registry, f"SELECT id FROM {PASSAGES} {where}")
    assert found == count > 0
    assert '"note"' not in text and '"ship"' not in text

    assert sent(stores, registry, f"SELECT ship FROM {PASSAGES} LIMIT 5")[:2] == (5, 5)


def test_a_row_filter_of_the_policy_reaches_postgresql(stores: Stores, tmp_path: Path) -> None:
    """Rows that somebody may not see are not even sent."""
    with registry_of(stores, tmp_path, tiers=PUBLIC, policy=STRICT) as opened:
        assert sent(stores, opened, f"SELECT id FROM {PASSAGES}", "role:analyst")[:2] == (500, 500)
        assert sent(stores, opened, f"SELECT id FROM {PASSAGES}")[:2] == (ROWS, ROWS)


def test_keys_of_one_agency_that_are_not_public_do_not_reach_the_store_of_another(
    stores: Stores, tmp_path: Path
) -> None:
    """The answer is the same; what the other store is asked holds no key, nor does the audit name one as told."""
    sql = f"SELECT l.name, p.day FROM {LOCKS} AS l JOIN {PASSAGES} AS p ON p.id = l.id"
    with registry_of(stores, tmp_path, tiers={"pg": "PUBLIC", "s3": "PII-SAFE"}) as opened:
        found, count, text = sent(stores, opened, sql)
        with opened.catalogue.unit() as uow:
            entry = uow.audit.latest(limit=1)[0]

    assert (found, count) == (2, ROWS)
    assert "90000" not in text
    assert entry.action == "sql" and "keys_told" not in entry.detail


def test_the_audit_names_the_column_whose_keys_were_told(registry: Registry) -> None:
    """Whose, and to which source; never a key."""
    asked(registry, f"SELECT l.name FROM {LOCKS} AS l JOIN {PASSAGES} AS p ON p.id = l.id")

    with registry.catalogue.unit() as uow:
        told = uow.audit.latest(limit=1)[0].detail["keys_told"]
    assert '"column": "id"' in told and '"to": "pg"' in told
    assert "90000" not in told


@pytest.mark.parametrize(
    ("sql", "share"),
    [
        (f"SELECT toll FROM {TOLLS} WHERE id = 77777", 0.05),
        (f"SELECT sum(toll) AS tolls FROM {TOLLS}", 0.25),
        (f"SELECT * FROM {TOLLS} LIMIT 3", 0.3),
        (f"SELECT t.toll FROM {PASSAGES} AS p JOIN {TOLLS} AS t ON t.id = p.id WHERE p.id = 9", 0.05),
        (f"SELECT t.toll FROM {LOCKS} AS l JOIN {TOLLS} AS t ON t.id = l.id", 0.15),
    ],
    ids=["filter", "projection", "limit", "keys of a table", "keys of a file"],
)
def test_s3_sends_the_bytes_that_are_needed(stores: Stores, registry: Registry, sql: str, share: float) -> None:
    """A part of the object that is as small as what was asked, counted between us and the store."""
    before = stores.proxy.passed

    assert asked(registry, sql) >= 1

    assert stores.proxy.passed - before < stores.size * share


def test_no_secret_of_these_stores_is_in_what_explain_says(registry: Registry) -> None:
    """Nor a row: explaining reads none."""
    explained = registry.sql.explain(
        f"SELECT l.name, p.day FROM {LOCKS} AS l JOIN {PASSAGES} AS p ON p.id = l.id",
        principal=registry.principal("role:steward"),
    )

    text = "\n".join(explained.lines())
    assert f"for those rows only whose id is among {LOCKS}.id, if they are few" in text
    assert PASSWORD not in text and SECRET not in text and "90000" not in text
